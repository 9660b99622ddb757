"""A site whose pages tell it how they see themselves.

Its page has a frame of another site, which has a frame of the first site, and a worker. Each of
the four sends its facts to `/facts`, whose requests' headers are kept too. An image of the page is
there when all have been told, so no render is over sooner.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.quiet import QuietServer, serving

#: What a window or a worker tells of itself.
_TELL = """
const tell = async (who, more = {}) => {
  const facts = {
    userAgent: navigator.userAgent,
    languages: navigator.languages,
    number: (1234.5).toLocaleString(),
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    hour: new Date(0).getHours(),
    platform: navigator.userAgentData?.platform,
    ...more,
  };
  const query = new URLSearchParams({ who, facts: JSON.stringify(facts) });
  await fetch('/facts?' + query, { mode: 'no-cors' });
};
"""
#: What only a window knows.
_WINDOW = """
const is = (query) => matchMedia(query).matches;
const window_facts = () => ({
  dark: is('(prefers-color-scheme: dark)'),
  reduced: is('(prefers-reduced-motion: reduce)'),
  forced: is('(forced-colors: active)'),
  more: is('(prefers-contrast: more)'),
  print: is('print'),
  touch: 'ontouchstart' in window,
  points: navigator.maxTouchPoints,
  coarse: is('(pointer: coarse)'),
  width: innerWidth,
  screen: [screen.width, screen.height],
  scale: devicePixelRatio,
  orientation: screen.orientation.type,
});
const place = () => new Promise((done) => navigator.geolocation.getCurrentPosition(
  ({ coords }) => done([coords.latitude, coords.longitude, coords.accuracy]),
  (error) => done(error.message),
));
"""
WINDOWS = ("page", "frame", "inner")
ALL = (*WINDOWS, "worker")
_DOT = b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'
_LIME = b"""<svg xmlns="http://www.w3.org/2000/svg" width="2000" height="2000">
<rect width="2000" height="2000" fill="lime"/></svg>"""
_PLAIN_FRAME = "<!doctype html><style>body { margin: 0 } iframe { border: 0 }</style>"
#: It becomes green in 100 s.
_ANIMATION = b"""<!doctype html><style>
html { animation: to-lime 100s forwards }
@keyframes to-lime { from { background: red } to { background: lime } }
</style>"""
#: How long what never tells is waited for.
_PATIENCE_S = 10.0


class Mirror:
    """The site while it is up: `url`, and as another site `other_url`."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.other_url = f"http://localhost:{port}"
        #: What each told, and with which headers, whose names are in lower case.
        self.facts: dict[str, Any] = {}
        self.headers: dict[str, dict[str, str]] = {}
        self.news = threading.Condition()

    def values(self, name: str, of: tuple[str, ...] = ALL) -> list[Any]:
        """What each of them told under that name."""
        return [self.facts[who].get(name) for who in of]

    def html(self, who: str, asks_place: bool, more: str = "") -> str:
        """A window that tells of itself."""
        asked = "{place: await place()}" if asks_place else "{}"
        return (
            "<!doctype html><meta name=viewport content='width=device-width'>"
            f"<base href='{self.url}'><script>{_TELL}{_WINDOW}"
            f"(async () => tell('{who}', {{...window_facts(), ...{asked}}}))()"
            f"</script>{more}"
        )

    def without_scripts(self, who: str, inner: str | None = None) -> str:
        """A window that tells whether it runs scripts, with one of the other site in it."""
        site = self.other_url if inner == "frame" else self.url
        frame = f"<iframe src='{site}/no-script-{inner}'></iframe>" if inner else ""
        return (
            f"<!doctype html><script>{_TELL}tell('scripts in {who}')</script>"
            f"<noscript><img src='/facts?who=no+script+in+{who}'></noscript>{frame}"
        )

    def page(self, asks_place: bool = False, of: tuple[str, ...] = ALL) -> str:
        """`of`: who tells. Only a page that was loaded from the site has a worker."""
        query = "?place" if asks_place else ""
        worker = "<script>new Worker('/worker.js')</script>" if "worker" in of else ""
        return self.html("page", asks_place, (
            f"<iframe allow=geolocation src='{self.other_url}/frame{query}'></iframe>"
            f"{worker}<img src='/told?{len(of)}'>"
        ))  # fmt: skip


class _Handler(BaseHTTPRequestHandler):
    mirror: Mirror

    def do_GET(self) -> None:
        mirror = self.mirror
        parts = urlsplit(self.path)
        asks_place = parts.query == "place"
        match parts.path:
            case "/":
                self._send("text/html", mirror.page(asks_place).encode())
            case "/frame":
                frame = (
                    f"<iframe allow=geolocation src='{mirror.url}/inner?{parts.query}'></iframe>"
                )
                self._send("text/html", mirror.html("frame", asks_place, frame).encode())
            case "/inner":
                self._send("text/html", mirror.html("inner", asks_place).encode())
            case "/no-script":
                self._send("text/html", mirror.without_scripts("page", "frame").encode())
            case "/no-script-frame":
                self._send("text/html", mirror.without_scripts("frame", "inner").encode())
            case "/no-script-inner":
                self._send("text/html", mirror.without_scripts("inner").encode())
            case "/animated":
                frame = f"<iframe src='{mirror.other_url}/animation'></iframe>"
                self._send("text/html", (_PLAIN_FRAME + frame).encode())
            case "/animation":
                self._send("text/html", _ANIMATION)
            case "/lime.svg":
                self._send("image/svg+xml", _LIME)
            case "/worker.js":
                self._send("text/javascript", f"{_TELL}tell('worker')".encode())
            case "/facts":
                query = parse_qs(parts.query)
                (who,) = query["who"]
                with mirror.news:
                    mirror.facts[who] = json.loads(query["facts"][0]) if "facts" in query else {}
                    mirror.headers[who] = {
                        name.lower(): value for name, value in self.headers.items()
                    }
                    mirror.news.notify_all()
                self._send("image/svg+xml", _DOT)
            case "/told":
                with mirror.news:
                    mirror.news.wait_for(lambda: len(mirror.facts) >= int(parts.query), _PATIENCE_S)
                self._send("image/svg+xml", _DOT)
            case _:
                self._send("text/plain", b"", 404)

    def _send(self, media_type: str, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def running_mirror() -> Iterator[Mirror]:
    server = QuietServer(("127.0.0.1", 0), _Handler)
    mirror = Mirror(server.server_port)
    server.RequestHandlerClass = type("Handler", (_Handler,), {"mirror": mirror})
    with serving(server):
        yield mirror
