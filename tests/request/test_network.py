"""Headers, cookies, a password and what is blocked, from a body to their values."""

import json
from typing import Any

import pytest

from farm.errors import InvalidRequest
from farm.request import Limits, RenderRequest
from farm.request.blocking import MAX_PATTERNS
from farm.request.network import MAX_COOKIES, MAX_HEADERS

LIMITS = Limits(deadline_ms=30_000, max_pixels=67_108_864)
URL = {"url": "https://example.com/"}


def parse(source: dict[str, str] = URL, **options: object) -> RenderRequest:
    body = json.dumps({**source, "options": options}).encode()
    return RenderRequest.parse(body, ("html", "url"), LIMITS)


def refusal(source: dict[str, str] = URL, **options: object) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        parse(source, **options)
    return caught.value


def problems(source: dict[str, str] = URL, **options: object) -> dict[str, str]:
    return {each.field: each.problem for each in refusal(source, **options).problems}


def cookie(**fields: object) -> dict[str, Any]:
    return {"name": "a", "value": "1", **fields}


EVERYTHING: dict[str, Any] = {
    "headers": {"X-Token": "s3cret", "Accept-Language": "de"},
    "cookies": [
        cookie(value="s3cret"),
        cookie(
            domain=".Example.org",
            path="/a",
            expires=2_000_000_000,
            httpOnly=True,
            secure=True,
            sameSite="None",
        ),
        cookie(url="https://example.net/"),
    ],
    "auth": {"username": "u", "password": "s3cret"},
    "block": {
        "resources": ["image", "websocket"],
        "urls": ["*://ads.example/*"],
        "ads": True,
        "cookieBanners": True,
    },
}


def test_all_of_it_survives_storage_and_shows_no_secret() -> None:
    request = parse(**EVERYTHING)
    assert RenderRequest.from_json(request.to_json(), LIMITS) == request
    assert request.options.cookies[1].domain == ".example.org"
    assert request.options.auth is not None
    assert "s3cret" not in repr(request)
    assert "s3cret" not in str(request.options.cookies) + str(request.options.auth)


def test_what_is_empty_is_not_asked_for() -> None:
    nothing = parse(headers={}, cookies=[], block={"resources": [], "urls": []})
    assert nothing.to_json() == parse().to_json()


@pytest.mark.parametrize(
    "name",
    [
        *("Host", "content-length", "Connection", "TE", "Transfer-Encoding", "Upgrade", "Trailer"),
        *("Keep-Alive", "Cookie", "Proxy-Authorization", "Proxy-Connection", "Sec-Fetch-Site"),
    ],
)
def test_headers_that_the_browser_sets_are_refused_by_name(name: str) -> None:
    assert name in problems(headers={name: "x"})["options.headers"]


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\n", "\0", " a", "a ", "ä", "a" * 8_193])
def test_header_values_are_printable_ascii(value: str) -> None:
    error = refusal(headers={"X-Token": value})
    assert "X-Token" in error.problems[0].problem
    assert len(value) < 3 or value not in str(error)


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\r\nb", "ä", "a" * 257])
def test_header_names_are_tokens(name: str) -> None:
    assert "token" in problems(headers={name: "x"})["options.headers"]


def test_headers_have_bounds() -> None:
    parse(headers={f"X-{number}": "x" for number in range(MAX_HEADERS)})
    assert "50" in problems(headers={f"X-{number}": "" for number in range(51)})["options.headers"]
    large = {f"X-{number}": "x" * 8_000 for number in range(5)}
    assert "32,768" in problems(headers=large)["options.headers"]
    assert "twice" in problems(headers={"X-A": "1", "x-a": "2"})["options.headers"]


@pytest.mark.parametrize(
    ("fields", "where", "says"),
    [
        ({"name": ""}, ".name", "of 1 to 256"),
        ({"name": "a=b"}, ".name", "="),
        ({"name": "a\r\nb"}, ".name", "control"),
        ({"value": "a;b"}, ".value", "semicolon"),
        ({"value": "a\r\nSet-Cookie: b=c"}, ".value", "control"),
        ({"value": "\ud800"}, ".value", "Unicode"),
        ({"value": "x" * 4_096}, "", "4,096"),
        ({"domain": "a b"}, ".domain", "host name"),
        ({"domain": "http://a"}, ".domain", "host name"),
        ({"path": "a"}, ".path", "begin with /"),
        ({"path": "/;"}, ".path", "semicolon"),
        ({"url": "ftp://a/"}, ".url", "http or https"),
        ({"url": "https://a/", "domain": "b"}, "", "one of them"),
        ({"expires": -1}, ".expires", "from 0"),
        ({"expires": "soon"}, ".expires", "number"),
        ({"sameSite": "Loose"}, ".sameSite", "Strict, Lax, None"),
        ({"sameSite": "None"}, "", "secure"),
        ({"name": "__Secure-a"}, "", "secure"),
        ({"name": "__Host-a", "secure": True, "domain": "example.com"}, "", "domain"),
        ({"url": "http://a/", "secure": True}, "", "http URL"),
        ({"size": 1}, ".size", "unknown"),
    ],
)
def test_a_cookie_that_cannot_be_is_named(fields: dict[str, Any], where: str, says: str) -> None:
    found = problems(cookies=[cookie(), cookie(**fields)])
    assert says in found[f"options.cookies.1{where}"]


def test_cookies_have_a_bound() -> None:
    parse(cookies=[cookie()] * MAX_COOKIES)
    assert "100" in problems(cookies=[cookie()] * 101)["options.cookies"]


@pytest.mark.parametrize(
    "options",
    [
        {"headers": {"X-A": "1"}},
        {"auth": {"username": "u", "password": "p"}},
        {"cookies": [cookie()]},
    ],
)
def test_what_is_for_the_pages_own_origin_needs_one(options: dict[str, Any]) -> None:
    assert next(iter(options)).rstrip("s") in problems({"html": "x"}, **options)["options"]
    parse(**options)


def test_html_may_have_cookies_of_other_sites() -> None:
    parse({"html": "x"}, cookies=[cookie(domain="example.com"), cookie(url="https://a/")])


@pytest.mark.parametrize("field", ["username", "password"])
def test_credentials_are_text_of_one_line(field: str) -> None:
    auth = {"username": "u", "password": "p"}
    for wrong in ("a\r\nb", "\ud800", "a" * 257):
        error = refusal(auth={**auth, field: wrong})
        assert [each.field for each in error.problems] == [f"options.auth.{field}"]
    assert problems(auth={"username": "u"}) == {"options.auth.password": "missing"}


def test_what_is_blocked_is_kinds_and_patterns() -> None:
    found = problems(block={"resources": ["image", "images"], "urls": ["", "a"]})
    assert "one of image, media" in found["options.block.resources.1"]
    assert "printable" in found["options.block.urls"]
    assert "printable" in problems(block={"urls": ["a" * 1_025]})["options.block.urls"]
    many = ["*"] * (MAX_PATTERNS + 1)
    assert "100" in problems(block={"urls": many})["options.block.urls"]


@pytest.mark.parametrize(
    ("name", "value"), [("Set-Cookie", "a=b"), ("X-HTTP-Method-Override", "GET, trace")]
)
def test_headers_that_chromium_would_not_send_are_refused(name: str, value: str) -> None:
    assert list(problems(headers={name: value})) == ["options.headers"]
