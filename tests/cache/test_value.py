"""Kept files as Redis has them: what was written is read, and nothing else is."""

from hypothesis import given
from hypothesis import strategies as st

from farm.cache.value import decode, encode, tag_of
from farm.egress.policy import DENIED, Refusal
from farm.render.page.outputs import OUTPUTS
from farm.request import RenderResult, Timings

KEY = "a" * 64
RESULT = RenderResult(
    b"\x89PNG\n\0file", OUTPUTS["png"], 40, 30, Timings(1, 2, 3, 4), (Refusal("a.example", DENIED),)
)
VALUE = encode(KEY, RESULT, tag_of(RESULT.data), 60_000)


@given(st.binary(), st.sampled_from(sorted(OUTPUTS)), st.integers(0, 60_000))
def test_what_was_written_is_read(content: bytes, format_: str, left_ms: int) -> None:
    result = RenderResult(content, OUTPUTS[format_], 1, 16_384, Timings())
    stored = decode(KEY, encode(KEY, result, "tag", 60_000), left_ms, OUTPUTS)
    assert stored is not None
    assert (stored.content, stored.format, stored.width, stored.height, stored.tag) == (
        *(content, OUTPUTS[format_], 1, 16_384, "tag"),
    )
    assert (stored.age_ms, stored.left_ms) == (60_000 - left_ms, left_ms)


def test_refusals_are_told_of_a_kept_file_too() -> None:
    stored = decode(KEY, VALUE, 1, OUTPUTS)
    assert stored is not None
    assert stored.refusals == RESULT.refusals


@given(st.integers(0, len(VALUE) - 1))
def test_a_value_that_was_cut_is_not_believed(length: int) -> None:
    assert decode(KEY, VALUE[:length], 1, OUTPUTS) is None


@given(st.integers(0, len(VALUE) - 1), st.integers(1, 255))
def test_a_value_of_which_a_byte_has_changed_never_has_another_file(place: int, by: int) -> None:
    changed = bytearray(VALUE)
    changed[place] ^= by
    stored = decode(KEY, bytes(changed), 1, OUTPUTS)
    assert stored is None or stored.content == RESULT.data


@given(st.binary(max_size=200))
def test_other_programs_values_are_not_believed(value: bytes) -> None:
    assert decode(KEY, value, 1, OUTPUTS) is None
    assert decode(KEY, VALUE[:13] + value, 1, OUTPUTS) is None


def test_a_value_under_another_key_is_not_believed() -> None:
    assert decode("b" * 64, VALUE, 1, OUTPUTS) is None


def test_a_value_without_an_expiry_is_not_believed() -> None:
    assert decode(KEY, VALUE, -1, OUTPUTS) is None


def test_a_format_that_this_version_does_not_know_is_a_miss() -> None:
    assert decode(KEY, VALUE, 1, {"pdf": OUTPUTS["pdf"]}) is None
