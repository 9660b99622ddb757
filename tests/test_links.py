"""Signed links: what is made is read, and nothing else is."""

import base64
import json
import re
import shutil
import string
import subprocess
import sys
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from farm.links import (
    MAX_PAYLOAD,
    MAX_REQUEST_BYTES,
    ROUTE,
    VERSION,
    LinkError,
    LinkKeys,
    make_link,
    pack,
    sign,
    unpack,
    without_payload,
)

KEY = "0123456789abcdef" * 2
OTHER = "0f1e2d3c4b5a6978" * 2
THIRD = "!#$%&()*+-./;<=>" * 2
KEYS = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters=",:"),
    min_size=32,
    max_size=80,
)
ALPHABET = string.ascii_letters + string.digits + "-_"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=10,
)
REQUESTS = st.dictionaries(st.text(max_size=10), VALUES, max_size=5)


def parts(link: str) -> tuple[str, str]:
    """Signature and payload."""
    _, signature, payload = link.rsplit("/", 2)
    return signature, payload


def packed(data: bytes, version: str = VERSION) -> str:
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    text = deflate.compress(data) + deflate.flush()
    return version + base64.urlsafe_b64encode(text).rstrip(b"=").decode()


@given(fields=REQUESTS, key=KEYS, expires_at=st.none() | st.integers(1, 1 << 40))
def test_what_is_made_is_read(fields: dict[str, Any], key: str, expires_at: int | None) -> None:
    link = make_link(fields, key, base="https://img.example.com/", expires_at=expires_at)
    assert link.startswith("https://img.example.com/r/")
    signature, payload = parts(link)
    assert not set(signature + payload) - set(ALPHABET)
    assert LinkKeys.parse(key).name_of(signature, payload) == "default"
    expiry = {} if expires_at is None else {"exp": expires_at}
    assert json.loads(unpack(payload)) == fields | expiry


@given(fields=REQUESTS, data=st.data())
def test_any_changed_character_is_refused(fields: dict[str, Any], data: st.DataObject) -> None:
    signature, payload = parts(make_link(fields, KEY))
    text = f"{signature}/{payload}"
    at = data.draw(st.integers(0, len(text) - 1).filter(lambda at: text[at] != "/"))
    character = data.draw(st.sampled_from(ALPHABET + "=%é ") | st.characters())
    assume(character not in (text[at], "/"))
    changed = text[:at] + character + text[at + 1 :]
    assert LinkKeys.parse(KEY).name_of(*changed.split("/")) is None


@given(signature=st.text(max_size=50), payload=st.text(max_size=50))
def test_nobody_has_signed_any_other_text(signature: str, payload: str) -> None:
    assert LinkKeys.parse(KEY).name_of(signature, payload) is None


def test_no_shorter_or_longer_signature_will_do() -> None:
    keys, (signature, payload) = LinkKeys.parse(KEY), parts(make_link({"html": "x"}, KEY))
    for sent in ("", signature[:-1], signature + "=", signature + "A", signature[:10]):
        assert keys.name_of(sent, payload) is None
    for sent in ("", payload[:-1], payload + "=", payload + "A"):
        assert keys.name_of(signature, sent) is None


def test_the_signature_is_the_hmac_of_the_path() -> None:
    # As `printf /1abc | openssl dgst -sha256 -hmac KEY -binary` has it.
    assert sign("1abc", KEY) == "ZCLsgARzKyGR0sKPp_FATTLBaFIw5nIvC3mHfv5bERg"


def test_the_same_request_is_the_same_link() -> None:
    one, other = {"html": "x", "options": {"width": 1}}, {"options": {"width": 1}, "html": "x"}
    assert make_link(one, KEY) == make_link(other, KEY)


def test_a_page_becomes_a_short_link() -> None:
    page = "".join(f"<tr><td>{number}<td>a cell</tr>" for number in range(200))
    assert len(make_link({"html": page}, KEY)) < len(page) / 5


# Payloads.


def test_what_is_too_long_for_an_address_is_told() -> None:
    noise = "".join(f"{hash((1, number)):x}" for number in range(2_000))
    with pytest.raises(LinkError, match=r"too long for a link: .* 8,000 are allowed"):
        pack({"html": noise})
    with pytest.raises(LinkError, match="too long"):
        pack({"html": "x" * MAX_REQUEST_BYTES})


def test_a_bomb_is_not_inflated() -> None:
    payload = packed(b"0" * 5_000_000)
    assert len(payload) < MAX_PAYLOAD
    with pytest.raises(LinkError, match="more than 1,048,576 bytes"):
        unpack(payload)
    assert len(unpack(packed(b"0" * MAX_REQUEST_BYTES))) == MAX_REQUEST_BYTES


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        ("", "must begin with 1"),
        ("2" + pack({})[1:], "must begin with 1"),
        (pack({}) + "=", "not base64url"),
        ("1+/", "not base64url"),
        ("1é", "not base64url"),
        ("1A", "not a deflated text"),
        ("1____", "not a deflated text"),
        ("1", "ends too early"),
        (pack({"html": "x"})[:-4], "ends too early"),
        ("1" + "A" * MAX_PAYLOAD, "longer than 8,000"),
        (
            "1" + base64.urlsafe_b64encode(zlib.compress(b"{}")).rstrip(b"=").decode(),
            "not a deflated text",
        ),
    ],
)
def test_what_is_wrong_with_a_payload_is_told(payload: str, says: str) -> None:
    with pytest.raises(LinkError, match=says):
        unpack(payload)


def test_nothing_may_follow_the_deflated_text() -> None:
    data = base64.urlsafe_b64decode(pack({})[1:] + "==") + b"more"
    payload = "1" + base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    with pytest.raises(LinkError, match="has more than"):
        unpack(payload)


@given(text=st.text(ALPHABET, max_size=60) | st.text(max_size=60))
def test_any_text_is_read_or_a_link_error(text: str) -> None:
    with suppress(LinkError):
        unpack(VERSION + text)


# Keys.


@given(keys=st.lists(KEYS, min_size=1, max_size=4, unique=True), between=st.sampled_from(", \n\t"))
def test_every_key_is_good_for_reading_and_the_first_for_making(
    keys: list[str], between: str
) -> None:
    parsed = LinkKeys.parse(between.join(keys) + "\n")
    assert parsed.newest == keys[0]
    for key in keys:
        assert parsed.name_of(*parts(make_link({"url": "https://a.example"}, key))) == "default"


def test_a_key_may_have_a_name_and_a_rotation_keeps_it() -> None:
    keys = LinkKeys.parse(f"site:{KEY}, site:{OTHER} {THIRD}")
    made = [parts(make_link({}, key)) for key in (KEY, OTHER, THIRD, OTHER[:-1] + "x")]
    assert [keys.name_of(*each) for each in made] == ["site", "site", "default", None]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "there is no key in it"),
        (" , ,", "there is no key in it"),
        (KEY[1:], "key 1 must be 32 or more"),
        (f"{KEY} {KEY}", "key 2 was there before"),
        (f"a:{KEY},b:{KEY}", "key 2 was there before"),
        (f"two:words:{KEY}", "key 1 must be 32"),
        (f":{KEY}", "key 1 must be 32"),
        (f"{KEY}ü", "key 1 must be 32"),
        (f"name:{KEY[:10]}", "key 1 must be 32"),
    ],
)
def test_what_is_wrong_with_keys_is_told_without_them(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        LinkKeys.parse(text)
    assert KEY[:10] not in str(caught.value)
    assert KEY not in repr(LinkKeys.parse(KEY))


# Logs and clients.


@pytest.mark.parametrize(
    "path", ["/r/a/b", "//r/a/b", "/r/a", "/r/", "/r/a/b/c", "/r//", "///r/a/b/"]
)
def test_logs_have_the_route_of_a_link(path: str) -> None:
    assert without_payload(path) == ROUTE


@pytest.mark.parametrize("path", ["/render", "/r", "/", "", "/x/r/a/b", "/download/r/a"])
def test_logs_have_other_paths_as_they_are(path: str) -> None:
    assert without_payload(path) == path


def test_it_needs_nothing_but_python() -> None:
    code = (
        "import sys, runpy; runpy.run_path(sys.argv[1]);"
        "sys.exit(any(name in sys.modules for name in ('farm', 'pydantic', 'falcon')))"
    )
    path = sys.modules["farm.links"].__file__
    finished = subprocess.run(
        [sys.executable, "-I", "-c", code, str(path)], capture_output=True, text=True
    )
    assert (finished.returncode, finished.stderr) == (0, "")


# docs/links.md.

DOCS = (Path(__file__).parents[1] / "docs" / "links.md").read_text()
REQUEST = {"html": "<h1>Grüße, 'you' & \"me\" 🎉", "options": {"width": 300}, "exp": 1_900_000_000}


def recipe(language: str) -> str:
    match = re.search(rf"<!-- tried by \S+ -->\n```{language}\n(.*?)```", DOCS, re.DOTALL)
    assert match
    return match[1]


@pytest.mark.parametrize(
    ("command", "language", "call"),
    [
        ("node", "js", "console.log(makeLink(JSON.parse(process.argv[1]), process.argv[2]))"),
        ("sh", "sh", 'make_link "$1" "$2"'),
    ],
)
def test_the_recipes_of_the_docs_make_links(command: str, language: str, call: str) -> None:
    if shutil.which(command) is None or shutil.which("openssl") is None:
        pytest.skip(f"{command} is not installed")
    request = json.dumps(REQUEST, ensure_ascii=False)
    script = [command, "-e" if command == "node" else "-c", recipe(language) + call]
    own_name = [] if command == "node" else ["sh"]
    made = subprocess.run(
        [*script, *own_name, request, KEY], capture_output=True, text=True, check=True
    )
    signature, payload = parts(made.stdout.strip())
    assert LinkKeys.parse(KEY).name_of(signature, payload) == "default"
    assert json.loads(unpack(payload)) == REQUEST
