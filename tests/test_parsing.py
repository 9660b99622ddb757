"""URLs: one strict parse, and what is checked is what is loaded."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from farm.parsing import MAX_URL_LENGTH, parse_url, without_login, without_secrets

ANY_TEXT = st.text(max_size=60)
NOTATIONS = ["2130706433", "017700000001", "0x7f000001", "0X7F.0.0.1", "0x7f.1", "127.1", "127.0.1"]
NOTATIONS += ["127.0.0.1.", "%31%32%37.0.0.1", "①②⑦.⓪.⓪.①", "127。0。0。1"]
NO_URLS = ["http://[fe80::1%25lo]/", "http://[fe80::1%lo]/", "http://256.256.256.256/"]
NO_URLS += [
    "http://1.2.3.4.5/",
    "http://exa mple.com/",
    "http://a%00b/",
    "http://a%2fb/",
    "http:///x",
]
NO_URLS += ["http://example.com:65536/", "http://[::1/", "http://", "http:example.com", "//a.com"]
NO_URLS += [
    "file:///etc/passwd",
    "view-source:http://a/",
    "data:text/html,x",
    "javascript:alert(1)",
]
NO_URLS += [
    "chrome://version",
    "about:blank",
    "ftp://a/",
    "http://a\\@b/",
    "http://a/\x00",
    "ht\ttp://a",
]
#: Texts near to URLs, where the mistakes are.
NEARLY_URLS = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(
        ["http://", "https://", "HTTP://", "http:/", "http:", "//", "file://", " http://"]
    ),
    st.sampled_from(["", "user@", "user:pass@", ":@", "a@b@"]),
    st.one_of(
        st.sampled_from(
            ["example.com", "EXAMPLE.com.", "127.1", "0x7f.1", "[::1]", "[::1%25lo]", "%31"]
        ),
        st.text(
            string.ascii_letters + string.digits + ".-_[]:%ä\u3002\uff0e\u00ad\u200d", max_size=20
        ),
    ),
    st.sampled_from(["", ":80", ":0", ":65536", ":x", "\\", "\t", "\n", "\x00", "#", "?"]),
    ANY_TEXT,
)


def parsed(url: str) -> str | None:
    try:
        return parse_url(url)
    except PydanticCustomError:
        return None


@given(st.one_of(ANY_TEXT, NEARLY_URLS))
def test_what_is_accepted_is_plain_http_and_stays_what_it_is(url: str) -> None:
    if (href := parsed(url)) is None:
        return
    assert href.startswith(("http://", "https://"))
    assert href.isascii()
    assert all(character > " " and character != "\x7f" for character in href)
    authority = href.partition("://")[2].partition("/")[0]
    assert authority
    assert "@" not in authority
    assert "\\" not in authority
    assert "%" not in authority
    assert parse_url(href) == href


@pytest.mark.parametrize("host", NOTATIONS)
def test_every_notation_of_an_ipv4_address_is_that_address(host: str) -> None:
    assert parsed(f"http://{host}/") == "http://127.0.0.1/"


@pytest.mark.parametrize("host", ["[::ffff:127.0.0.1]", "[0:0:0:0:0:ffff:7f00:1]"])
def test_a_mapped_address_is_written_as_the_policy_reads_it(host: str) -> None:
    assert parsed(f"http://{host}/") == "http://[::ffff:7f00:1]/"


@pytest.mark.parametrize("url", NO_URLS)
def test_what_is_no_absolute_http_url_is_refused(url: str) -> None:
    assert parsed(url) is None


@pytest.mark.parametrize("url", ["http://user@a/", "http://user:pass@a/", "http://:pass@a/"])
def test_credentials_are_refused_unless_they_are_allowed(url: str) -> None:
    assert parsed(url) is None
    assert parse_url(url, credentials=True) == url


def test_names_of_other_scripts_become_ascii() -> None:
    assert parsed("https://Bücher.example/ä") == "https://xn--bcher-kva.example/%C3%A4"


def test_neither_the_url_nor_what_becomes_of_it_may_be_too_long() -> None:
    fits = "http://a/" + "a" * (MAX_URL_LENGTH - len("http://a/"))
    assert parse_url(fits) == fits
    assert parsed(fits + "a") is None
    assert parsed("http://a/" + "ä" * (MAX_URL_LENGTH // 4)) is None


def test_what_is_secret_in_a_url_can_be_left_out() -> None:
    assert (
        without_secrets("https://me:pass@a.example:81/b/@c?key=1#d") == "https://a.example:81/b/@c"
    )
    assert without_secrets("https://a.example/") == "https://a.example/"


@pytest.mark.parametrize(
    ("url", "loaded"),
    [
        ("  http://example.com/a \n", "http://example.com/a"),
        ("http://example.com/a b?c d#e f", "http://example.com/a%20b?c%20d#e%20f"),
    ],
)
def test_spaces_are_escaped_and_cut_off_as_a_browser_does(url: str, loaded: str) -> None:
    assert parse_url(url) == loaded


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://ada:secret@a.example/b?c=d@e#f@g", "http://a.example/b?c=d@e#f@g"),
        ("https://ada@a.example", "https://a.example"),
        ("http://a:b@c@a.example/", "http://a.example/"),
        ("wss://a:b@a.example/", "wss://a.example/"),
        ("http://a.example/x@y", "http://a.example/x@y"),
        ("http://a.example?x@y", "http://a.example?x@y"),
        ("data:text/html,http://a:b@c/", "data:text/html,http://a:b@c/"),
        ("about:blank", "about:blank"),
    ],
)
def test_the_login_alone_can_be_left_out_of_any_url(url: str, told: str) -> None:
    assert without_login(url) == told
