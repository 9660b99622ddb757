"""Pages and frames that go elsewhere, or to themselves, for ever."""

from tests.field.case import both, by_url, doc, done, done_with, frame
from tests.field.outcome import Fails, either, shows

_LIME = shows("lime")
#: The error must say that there is no end, so it is not a timeout.
_A_PAGE_OF_IT = either(_LIME, Fails("navigation_failed"))
_META = "<meta http-equiv=refresh content={}>"


def _frame(html: str, origin: str = "$site") -> str:
    """A green page with a frame, which may have any colour at any time."""
    return done(frame(doc(html, origin)))


PAGES = [
    by_url("loop-reload", done_with("setTimeout(() => location.reload(), 30)"), _A_PAGE_OF_IT),
    by_url("loop-reload-soon", done_with("setTimeout(() => location.reload(), 1)"), _A_PAGE_OF_IT),
    by_url("loop-reload-on-load", done_with("onload = () => location.reload()"), _A_PAGE_OF_IT),
    by_url(
        "loop-reload-while-parsing",
        done_with("location.reload()"),
        either(_A_PAGE_OF_IT, Fails("render_timeout")),
        note="`load` never fires",
    ),
    by_url("loop-location", done_with("setTimeout(() => location.href += '', 200)"), _A_PAGE_OF_IT),
    by_url(
        "loop-slow",
        done_with("onload = () => location = '$site/page/loop-slow?s=0.3'"),
        _A_PAGE_OF_IT,
    ),
    by_url(
        "loop-sites",
        done_with(
            "const next = location.origin === '$site' ? '$other' : '$site';"
            "onload = () => location = next + '/page/loop-sites'"
        ),
        _A_PAGE_OF_IT,
    ),
    by_url("loop-meta", done(_META.format(0)), _A_PAGE_OF_IT),
    by_url("loop-meta-1", done(_META.format(1)), _LIME),
]

FRAMES = [
    *both("loop-frame", _frame("<script>setTimeout(() => location.reload(), 50)</script>")),
    *both(
        "loop-frame-of-other-site",
        _frame("<script>setTimeout(() => location.reload(), 50)</script>", "$other"),
    ),
    *both("loop-frame-at-once", _frame("<script>location.reload()</script>")),
    *both("loop-frame-by-meta", _frame(_META.format(0))),
]

#: Filled in by `replace`: JavaScript has braces of its own.
_EVERY_50_MS = "let n = 0; setInterval(() => CODE, 50)"

ADDRESSES = [
    *both("loop-hash", done_with(_EVERY_50_MS.replace("CODE", "location.hash = n++"))),
    by_url(
        "loop-push-state",
        done_with(_EVERY_50_MS.replace("CODE", "history.pushState(n, '', '?' + n++)")),
    ),
    by_url(
        "loop-replace-state",
        done_with(_EVERY_50_MS.replace("CODE", "history.replaceState(n, '', '?' + n++)")),
    ),
]

CASES = [*PAGES, *FRAMES, *ADDRESSES]
