"""Which requests are the same to the cache."""

import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import farm
from farm.cache import Keys
from farm.request import HTML_OR_URL, Limits, RenderRequest
from farm.settings import Settings

LIMITS = Limits(30_000, 1 << 30)

OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "width": st.integers(1, 16_000),
        "height": st.integers(1, 16_000),
        "format": st.sampled_from(["png", "jpeg", "jpg", "webp", "pdf"]),
        "waitFor": st.integers(0, 30_000),
    },
)
ADDRESSES = st.sampled_from(["http://a.example/", "http://a.example/b"])
TEXT = st.text(min_size=1).filter(str.isprintable)
ASSETS = st.dictionaries(
    st.sampled_from(["a", "b", "c/d"]),
    st.text().filter(str.isprintable) | st.fixed_dictionaries({"base64": st.just("AAAA")}),
)
CONTENT = {"options": OPTIONS, "baseUrl": ADDRESSES, "assets": ASSETS}
BODIES = (
    st.fixed_dictionaries({"html": TEXT}, optional=CONTENT)
    | st.fixed_dictionaries({"markdown": TEXT}, optional=CONTENT)
    | st.fixed_dictionaries(
        {"url": st.sampled_from(["http://a.example/", "http://a.example/b", "https://a.example/"])},
        optional={"options": OPTIONS},
    )
)
CALLERS = st.none() | st.sampled_from(["", "a", "b", "null", "None"])


def parse(body: dict[str, Any]) -> RenderRequest:
    return RenderRequest.parse(json.dumps(body).encode(), HTML_OR_URL, LIMITS)


def key(
    body: dict[str, Any], caller: str | None = None, version: str = "1", **settings: object
) -> str | None:
    keys = Keys(Settings.model_validate(settings), lambda: version)
    return keys.of(parse(body), caller)


def shuffled(body: dict[str, Any], data: st.DataObject) -> dict[str, Any]:
    """The same in another order of fields."""
    options = body.get("options")
    names = data.draw(st.permutations(list(body)))
    mixed = {name: body[name] for name in names}
    if options is not None:
        mixed["options"] = {n: options[n] for n in data.draw(st.permutations(list(options)))}
    if (assets := body.get("assets")) is not None:
        mixed["assets"] = {name: assets[name] for name in data.draw(st.permutations(list(assets)))}
    return mixed


@given(BODIES, CALLERS, st.data())
def test_the_same_request_has_the_same_key_in_whatever_order_it_is_written(
    body: dict[str, Any], caller: str | None, data: st.DataObject
) -> None:
    assert key(body, caller) == key(shuffled(body, data), caller)


@given(BODIES)
def test_defaults_that_are_spelt_out_change_nothing(body: dict[str, Any]) -> None:
    options = {"width": 1280, "height": 720, "format": "png", "waitFor": 0}
    assert key(body) == key(body | {"options": options | body.get("options", {})})


@given(BODIES, BODIES)
def test_any_field_that_differs_makes_another_key(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assume(parse(one).identity() != parse(other).identity())
    assert key(one) != key(other)


@given(BODIES, CALLERS, CALLERS)
def test_callers_have_keys_of_their_own(
    body: dict[str, Any], one: str | None, other: str | None
) -> None:
    assert (key(body, one) == key(body, other)) is (one == other)


@given(BODIES, CALLERS, CALLERS)
def test_shared_keys_are_everybodys(
    body: dict[str, Any], one: str | None, other: str | None
) -> None:
    assert key(body, one, cache_shared="on") == key(body, other, cache_shared="on")


@given(BODIES, st.integers(0, 604_800))
def test_for_how_long_it_is_kept_is_not_part_of_it(body: dict[str, Any], ttl: int) -> None:
    assert key(body) == key(body | {"cache": {"ttl": ttl}})


def test_versions_are_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    body = {"html": "x"}
    before = key(body)
    assert key(body, version="2") != before
    monkeypatch.setattr(farm, "__version__", "another")
    assert key(body) != before


@pytest.mark.parametrize(
    "changed", [{"egress": "none"}, {"egress_allow": ("10.0.0.0/8",)}, {"webgl": "off"}]
)
def test_what_pages_may_do_is_part_of_it(changed: dict[str, Any]) -> None:
    assert key({"html": "x"}, **changed) != key({"html": "x"})


def test_there_is_none_before_the_browser_is_known() -> None:
    assert Keys(Settings(), lambda: None).of(parse({"html": "x"}), None) is None
