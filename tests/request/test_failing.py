"""What may be called a failure."""

import pytest

from farm.request import includes_status
from tests.request.parsing import parse, problems, with_options


def test_statuses_are_numbers_or_classes() -> None:
    statuses = with_options(failOn={"status": [404, "5xx"]}).options.fail_on.status
    assert [status for status in (200, 404, 500, 599) if includes_status(statuses, status)] == [
        404,
        500,
        599,
    ]


@pytest.mark.parametrize(
    "value", [404, "404", ["404"], [True], [99], [600], ["5XX"], [None], [[]], [404] * 51, None]
)
def test_what_is_no_status_is_refused(value: object) -> None:
    found = problems({"html": "x", "options": {"failOn": {"resourceStatus": value}}})
    assert list(found) == ["options.failOn.resourceStatus"]
    assert found["options.failOn.resourceStatus"].startswith("must be a list of at most 50")


def test_nothing_is_a_failure_unless_it_is_named() -> None:
    plain = parse({"html": "x"}).to_json()
    assert parse({"html": "x", "options": {"failOn": {}}}).to_json() == plain
    nothing = {"status": [], "pageError": False}
    assert parse({"html": "x", "options": {"failOn": nothing}}).to_json() == plain


def test_unknown_failures_are_refused() -> None:
    found = problems({"html": "x", "options": {"failOn": {"error": True, "pageError": 1}}})
    assert found == {
        "options.failOn.pageError": "must be true or false",
        "options.failOn.error": "unknown field",
    }
