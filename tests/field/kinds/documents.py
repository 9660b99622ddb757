"""Main documents that are odd, cut short, written over by themselves, or none."""

import gzip

from tests.field.case import (
    Case,
    as_html,
    at,
    both,
    by_url,
    done,
    image,
    printed,
    raw,
    waiting,
    waiting_for,
)
from tests.field.outcome import Fails, Shows, either, shows

_LIME = shows("lime")
_FAILS = Fails("navigation_failed")
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
_BODY = b"<!doctype html><body style='margin:0;background:lime'>"
_ZIPPED = gzip.compress(_BODY + b"x" * 20 + bytes(range(256)) * 100)


def _empty(status: str, *headers: str) -> Case:
    name = f"empty-{status[:3]}" + ("-with-challenge" if headers else "")
    return by_url(name, "", _FAILS, *headers, status=status)


_MODE = (
    "<body style='margin:0;background:red'><script>if (document.compatMode === '{}')"
    "document.body.style.background = 'lime'</script>"
)
_CSS1 = "<!doctype html>" + _MODE.format("CSS1Compat")

OPENED = [
    *both(
        "document-open-at-300-ms",
        waiting(
            f"<img src='{image(delay_s=1)}'><script>setTimeout(() => {{ document.open();"
            "document.write(\"<body style='background:lime'>\"); document.close() }, 300)</script>"
        ),
        note="`load` has not fired yet",
    ),
    *both(
        "document-open-and-no-close-at-300-ms",
        waiting(
            f"<img src='{image(delay_s=1)}'><script>setTimeout(() => {{ document.open();"
            "document.write(\"<body style='background:lime'>\") }, 300)</script>"
        ),
    ),
    *both(
        "document-open-after-load",
        done(
            "<script>onload = () => setTimeout(() => { document.open();"
            "document.write(\"<body style='background:gold'>\"); document.close() }, 20)</script>"
        ),
        either(_LIME, shows("gold")),
    ),
    *both(
        "document-write-on-load",
        waiting(
            "<script>onload = () => document.write(\"<body style='background:lime'>x\")</script>"
        ),
        note="is never closed",
    ),
    *both(
        "document-write-after-fetch",
        waiting(
            "<script>fetch('$site/json?s=0.3').then(() => { document.write(\"<body style='background:lime'>\");"
            "document.close() })</script>"
        ),
    ),
    *both(
        "document-write-that-fetches",
        waiting(
            "<script>onload = () => { document.open(); document.write(`<body><script>fetch('$site/json?s=0.3')"
            ".then(() => document.body.style.background = 'lime')<\\/script>`); document.close() }</script>"
        ),
    ),
    *both(
        "document-replaced",
        waiting(
            "<script>onload = () => document.documentElement.innerHTML = \"<body style='background:lime'>\"</script>"
        ),
    ),
    *both(
        "document-without-root",
        waiting("<script>onload = () => document.documentElement.remove()</script>"),
        either(shows("white"), shows("red")),
    ),
    *both("stop-while-parsing", done("<p>text</p><script>window.stop()</script>"), _LIME),
    *both(
        "stop-while-loading",
        waiting_for("setTimeout(() => { stop(); green() }, 200)") + "<img src=$site/hold>",
    ),
    *both("stop-on-load", waiting_for("onload = () => { fetch('$site/hold'); stop(); green() }")),
    *both(
        "document-closed",
        done("<script>document.close(); onload = () => document.close()</script>"),
    ),
]

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
    raw("cut-short-in-head", b"HTTP/1.1 200 OK\r\nContent-Type: text/h", _FAILS),
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

_SANDBOXED = by_url(
    "sandboxed",
    "<!doctype html><body bgcolor=lime><h1>text</h1>",
    _LIME,
    "Content-Security-Policy: default-src 'none'; sandbox",
)

KINDS = [
    as_html("byte-order-mark", "\ufeff" + _CSS1, note="standards mode"),
    by_url("byte-order-mark", "\ufeff" + _CSS1),
    *both("no-byte-order-mark", _CSS1),
    *both("no-doctype", _MODE.format("BackCompat")),
    by_url(
        "xhtml",
        '<html xmlns="http://www.w3.org/1999/xhtml"><body style="background:lime"></body></html>',
        _LIME,
        "Content-Type: application/xhtml+xml",
    ),
    by_url(
        "broken-xhtml",
        '<html xmlns="http://www.w3.org/1999/xhtml"><body style="background:lime">',
        either(_LIME, shows("white")),
        "Content-Type: application/xhtml+xml",
    ),
    by_url(
        "svg",
        '<svg xmlns="http://www.w3.org/2000/svg"><rect width="9999" height="9999" fill="lime"/></svg>',
        _LIME,
        "Content-Type: image/svg+xml",
    ),
    by_url("json", '{"v": 42}', shows("white"), "Content-Type: application/json"),
    by_url("text", "text", shows("white"), "Content-Type: text/plain"),
    at("image", image("lime", 0), Shows({(640, 360): "lime"})),
    _SANDBOXED,
    by_url(
        "sandboxed-with-image",
        f"<!doctype html><body bgcolor=lime><img src='{image()}' width=100 height=100 hspace=0 style='position:absolute;left:0;top:0'>",
        shows("lime", "gold"),
        "Content-Security-Policy: sandbox",
    ),
    by_url(
        "sandboxed-with-scripts",
        waiting_for("fetch('$site/json?s=0.3').then(green)"),
        _LIME,
        "Content-Security-Policy: sandbox allow-scripts",
    ),
    by_url(
        "no-scripts-by-policy",
        "<!doctype html><body bgcolor=lime><script>document.bgColor = 'red'</script>",
        _LIME,
        "Content-Security-Policy: script-src 'none'",
    ),
    by_url("url with a space", done("text")),
    by_url("url with spaces around", done("text"), url="  $site/page/url with spaces around \n"),
    by_url(
        "url with a space in its query",
        done("text"),
        url="$site/page/url%20with%20a%20space%20in%20its%20query?a b",
    ),
    by_url(
        "url-with-a-fragment",
        waiting(
            "<div style='height:3000px'></div><div id=a style='height:3000px;background:lime'></div>"
        ),
        url="$site/page/url-with-a-fragment#a",
        note="it is scrolled to",
    ),
    printed(_SANDBOXED),
]

CASES = [
    *OPENED,
    *CUT,
    *NO_PAGE,
    *KINDS,
]
