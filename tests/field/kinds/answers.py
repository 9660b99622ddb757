"""Answers of a site that are cut short, or no page."""

import gzip

from tests.field.case import Case, at, by_url, done, printed, raw
from tests.field.outcome import Fails, either, shows

_LIME = shows("lime")
_FAILS = Fails("navigation_failed")
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
_BODY = b"<!doctype html><body style='margin:0;background:lime'>"
_ZIPPED = gzip.compress(_BODY + b"x" * 20 + bytes(range(256)) * 100)


def _empty(status: str, *headers: str) -> Case:
    name = f"empty-{status[:3]}" + ("-with-challenge" if headers else "")
    return by_url(name, "", _FAILS, *headers, status=status)


_CUT_SHORT = raw("cut-short", _HEAD + b"Content-Length: 9999\r\n\r\n" + _BODY, note="of its length")

CUT = [
    _CUT_SHORT,
    printed(_CUT_SHORT),
    raw(
        "cut-short-chunk",
        _HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(_BODY), _BODY),
        note="no last chunk",
    ),
    raw(
        "cut-short-in-chunk",
        _HEAD + b"Transfer-Encoding: chunked\r\n\r\n200\r\n" + _BODY,
        note="in a chunk",
    ),
    raw(
        "cut-short-gzip",
        _HEAD + b"Content-Encoding: gzip\r\n\r\n" + _ZIPPED[:-20],
        either(_LIME, _FAILS),
    ),
    raw(
        "cut-short-before-body",
        _HEAD + b"Content-Length: 9999\r\n\r\n",
        either(shows("white"), _FAILS),
    ),
    raw(
        "cut-short-in-head",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/h",
        either(_FAILS, shows("white")),
        note="to Chromium it is an empty page",
    ),
    raw("no-length", _HEAD + b"\r\n" + _BODY, note="ends with the connection"),
    raw("broken-gzip", _HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n<p>x", _FAILS),
    at("hang-up", "$site/hang_up", _FAILS),
]

NO_PAGE = [
    _empty("401 Unauthorized"),
    _empty("401 Unauthorized", 'WWW-Authenticate: Basic realm="x"'),
    _empty("403 Forbidden"),
    _empty("404 Not Found"),
    _empty("500 Internal Server Error"),
    by_url("empty-200", "", shows("white")),
    by_url(
        "page-401",
        done("text"),
        _LIME,
        'WWW-Authenticate: Basic realm="x"',
        status="401 Unauthorized",
    ),
    by_url("page-404", done("text"), _LIME, status="404 Not Found"),
    by_url("page-503", done("text"), _LIME, status="503 Service Unavailable"),
    at("nothing", "$site/nothing", _FAILS, note="a 204"),
    at("download", "$site/download", _FAILS),
    by_url("attachment", done("text"), _FAILS, "Content-Disposition: attachment"),
    at("refused", "$dead/", _FAILS),
    at("redirects-for-ever", "$site/around", _FAILS),
]

CASES = [*CUT, *NO_PAGE]
