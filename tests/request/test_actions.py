"""What may be done to a page."""

import pytest

from farm.request import RenderRequest
from tests.request.parsing import LIMITS, parse, problems

ALL = {
    "styles": ["a { color: red }"],
    "scripts": ["1", "2"],
    "click": ["#a"],
    "scroll": "through",
    "hide": [".b"],
    "remove": ["c", "d"],
}


@pytest.mark.parametrize("scroll", ["through", {"to": 300}, {"to": "#a"}])
def test_a_stored_request_is_the_same_one(scroll: object) -> None:
    request = parse({"html": "x", "options": {**ALL, "scroll": scroll}})
    assert request.options.remove == ("c", "d")
    assert RenderRequest.from_json(request.to_json(), LIMITS) == request


def test_empty_lists_are_as_good_as_none() -> None:
    options: dict[str, list[str]] = {"styles": [], "hide": []}
    assert parse({"html": "x", "options": options}).to_json() == parse({"html": "x"}).to_json()


TEXT = "must be a string of 1 to 500,000 (characters)"
SELECTOR = "must be a string of 1 to 1,000 (characters)"


@pytest.mark.parametrize(
    ("options", "where", "what"),
    [
        ({"styles": "a {}"}, "styles", "must be a list"),
        ({"styles": ["a {}", ""]}, "styles.1", TEXT),
        ({"scripts": ["x" * 500_001]}, "scripts.0", TEXT),
        ({"scripts": [1]}, "scripts.0", "must be a string"),
        ({"scripts": ["\ud83d"]}, "scripts.0", "must be valid Unicode"),
        ({"scripts": ["1"] * 21}, "scripts", "must be a list of at most 20"),
        ({"click": ["a"] * 21}, "click", "must be a list of at most 20"),
        ({"hide": ["a"] * 101}, "hide", "must be a list of at most 100"),
        ({"remove": ["x" * 1_001]}, "remove.0", SELECTOR),
        ({"remove": [["a"]]}, "remove.0", "must be a string"),
        ({"scroll": "up"}, "scroll", 'must be "through" or an object'),
        ({"scroll": 300}, "scroll", 'must be "through" or an object'),
        ({"scroll": {"to": -1}}, "scroll.to", "must be an integer from 0 to 10000000 (pixels)"),
        ({"scroll": {"to": ""}}, "scroll.to", SELECTOR),
        ({"scroll": {"to": True}}, "scroll.to", "must be an integer (pixels) or a string"),
        ({"scroll": {}}, "scroll.to", "missing"),
    ],
)
def test_every_bound_is_told(options: dict[str, object], where: str, what: str) -> None:
    found = problems({"html": "x", "options": options})
    assert list(found) == [f"options.{where}"]
    assert found[f"options.{where}"].startswith(what)
