"""Main documents of several kinds, and how they are named."""

from tests.field.case import (
    BOX,
    as_html,
    at,
    both,
    by_url,
    done,
    image,
    printed,
    waiting,
    waiting_for,
)
from tests.field.outcome import Shows, either, shows

_LIME = shows("lime")
_MODE = (
    "<body style='margin:0;background:red'><script>if (document.compatMode === '{}')"
    "document.body.style.background = 'lime'</script>"
)
_STANDARDS = "<!doctype html>" + _MODE.format("CSS1Compat")
_XHTML = '<html xmlns="http://www.w3.org/1999/xhtml"><body style="background:lime">'
_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg"><rect width="9999" height="9999" fill="lime"/></svg>'
)
#: `bgcolor`, since its policy allows no style.
_SANDBOXED = by_url(
    "sandboxed",
    "<!doctype html><body bgcolor=lime><h1>text</h1>",
    _LIME,
    "Content-Security-Policy: default-src 'none'; sandbox",
)

MODES = [
    as_html("byte-order-mark", "\ufeff" + _STANDARDS),
    by_url("byte-order-mark", "\ufeff" + _STANDARDS),
    *both("no-byte-order-mark", _STANDARDS),
    *both("no-doctype", _MODE.format("BackCompat")),
]

TYPES = [
    by_url("xhtml", f"{_XHTML}</body></html>", _LIME, "Content-Type: application/xhtml+xml"),
    by_url(
        "broken-xhtml",
        _XHTML,
        either(_LIME, shows("white")),
        "Content-Type: application/xhtml+xml",
    ),
    by_url("svg", _SVG, _LIME, "Content-Type: image/svg+xml"),
    by_url("json", '{"v": 42}', shows("white"), "Content-Type: application/json"),
    by_url("text", "text", shows("white"), "Content-Type: text/plain"),
    at("image", image("lime", 0), Shows({(640, 360): "lime"})),
]

POLICIES = [
    _SANDBOXED,
    by_url(
        "sandboxed-with-image",
        f'<!doctype html><body bgcolor=lime><img src="{image()}" style="{BOX}">',
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
]

URLS = [
    by_url("url with a space", done("text")),
    by_url("url with spaces around", done("text"), url="  $site/page/url with spaces around \n"),
    by_url(
        "url with a space in its query",
        done("text"),
        url="$site/page/url%20with%20a%20space%20in%20its%20query?a b",
    ),
    by_url(
        "url-with-a-fragment",
        waiting("<p style='height:3000px'><p id=a style='height:3000px;background:lime'>"),
        url="$site/page/url-with-a-fragment#a",
        note="it is scrolled to",
    ),
]

CASES = [*MODES, *TYPES, *POLICIES, *URLS, printed(_SANDBOXED)]
