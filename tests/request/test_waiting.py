"""What may be waited for, and for how long."""

import pytest

from tests.request.parsing import problems, with_options


def test_a_selector_alone_is_waited_for_until_it_is_visible() -> None:
    short = with_options(waitForSelector="#a").options.selector_wait
    assert short is not None
    assert (short.selector, short.state) == ("#a", "visible")
    assert with_options(waitForSelector={"selector": "#a"}).options.selector_wait == short
    assert with_options().options.selector_wait is None


@pytest.mark.parametrize(
    ("value", "where", "what"),
    [
        (5, "", "must be a string or an object"),
        (None, "", "must be a string or an object"),
        ("", "", "must be a string of 1 to 1,000 (characters)"),
        ("x" * 1_001, "", "must be a string of 1 to 1,000 (characters)"),
        ({}, ".selector", "missing"),
        (
            {"selector": "a", "state": "gone"},
            ".state",
            "must be one of attached, visible, hidden",
        ),
        ({"selector": "a", "timeout": 5}, ".timeout", "unknown field"),
    ],
)
def test_what_is_no_selector_is_told_so(value: object, where: str, what: str) -> None:
    found = problems({"html": "x", "options": {"waitForSelector": value}})
    assert found == {f"options.waitForSelector{where}": what}


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": 0},
        {"timeout": 30_001},
        {"timeout": True},
        {"waitUntil": "loaded"},
        {"onTimeout": "go"},
        {"waitForFunction": ""},
        {"waitForFunction": "x" * 500_001},
        {"waitForFunction": "\ud83d"},
    ],
)
def test_bounds(options: dict[str, object]) -> None:
    assert list(problems({"html": "x", "options": options})) == [f"options.{next(iter(options))}"]


def test_the_timeout_is_longer_than_what_is_slept() -> None:
    options = {"timeout": 500, "waitFor": 500}
    found = problems({"html": "x", "options": options})
    assert found == {"options": "waitFor must be shorter than timeout"}
    assert with_options(timeout=501, waitFor=500).options.timeout == 501
