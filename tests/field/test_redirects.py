"""Wherever a page is when it goes elsewhere, there is a picture of it or of where it went."""

from concurrent.futures import Future, ThreadPoolExecutor
from itertools import product

import pytest

from farm.render import Engine
from tests.field.redirects import DELAYS_MS, MEANS, MOMENTS, Move, ask, varied
from tests.field.site import Site

#: Of each means at each moment two delays, in turn.
_HALF = len(DELAYS_MS) // 2
CASES = [
    varied(Move(means, moment, DELAYS_MS[(place + half * _HALF) % len(DELAYS_MS)]), place + half)
    for place, (means, moment) in enumerate(product(MEANS, MOMENTS))
    for half in (0, 1)
]

Asked = dict[Move, "Future[str]"]


@pytest.fixture(scope="module")
def asked(chosen: list[Move], engine: Engine, field_site: Site, pool: ThreadPoolExecutor) -> Asked:
    return {move: pool.submit(ask, engine, field_site, move) for move in chosen}


@pytest.mark.one_in(3)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_page_that_goes_elsewhere_is_captured_there_or_before(asked: Asked, case: Move) -> None:
    assert asked[case].result() in ("before", "after")
