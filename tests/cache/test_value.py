"""Kept files as Redis has them: what was written is read, and nothing else is."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.cache.value import decode, encode, tag_of
from farm.egress.proxy import TOO_MUCH
from farm.formats import FORMATS
from farm.policy import DENIED, Refusal
from farm.request import CacheUse, RenderResult, Timings

KEY = "a" * 64
RESULT = RenderResult(
    b"\x89PNG\n\0file", FORMATS["png"], 40, 30, Timings(1, 2, 3, 4), (Refusal("a.example", DENIED),)
)
TAG = tag_of(RESULT.data)
VALUE = encode(KEY, RESULT, TAG, 60_000)


@given(st.binary(), st.sampled_from(sorted(FORMATS)), st.integers(0, 60_000))
def test_what_was_written_is_read(content: bytes, format_: str, left_ms: int) -> None:
    result = RenderResult(content, FORMATS[format_], 1, 16_384, Timings())
    stored = decode(KEY, encode(KEY, result, TAG, 60_000), left_ms, FORMATS)
    assert stored is not None
    assert (stored.content, stored.format, stored.width, stored.height, stored.tag) == (
        *(content, FORMATS[format_], 1, 16_384, TAG),
    )
    assert (stored.age_ms, stored.left_ms) == (60_000 - left_ms, left_ms)


def test_refusals_are_told_of_a_kept_file_too() -> None:
    stored = decode(KEY, VALUE, 1, FORMATS)
    assert stored is not None
    assert stored.refusals == RESULT.refusals


def test_facts_are_told_of_a_kept_file_too() -> None:
    facts = {
        "status": 200,
        "title": "\ud83d\n",
        "report": {"console": [{"text": "\u00e9" * 9_000}]},
    }
    stored = decode(KEY, encode(KEY, replace(RESULT, facts=facts), TAG, 60_000), 1, FORMATS)
    assert stored is not None
    assert stored.result(CacheUse("hit", TAG)).facts == facts


@given(st.integers(0, len(VALUE) - 1))
def test_a_value_that_was_cut_is_not_believed(length: int) -> None:
    assert decode(KEY, VALUE[:length], 1, FORMATS) is None


@given(st.integers(0, len(VALUE) - 1), st.integers(1, 255))
def test_a_value_of_which_a_byte_has_changed_never_has_another_file(place: int, by: int) -> None:
    changed = bytearray(VALUE)
    changed[place] ^= by
    stored = decode(KEY, bytes(changed), 1, FORMATS)
    assert stored is None or stored.content == RESULT.data


@given(st.binary(max_size=200))
def test_other_programs_values_are_not_believed(value: bytes) -> None:
    assert decode(KEY, value, 1, FORMATS) is None
    assert decode(KEY, VALUE[:13] + value, 1, FORMATS) is None


def test_a_value_under_another_key_is_not_believed() -> None:
    assert decode("b" * 64, VALUE, 1, FORMATS) is None


def test_a_value_without_an_expiry_is_not_believed() -> None:
    assert decode(KEY, VALUE, -1, FORMATS) is None


def test_a_format_that_this_version_does_not_know_is_a_miss() -> None:
    assert decode(KEY, VALUE, 1, {"pdf": FORMATS["pdf"]}) is None


#: By the names of a head's fields.
WRONG: dict[str, tuple[object, ...]] = {
    "tag": ("x", "a" * 31, "a" * 32 + "\r\nSet-Cookie: a=b", 1, None),
    "ttlMs": (float("inf"), -1, "1", None, 10**30, True),
    "width": (0, -1, 1.5, "1", []),
    "refusals": (1, [1], [{}], None),
    "format": (1, [], "gif"),
    "size": (1, "x"),
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WRONG.items() for value in values]
)
def test_a_head_with_a_wrong_value_is_not_believed(name: str, value: object) -> None:
    head, _, content = VALUE.partition(b"\n")
    fields = json.loads(head[13:]) | {name: value}
    changed = head[:13] + json.dumps(fields).encode() + b"\n" + content
    assert decode(KEY, VALUE, 1, FORMATS) is not None
    assert decode(KEY, changed, 1, FORMATS) is None


def test_of_very_many_refusals_as_many_are_kept_as_answers_tell() -> None:
    many = tuple(Refusal(f"{number}.example", DENIED) for number in range(10_000))
    result = replace(RESULT, refusals=many)
    stored = decode(KEY, encode(KEY, result, TAG, 60_000), 1, FORMATS)
    assert stored is not None
    assert stored.result(CacheUse("hit", TAG)).blocked == result.blocked


@pytest.mark.parametrize(
    ("changed", "right"),
    [
        ({}, True),
        ({"refusals": ()}, True),
        ({"refusals": (Refusal("a.example", TOO_MUCH),)}, False),
        ({"unfinished": ("http://a.example/slow.png",)}, False),
        ({"facts": {"timedOut": "waitForSelector"}}, False),
        ({"status": 304}, True),
        ({"status": 404}, False),
        ({"status": 503}, False),
    ],
)
def test_what_the_next_render_may_lack_or_have_is_not_right(
    changed: dict[str, Any], right: bool
) -> None:
    assert replace(RESULT, **changed).is_reproducible is right
