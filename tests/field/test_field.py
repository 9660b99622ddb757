"""Each case once: the picture that a person would call right, or the error that says why."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from farm.render import Engine
from tests.conftest import request_for
from tests.field.asking import ask_engine
from tests.field.case import waiting
from tests.field.cases import CASES, PAGES
from tests.field.outcome import Outcome, shows
from tests.field.site import Site, running_field_site

#: Cases mostly wait, for answers and for their bound.
AT_ONCE = 8

Asked = dict[str, "Future[Outcome]"]


@pytest.fixture(scope="module")
def field_site() -> Iterator[Site]:
    with running_field_site(PAGES) as running:
        yield running


@pytest.fixture(scope="module")
def asked(request: pytest.FixtureRequest, engine: Engine, field_site: Site) -> Iterator[Asked]:
    """The cases that were chosen, all of them asked for already."""
    chosen = [
        item.callspec.params["name"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.originalname == test_a_case.__name__
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {name: pool.submit(ask_engine, engine, field_site, CASES[name]) for name in chosen}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("name", CASES)
def test_a_case(asked: Asked, name: str) -> None:
    outcome = asked[name].result()
    right = CASES[name].right
    assert right(outcome), f"{right.describe(outcome)} instead of {right}"


def test_a_page_that_waits_for_ever_is_not_taken_for_a_right_one(engine: Engine) -> None:
    picture = Outcome.of_file(engine.render(request_for(engine, waiting(""))).data, 0)
    assert shows("red")(picture)
    assert not shows("lime")(picture)
    assert not shows("red", "gold")(picture)
