"""Which bodies are worth reading: only those that the application would ask for."""

from typing import Any

import pytest

from farm.render import Engine
from farm.settings import MAX_BODY_BYTES, Settings
from farm.web import Gate, create_app

KEY = "0123456789abcdef"
JSON = {"CONTENT-TYPE": "application/json; charset=utf-8"}
FORM = {"CONTENT-TYPE": "multipart/form-data; boundary=x"}


def gate(**given: Any) -> Gate:
    """Of an application that nobody asks: its engine is not started, and it has no jobs."""
    settings = Settings(**given)
    app: Any = create_app(Engine(settings), None, None, settings)  # type: ignore[arg-type]
    gate: Gate = app.gate
    return gate


@pytest.mark.parametrize(
    "path", ["/render", "/render-url", "/render-async", "//render", "/%72ender"]
)
def test_what_makes_renders_and_jobs_has_a_body(path: str) -> None:
    assert gate().wants_body("POST", path, JSON, 10)
    assert gate().wants_body("POST", path, JSON, None)
    assert gate().wants_body("POST", path, FORM, 10) == (path != "/render-url")


@pytest.mark.parametrize(
    ("method", "path", "headers", "length"),
    [
        ("GET", "/render", JSON, 10),
        ("POST", "/health", JSON, 10),
        ("POST", "/render/x", JSON, 10),
        ("POST", "/render", {}, 10),
        ("POST", "/render", {"CONTENT-TYPE": "text/plain"}, 10),
        ("POST", "/render", JSON, MAX_BODY_BYTES + 1),
    ],
)
def test_what_is_refused_without_it_is_not_read(
    method: str, path: str, headers: dict[str, str], length: int
) -> None:
    assert not gate().wants_body(method, path, headers, length)


def test_only_callers_with_a_key_are_listened_to() -> None:
    keyed = gate(api_keys=f"me:{KEY}")
    assert not keyed.wants_body("POST", "/render", JSON, 10)
    assert not keyed.wants_body("POST", "/render", JSON | {"X-API-KEY": KEY + "0"}, 10)
    assert keyed.wants_body("POST", "/render", JSON | {"X-API-KEY": KEY}, 10)
    assert keyed.wants_body("POST", "/render", JSON | {"AUTHORIZATION": f"Bearer {KEY}"}, 10)


def test_a_key_may_be_in_the_query_only_where_the_route_says_so() -> None:
    keyed = gate(api_keys=f"me:{KEY}")
    assert keyed.wants_body("POST", "/screenshot", JSON, 10, f"a=b&token={KEY}")
    assert not keyed.wants_body("POST", "/screenshot", JSON, 10, f"a=b&token={KEY}0")
    assert not keyed.wants_body("POST", "/screenshot", JSON, 10)
    assert not keyed.wants_body("POST", "/render", JSON, 10, f"token={KEY}")
