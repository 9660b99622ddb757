"""What never ends or never comes: the page is captured without it."""

from tests.field.case import (
    BOX,
    GOLD_DOC,
    as_html,
    at,
    both,
    by_url,
    doc,
    done,
    frame,
    image,
    printed,
)
from tests.field.outcome import Fails, either, shows

_LIME = shows("lime")
_GOLD = shows("lime", "gold")
#: `load` never fires, and the parser may be held up as well.
_NO_LOAD = either(_LIME, Fails("render_timeout"))
_NEVER = "$site/hold"


def _script(code: str) -> str:
    return done(f"<script>{code}</script>")


STREAMS = [
    *both("events", _script("new EventSource('$site/events')")),
    *both("events-refused", _script("new EventSource('$dead/')"), note="is tried again for ever"),
    *both("websocket", _script("new WebSocket('$site/websocket'.replace('http', 'ws'))")),
    *both("long-poll", _script("fetch('$site/hold')")),
    *both("long-poll-on-load", _script("onload = () => fetch('$site/hold')")),
    *both("fetch-half", _script("fetch('$site/half_json').then((r) => r.json())")),
    *both(
        "xhr-never",
        _script("const x = new XMLHttpRequest(); x.open('GET', '$site/hold'); x.send()"),
    ),
    *both("beacon", _script("onload = () => navigator.sendBeacon('$site/hold', 'x')")),
    *both(
        "keepalive",
        _script("onload = () => fetch('$site/hold', { method: 'POST', keepalive: true })"),
    ),
    *both(
        "ping",
        done("<a id=a ping=$site/hold href=#x></a><script>onload = () => a.click()</script>"),
    ),
    *both(
        "worker-long-poll",
        _script("new Worker(URL.createObjectURL(new Blob([\"fetch('$site/hold')\"])))"),
    ),
    *both("poll-by-interval", _script("setInterval(() => fetch('$site/json'), 100)")),
    *both(
        "poll-by-chain", _script("const poll = () => fetch('$site/json?s=0.05').then(poll); poll()")
    ),
    *both(
        "poll-by-images",
        done(
            f'<img id=a style="{BOX}" src="{image(delay_s=0)}"><script>let n = 0; setInterval(() => '
            f"a.src = '{image(delay_s=0)}&n=' + n++, 100)</script>"
        ),
        _GOLD,
    ),
    *both(
        "audio", done("<audio autoplay src=$site/audio></audio>"), note="a WAV file without an end"
    ),
    *both(
        "audio-on-load", _script("onload = () => new Audio('$site/audio').play().catch(() => 0)")
    ),
    *both(
        "animation",
        done(
            f"<style>@keyframes k {{ to {{ opacity: 0.9 }} }} div {{ animation: k 1s infinite }}</style>"
            "<div>x</div><script>const f = () => requestAnimationFrame(f); f()</script>"
        ),
    ),
    *both("timers", _script("setInterval(() => document.body.append('.'), 20)")),
]

NEVER = [
    *both("image-never", done(f"<img src={_NEVER}>")),
    *both(
        "image-never-on-load",
        _script(
            "onload = () => { const i = new Image(); document.body.append(i); i.src = '$site/hold' }"
        ),
    ),
    *both("image-half", done("<img src=$site/half_image>")),
    *both("lazy-image-never", done(f"<img loading=lazy src={_NEVER} width=9 height=9>")),
    *both(
        "image-never-beside-others",
        done(f'<img src={_NEVER}><img style="{BOX}" src="{image()}">'),
        _GOLD,
    ),
    *both("background-never", done(f"<div style='{BOX};background:url({_NEVER})'></div>")),
    *both("frame-never", done(frame(_NEVER))),
    *both("frame-never-of-other-site", done(frame("$other/hold"))),
    *both(
        "frame-never-on-load",
        _script(
            "onload = () => { const f = document.createElement('iframe'); f.src = '$site/hold'; document.body.append(f) }"
        ),
    ),
    *both("frame-half", done(frame(doc(GOLD_DOC, route="half_doc"))), _GOLD),
    *both(
        "frame-half-of-other-site", done(frame(doc(GOLD_DOC, "$other", route="half_doc"))), _GOLD
    ),
    *both(
        "frame-with-image-never",
        done(frame(doc(GOLD_DOC + f"<img src={_NEVER}>", "$other"))),
        _GOLD,
    ),
    *both("lazy-frame-never", done(frame(_NEVER, "loading=lazy"))),
    *both(
        "font-never",
        _script(
            "const face = new FontFace('F', 'url($site/hold)'); document.fonts.add(face); face.load()"
        ),
    ),
    *both(
        "font-never-in-css",
        done(
            "<style>@font-face { font-family: F; src: url($site/hold) } p { font-family: F }</style>"
            "<p>text</p>"
        ),
    ),
    *both("video-never", done("<video src=$site/hold></video>")),
    *both("object-never", done("<object data=$site/hold></object>")),
    *both("script-never-async", done("<script async src=$site/hold></script>")),
    *both("script-never-defer", done("<script defer src=$site/hold></script>"), _NO_LOAD),
    *both("module-never", done("<script type=module src=$site/hold></script>"), _NO_LOAD),
    *both("script-never-last", done("<p>text</p><script src=$site/hold></script>"), _NO_LOAD),
    *both(
        "script-never-by-script",
        _script(
            "onload = () => { const s = document.createElement('script'); s.src = '$site/hold'; document.body.append(s) }"
        ),
    ),
    *both(
        "script-never-in-head",
        f"<!doctype html><script src={_NEVER}></script><body style='background:lime'>",
        either(Fails("render_timeout"), _LIME, shows("white")),
        note="there is no body yet",
    ),
    *both(
        "style-never-in-head",
        f"<!doctype html><link rel=stylesheet href={_NEVER}><body style='background:lime'>",
        either(Fails("render_timeout"), _LIME, shows("white")),
        note="nothing is drawn without it",
    ),
    *both(
        "style-never-by-script",
        _script(
            "onload = () => { const l = document.createElement('link'); l.rel = 'stylesheet'; l.href = '$site/hold'; document.head.append(l) }"
        ),
    ),
    *both("style-never-preloaded", done("<link rel=preload as=style href=$site/hold>")),
    at("document-endless", "$site/endless_doc", _NO_LOAD),
    at("document-half", doc(done(""), route="half_doc"), _NO_LOAD),
    at("document-never", "$site/hold", Fails("render_timeout")),
]

CASES = [
    *STREAMS,
    *NEVER,
    printed(by_url("image-never", done(f"<img src={_NEVER}>"))),
    printed(as_html("long-poll", _script("fetch('$site/hold')"))),
]
