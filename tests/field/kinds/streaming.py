"""Pages with requests that never end: those are not waited for, and the others are."""

from tests.field.case import BOX, as_html, both, done, done_with, image, printed, waiting_for
from tests.field.outcome import shows

_GOLD = shows("lime", "gold")
_SOCKET = "new WebSocket('$site/websocket'.replace('http', 'ws'));"
_POLL = "setInterval(() => fetch('$site/json'), 100);"
_FETCH = "fetch('$site/json?s=0.8').then(green);"

STREAMS = [
    *both("events", done_with("new EventSource('$site/events')")),
    *both("events-refused", done_with("new EventSource('$dead/')"), note="is tried again for ever"),
    *both("websocket", done_with(_SOCKET)),
    *both("long-poll", done_with("fetch('$site/hold')")),
    *both("long-poll-on-load", done_with("onload = () => fetch('$site/hold')")),
    *both("fetch-half", done_with("fetch('$site/half_json').then((r) => r.json())")),
    *both(
        "xhr-never",
        done_with("const x = new XMLHttpRequest(); x.open('GET', '$site/hold'); x.send()"),
    ),
    *both("beacon", done_with("onload = () => navigator.sendBeacon('$site/hold', 'x')")),
    *both(
        "keepalive",
        done_with("onload = () => fetch('$site/hold', { method: 'POST', keepalive: true })"),
    ),
    *both(
        "ping",
        done("<a id=a ping=$site/hold href=#x></a><script>onload = () => a.click()</script>"),
    ),
    *both(
        "worker-long-poll",
        done_with("new Worker(URL.createObjectURL(new Blob([\"fetch('$site/hold')\"])))"),
    ),
    *both("audio", done("<audio autoplay src=$site/audio></audio>")),
    *both(
        "audio-on-load",
        done_with("onload = () => new Audio('$site/audio').play().catch(() => 0)"),
    ),
]

POLLS = [
    *both("poll-by-interval", done_with(_POLL)),
    *both(
        "poll-by-chain",
        done_with("const poll = () => fetch('$site/json?s=0.05').then(poll); poll()"),
    ),
    *both(
        "poll-by-images",
        done_with(
            f"const a = add('img', {{ style: '{BOX}', src: '{image(delay_s=0)}' }}); let n = 0;"
            f"setInterval(() => a.src = '{image(delay_s=0)}&n=' + n++, 100)"
        ),
        _GOLD,
    ),
    *both(
        "animation",
        done(
            "<style>@keyframes k { to { opacity: 0.9 } } div { animation: k 1s infinite }</style>"
            "<div>x</div><script>const f = () => requestAnimationFrame(f); f()</script>"
        ),
    ),
    *both("timers", done_with("setInterval(() => document.body.append('.'), 20)")),
]

BESIDE = [
    *both(
        "fetch-beside-streams",
        waiting_for(f"new EventSource('$site/events'); fetch('$site/hold'); {_SOCKET}{_FETCH}"),
    ),
    *both("fetch-beside-polling", waiting_for(_POLL + _FETCH)),
    *both("fetch-beside-image-never", waiting_for(_FETCH) + "<img src=$site/hold>"),
    *both("fetch-beside-frame-never", waiting_for(_FETCH) + "<iframe src=$site/hold></iframe>"),
]

CASES = [
    *STREAMS,
    *POLLS,
    *BESIDE,
    printed(as_html("long-poll", done_with("fetch('$site/hold')"))),
]
