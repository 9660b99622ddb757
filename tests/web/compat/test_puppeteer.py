"""Bodies of Puppeteer's users: whatever they are, they become a request, or are refused by name."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.errors import InvalidRequest, OutputTooLarge
from farm.request import Limits, RenderRequest
from farm.web.compat import browserless, cloudflare
from farm.web.compat.browserless import bodies, launch
from farm.web.compat.cloudflare import bodies as cloudflares
from farm.web.compat.puppeteer.declared import Body, declarations, requested
from farm.web.compat.puppeteer.draft import Draft

LIMITS = Limits(30_000, 100_000_000)
MODELS: list[type[Body]] = [
    *(bodies.Screenshot, bodies.PdfPage, bodies.Content, bodies.Scrape),
    *(cloudflares.Screenshot, cloudflares.PdfPage, cloudflares.Content, cloudflares.Snapshot),
    *(cloudflares.Scrape, cloudflares.Links),
]
WORDS = [
    *("", "a", "x" * 2000, "load", "png", "a4", "1in", "http://a.example/", "(", "\ud83d", "5"),
    "\0",
]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, -1, 80, 800, 10**6, 10**30, 0.5, 1e300]),
    st.sampled_from(WORDS),
    st.text(max_size=5),
)


def values(model: type[Body]) -> st.SearchStrategy[Any]:
    """Objects with a model's own names, and with anything in them."""
    names = [info.alias or name for name, info in model.model_fields.items()]
    anything = st.recursive(
        SCALARS,
        lambda inside: st.one_of(
            st.lists(inside, max_size=2),
            st.dictionaries(st.sampled_from(INNER), inside, max_size=4),
        ),
        max_leaves=6,
    )
    return st.dictionaries(st.sampled_from(names), anything, max_size=6)


def _inner_names() -> list[str]:
    found = {"a"}
    models: list[type[Body]] = [*MODELS, launch.LaunchOptions]
    for model in models:
        found |= {part for name, _ in declarations(model) for part in name.split(".")[1:]}
    more = ["selector", "timeout", "fn", "event", "url", "content", "name", "value", "pattern"]
    return sorted({*found, *more, "response", "body", "hidden", "domain", "id", "type"})


INNER = _inner_names()


def parsed(model: type[Body], fields: dict[str, Any]) -> RenderRequest:
    draft = Draft(LIMITS)
    model.read(fields).fill(draft)
    return requested(model, draft)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("model", MODELS, ids=lambda model: f"{model.__module__}.{model.__name__}")
@given(data=st.data())
def test_a_body_is_a_request_or_is_refused(model: type[Body], data: st.DataObject) -> None:
    fields = {"html": "x", **data.draw(values(model))}
    if "elements" in model.model_fields:
        fields.setdefault("elements", [{"selector": "a"}])
    try:
        request = parsed(model, fields)
    except (InvalidRequest, OutputTooLarge):
        return
    assert RenderRequest.from_json(request.to_json(), LIMITS) == request


@given(
    st.one_of(
        st.text(max_size=20),
        values(launch.LaunchOptions).map(json.dumps),
    )
)
def test_launch_options_are_read_or_refused(text: str) -> None:
    draft = Draft(LIMITS)
    bodies.Query.read({"launch": text}).fill(draft)
    assert draft.problems or draft.fields is not None


@pytest.mark.parametrize("tables", [browserless.TABLES, cloudflare.TABLES])
def test_every_field_says_what_it_becomes(tables: Any) -> None:
    for name, rows in tables.items():
        assert rows, name
        for row in rows:
            assert row.here != "nothing" or row.difference, row.name


def test_what_a_field_becomes_is_an_option_of_the_farm() -> None:
    known = RenderRequest.model_json_schema(by_alias=True)
    for model in MODELS:
        for name, becomes in declarations(model):
            if becomes.ours:
                assert becomes.ours.split(".")[0] in known["properties"], name


@pytest.mark.parametrize(
    ("asked", "timeout"),
    [
        ({}, None),
        ({"gotoOptions": {"timeout": 5000}}, 5000),
        ({"gotoOptions": {"timeout": 0}}, None),
        ({"gotoOptions": {"timeout": 5000}, "waitForTimeout": 1000}, 6000),
        ({"gotoOptions": {"timeout": 5000}, "waitForSelector": {"selector": "a"}}, None),
        (
            {
                "gotoOptions": {"timeout": 5000},
                "waitForSelector": {"selector": "a", "timeout": 2000},
            },
            7000,
        ),
    ],
)
def test_the_times_of_its_steps_are_the_time_for_all(
    asked: dict[str, Any], timeout: int | None
) -> None:
    assert parsed(bodies.Content, {"html": "x", **asked}).options.timeout == timeout


@pytest.mark.parametrize(
    ("asked", "wait"),
    [
        ({}, None),
        ({"waitForSelector": {"selector": "a"}}, 30_000),
        ({"waitForSelector": {"selector": "a", "timeout": 100}}, 100),
        ({"waitForSelector": {"selector": "a", "timeout": 0}}, None),
        (
            {
                "waitForSelector": {"selector": "a", "timeout": 100},
                "waitForFunction": {"fn": "1", "timeout": 200},
            },
            200,
        ),
        (
            {
                "waitForSelector": {"selector": "a", "timeout": 100},
                "waitForFunction": {"fn": "1"},
            },
            30_000,
        ),
    ],
)
def test_the_longest_time_for_a_wait_holds_for_each(
    asked: dict[str, Any], wait: int | None
) -> None:
    draft = Draft(Limits(60_000, 1_000_000))
    bodies.Content.read({"html": "x", **asked}).fill(draft)
    assert requested(bodies.Content, draft).options.wait_timeout == wait
