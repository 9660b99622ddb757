"""Each case once: the picture that a person would call right, or the error that says why."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from farm.render import Engine
from tests.conftest import request_for
from tests.field.asking import ask_engine, running_engine
from tests.field.case import Case, waiting
from tests.field.cases import CASES
from tests.field.outcome import Outcome, shows
from tests.field.site import Site

Asked = dict[Case, "Future[Outcome]"]


@pytest.fixture(scope="module")
def engine(pytestconfig: pytest.Config) -> Iterator[Engine]:
    """Waits less than by default for what never comes."""
    isolation = pytestconfig.getoption("isolation")
    with running_engine(deadline_s=12, settle_max_s=3, isolation=isolation) as running:
        yield running


@pytest.fixture(scope="module")
def asked(chosen: list[Case], engine: Engine, field_site: Site, pool: ThreadPoolExecutor) -> Asked:
    return {case: pool.submit(ask_engine, engine, field_site, case) for case in chosen}


@pytest.mark.one_in(4)
@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES.items()])
def test_a_page_is_captured_as_it_should_be(asked: Asked, case: Case) -> None:
    outcome = asked[case].result()
    assert case.right(outcome), f"{case.right.describe(outcome)} instead of {case.right}"


def test_a_page_that_has_not_what_it_waits_for_is_not_taken_for_right(engine: Engine) -> None:
    picture = Outcome.of_file(engine.render(request_for(engine, waiting(""))).data, 0)
    assert shows("red")(picture)
    assert not shows("lime")(picture)
    assert not shows("red", "gold")(picture)
