"""Frames that come late, of this site and of others, and what is loaded in them."""

from urllib.parse import quote

from tests.field.case import (
    BOX,
    GOLD_DOC,
    Case,
    as_html,
    both,
    by_url,
    doc,
    done,
    done_with,
    frame,
    printed,
)
from tests.field.outcome import shows

_GOLD = shows("lime", "gold")
_FETCH = (
    "<!doctype html><body style='margin:0;background:blue'><script>fetch('$site/json?s=0.4')"
    ".then(() => document.body.style.background = 'gold')</script>"
)
_WRITE = (
    f"const d = add('iframe', {{ style: '{BOX}' }}).contentDocument;"
    "d.open(); d.write('<body bgcolor=gold>');"
)
_INSIDE = "<!doctype html><body style='margin:0'>"


def _added_on_load(url: str) -> str:
    return done_with(f"onload = () => add('iframe', {{ style: '{BOX}', src: '{url}' }})")


def _by_sites(name: str, html: str) -> list[Case]:
    """By its URL and as HTML, and with `$frame` as this site and as another."""
    return [
        *both(name, html.replace("$frame", "$site"), _GOLD),
        *both(f"{name}-of-other-site", html.replace("$frame", "$other"), _GOLD),
    ]


CASES = [
    *_by_sites("frame", done(frame(doc(GOLD_DOC, "$frame", 0.3)))),
    *_by_sites("frame-on-load", _added_on_load(doc(GOLD_DOC, "$frame", 0.4))),
    *_by_sites("frame-fetches", done(frame(doc(_FETCH, "$frame")))),
    *_by_sites("frame-on-load-fetches", _added_on_load(doc(_FETCH, "$frame", 0.2))),
    *_by_sites(
        "frame-in-frame",
        done(
            frame(
                doc(
                    _INSIDE + frame(doc(_INSIDE + frame(doc(_FETCH, "$third")), "$other", 0.2)),
                    "$frame",
                )
            )
        ),
    ),
    *_by_sites(
        "frame-moves",
        done(frame(doc(f"<script>location = '{doc(GOLD_DOC, '$frame', 0.3)}'</script>", "$frame"))),
    ),
    *_by_sites(
        "frame-moves-to-third-site",
        done(frame(doc(f"<script>location = '{doc(GOLD_DOC, '$third', 0.3)}'</script>", "$frame"))),
    ),
    *_by_sites(
        "frame-moves-by-meta",
        done(
            frame(
                doc(
                    f'<meta http-equiv=refresh content="0;url={doc(GOLD_DOC, "$frame")}">', "$frame"
                )
            )
        ),
    ),
    *both("frame-by-srcdoc", done(f'<iframe style="{BOX}" srcdoc="{_FETCH}"></iframe>'), _GOLD),
    *both(
        "frame-by-blob",
        done_with(
            f"const html = decodeURIComponent('{quote(_FETCH, safe='$')}');"
            "const blob = new Blob([html], { type: 'text/html' }); onload = () => "
            f"add('iframe', {{ style: '{BOX}', src: URL.createObjectURL(blob) }})"
        ),
        _GOLD,
    ),
    *both("frame-by-data", done(frame("data:text/html," + quote(_FETCH, safe="$"))), _GOLD),
    *both("frame-that-is-written", done_with(f"{_WRITE} d.close()"), _GOLD),
    *both("frame-that-is-written-on-load", done_with(f"onload = () => {{ {_WRITE} }}"), _GOLD),
    *both("frame-that-is-written-and-not-closed", done_with(_WRITE), _GOLD),
    *both("frame-that-is-refused", done(frame("$dead/")), shows("lime")),
    *both("frame-that-is-nothing", done(frame("$site/nothing")), shows("lime")),
    *both("frame-that-is-a-download", done(frame("$site/download")), shows("lime")),
    *both("frame-of-a-mail-address", done(frame("mailto:a@example.com")), shows("lime")),
    *both(
        "frame-that-is-removed",
        done_with(
            f"const src = '{doc(GOLD_DOC, '$third', 0.4)}'; onload = () => "
            "{ const f = add('iframe', { src }); setTimeout(() => f.remove(), 100) }"
        ),
        shows("lime"),
        note="while it loads",
    ),
    by_url(
        "frame-moves-the-page",
        done(frame(doc(f"<script>top.location = '{doc(GOLD_DOC, '$site', 0.2)}'</script>"))),
        shows("gold"),
    ),
    printed(
        by_url("frame-on-load-of-other-site", _added_on_load(doc(GOLD_DOC, "$other", 0.4)), _GOLD)
    ),
    printed(as_html("frame-fetches", done(frame(doc(_FETCH, "$site"))), _GOLD)),
]
