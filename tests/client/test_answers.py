"""Answers are the same in whatever pieces they arrive."""

import itertools
import json
from base64 import b64encode
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.client.answers import read_json
from farm.client.errors import NotAFarm

JSON = {"Content-Type": "application/json"}
#: What would end a file, or begin one, if it were not in a text.
TEXTS = st.one_of(st.text(max_size=9), st.just('"imageBase64": "AAAA"'), st.just('\\"imageBase64'))


def pieces(body: bytes, cuts: list[int]) -> Iterator[bytes]:
    places = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    for begin, end in itertools.pairwise(places):
        yield body[begin:end]


@settings(max_examples=60)
@given(
    st.lists(st.tuples(TEXTS, st.binary(max_size=20), TEXTS), max_size=3),
    st.lists(st.integers(0, 10_000), max_size=9),
    st.booleans(),
)
def test_files_are_taken_out(
    files: list[tuple[str, bytes, str]], cuts: list[int], is_ascii: bool
) -> None:
    told = [
        {"title": before, "imageBase64": b64encode(file).decode(), "reason": after}
        for before, file, after in files
    ]
    body = json.dumps({"data": {"outputs": told}}, ensure_ascii=is_ascii)
    answer = read_json(JSON, pieces(body.encode(errors="surrogatepass"), cuts))
    assert answer.files == [file for _, file, _ in files]
    for each in told:
        each["imageBase64"] = ""
    assert answer.data == {"data": {"outputs": told}}


@pytest.mark.parametrize(
    "body",
    [
        b"<html>It works!</html>",
        b'"text"',
        b"",
        b'{"imageBase64": "AAA',
        b'{"imageBase64": "AAA"}',
        b'{"imageBase64": "A*AA"}',
        b'{"a": "\xff"}',
        b"[" * 200_000,
    ],
)
def test_what_is_no_answer_of_a_farms_is_told(body: bytes) -> None:
    with pytest.raises(NotAFarm, match="not a farm's JSON"):
        read_json(JSON, [body])


def test_a_file_is_found_whatever_spaces_a_proxy_has_put_around_it() -> None:
    assert read_json(JSON, [b'{"imageBase64" :  "QUJD"}']).files == [b"ABC"]
