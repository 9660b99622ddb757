"""browserless' routes about an instance, and those that the farm does not support."""

import json
import time
from typing import Any

import falcon

import farm
from farm.errors import Busy, FarmError
from farm.renderer import EngineStatus, Renderer
from farm.web.compat.browserless.answers import answer_text
from farm.web.compat.browserless.rendering import BrowserlessResource
from farm.web.compat.puppeteer.rendering import Unsupported

_JSON = "application/json; charset=UTF-8"
_FULL = "Concurrency and queue are full"


class PressureResource(BrowserlessResource):
    """`GET /pressure`: whether this worker process would accept another render."""

    uncounted = frozenset({"GET"})

    def __init__(self, renderer: Renderer[Any]) -> None:
        self._renderer = renderer

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        status = self._renderer.status
        reason, message = self._trouble(req.context.caller)
        if req.get_header("Accept") == "text/plain":
            answer_text(resp, 503 if message else 200, message)
            return
        resp.content_type = _JSON
        resp.data = json.dumps({"pressure": _pressure(status, reason, message)}, indent=2).encode()

    def _trouble(self, caller: str | None) -> tuple[str, str]:
        """browserless' code and sentence for why no render is accepted; both empty if one is."""
        try:
            self._renderer.check()
            self._renderer.admit(caller)
        except Busy:
            return "full", _FULL
        except FarmError as exc:
            return "", str(exc)
        return "", ""


def _pressure(status: EngineStatus, reason: str, message: str) -> dict[str, Any]:
    """Values that are unknown here are null: processor and memory are the machine's."""
    return {
        "cpu": None,
        "date": time.time_ns() // 1_000_000,
        "isAvailable": not message,
        "maxConcurrent": status.pages,
        "maxQueued": status.max_waiting,
        "memory": None,
        "message": message,
        "queued": status.waiting,
        "reason": reason,
        "recentlyRejected": 0,
        "running": status.rendering,
    }


class ActiveResource(BrowserlessResource):
    """`GET /active`: 204 whenever the farm answers."""

    uncounted = frozenset({"GET"})

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.status = falcon.HTTP_NO_CONTENT


class MetaResource(BrowserlessResource):
    """`GET /meta`: the farm's version. Versions of browsers are not included."""

    uncounted = frozenset({"GET"})

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        nothing: dict[str, Any] = dict.fromkeys(("chromium", "firefox", "webkit"))
        answer = {"version": farm.__version__, **nothing, "playwright": [], "puppeteer": []}
        resp.content_type = _JSON
        resp.data = json.dumps(answer, indent=2).encode()


class UnsupportedResource(Unsupported, BrowserlessResource):
    uncounted = frozenset({"GET", "POST", "PUT"})
    on_put = Unsupported.on_get


_NO_SESSIONS = (
    "The farm gives no client a browser of its own, so it has no WebSockets for Puppeteer and "
    "Playwright, and no sessions: ask /screenshot, /pdf, /content or /scrape."
)
_NO_CODE = (
    "The farm runs no code beside pages: use addScriptTag and waitForFunction of /screenshot, "
    "/pdf, /content or /scrape, whose scripts run in the page."
)
_NO_LIGHTHOUSE = (
    "The farm makes no Lighthouse audits; with report: true, POST /render reports requests and "
    "times."
)
_NO_DOWNLOADS = "The farm hands out no files that a page downloads."
#: The reasons, by the paths below a browser's name.
OF_BROWSERS = {
    "function": _NO_CODE,
    "performance": _NO_LIGHTHOUSE,
    "download": _NO_DOWNLOADS,
    "playwright": _NO_SESSIONS,
}
#: The reasons, by whole paths.
OTHERS = {
    **dict.fromkeys(
        ("chromium", "chrome", "playwright/chromium", "playwright/chrome"), _NO_SESSIONS
    ),
    **dict.fromkeys(("devtools/browser/{session}", "devtools/page/{session}"), _NO_SESSIONS),
    **dict.fromkeys(("json/version", "json/list", "json/new", "json/protocol"), _NO_SESSIONS),
    **dict.fromkeys(("sessions", "kill/{session}"), _NO_SESSIONS),
    "config": "The farm does not publish its settings; GET /status says what it has and uses.",
}
