"""Where a page comes from and what becomes of it: a fresh context for each render.

No cookie, storage, cache, script or process is shared with another render. Making a context is
most of a small render's latency, so a few are made ahead of the requests: a spare serves any
request, since requests differ only in the viewport.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import structlog
from playwright.sync_api import Error as PlaywrightError

from farm.egress import Egress, Port
from farm.errors import BrowserUnavailable
from farm.logs import first_line
from farm.render.browser.devtools import Browser as DevTools
from farm.render.browser.devtools import CommandFailed, Session, TargetGone
from farm.render.browser.thread import PlaywrightFailure

log = structlog.get_logger()

#: The viewport of the contract's defaults, and so of the spares.
_VIEWPORT = (1280, 720)

#: What generic families mean: the headless shell, which has no preferences, takes another font for
#: `monospace` than Playwright and Chromium itself on Linux. See docs/fidelity.md.
_FONT_FAMILIES = {
    "standard": "Times New Roman",
    "serif": "Times New Roman",
    "sansSerif": "Arial",
    "fixed": "Monospace",
    "cursive": "Comic Sans MS",
    "fantasy": "Impact",
}


class ScriptFailed(PlaywrightError):
    """A function of the farm's threw; the message is its exception's."""


class Page:
    """A page in a context of its own.

    The farm's scripts run in an isolated world, where nothing that the page did to its globals or
    prototypes reaches them.
    """

    def __init__(self, browser: DevTools, port: Port) -> None:
        self._browser = browser
        #: Known for good once it is closed.
        self._gone: bool | None = None
        #: Its way to the network.
        self.port = port
        context = {
            "disposeOnDetach": True,
            "proxyServer": port.url,
            "proxyBypassList": "<-loopback>",
        }
        self._context: str = browser.send("Target.createBrowserContext", context)[
            "browserContextId"
        ]
        try:
            width, height = _VIEWPORT
            target = browser.send(
                "Target.createTarget",
                {
                    "url": "about:blank",
                    "browserContextId": self._context,
                    "width": width,
                    "height": height,
                },
            )
            #: Also of its main frame.
            self._target: str = target["targetId"]
            self._session = browser.attach(self._target)
            self.send("Page.setFontFamilies", {"fontFamilies": _FONT_FAMILIES})
            if not browser.is_shell:
                self._tame()
            self.enter_world()
        except BaseException:
            self._dispose()
            raise

    @property
    def gone(self) -> bool:
        """It closed itself, or its process died, before the farm closed it."""
        return self._session.ended if self._gone is None else self._gone

    @property
    def crashed(self) -> bool:
        return self._session.crashed

    def send(self, method: str, params: dict[str, Any] | None = None) -> Any:
        """A DevTools command. Raises Playwright's `Error`."""
        return self._session.send(method, params)

    def wait(self, milliseconds: int) -> None:
        self._session.sleep(milliseconds / 1000)

    def resize(self, width: int, height: int) -> None:
        # The window too: scripts read its `outerWidth` and `outerHeight`.
        window = self.send("Browser.getWindowForTarget")["windowId"]
        bounds = {"width": width, "height": height}
        self.send("Browser.setWindowBounds", {"windowId": window, "bounds": bounds})
        self.send(
            "Emulation.setDeviceMetricsOverride",
            {
                "width": width,
                "height": height,
                "screenWidth": width,
                "screenHeight": height,
                "deviceScaleFactor": 1,
                "mobile": False,
            },
        )

    def _tame(self) -> None:
        """What the headless shell needs not be told.

        Dialogs are dismissed, downloads refused, and the page has the focus whatever others do.
        """
        self.send("Page.enable")  # says when there is a dialog, which is then dismissed
        refusal = {"behavior": "deny", "browserContextId": self._context}
        self._browser.send("Browser.setDownloadBehavior", refusal)
        self.send("Emulation.setFocusEmulationEnabled", {"enabled": True})
        self.resize(*_VIEWPORT)

    def enter_world(self) -> None:
        """Make the isolated world of the document that the page shows now."""
        self._world = _world(self._session, self._target)

    def call(self, function: str, *arguments: object) -> Any:
        """Call a JavaScript function in the isolated world; returns what its promise gives."""
        return _call(self._session, self._world, function, *arguments)

    def call_in_frames(self, function: str) -> None:
        """Call it in every frame but the main one; one that is gone or disturbs it is passed over.

        Raises `TargetGone` if the page is.
        """
        sessions = [self._session, *self._session.frames()]
        for session in sessions:
            with suppress(CommandFailed, TargetGone):
                tree = session.send("Page.getFrameTree")["frameTree"]
                for frame_id in _frame_ids(tree):
                    if frame_id != self._target:
                        with suppress(CommandFailed, ScriptFailed):
                            _call(session, _world(session, frame_id), function)
        if self._session.ended:
            raise TargetGone("the page is gone")

    def close(self) -> None:
        self._gone = self.gone
        self._dispose()

    def _dispose(self) -> None:
        self.port.close()
        with suppress(*PlaywrightFailure):
            self._browser.send("Target.disposeBrowserContext", {"browserContextId": self._context})

    def kill(self) -> None:
        """End the page's process, which works where its closing waits for it.

        Waits for ever: only for a greenlet of its own.
        """
        with suppress(*PlaywrightFailure):
            self.send("Page.crash")


def _world(session: Session, frame_id: str) -> int:
    params = {"frameId": frame_id, "worldName": "farm"}
    context: int = session.send("Page.createIsolatedWorld", params)["executionContextId"]
    return context


def _call(session: Session, world: int, function: str, *arguments: object) -> Any:
    """Raises `CommandFailed` if the world is gone, or goes before there is an answer."""
    answer = session.send(
        "Runtime.callFunctionOn",
        {
            "functionDeclaration": function,
            "arguments": [{"value": argument} for argument in arguments],
            "executionContextId": world,
            "awaitPromise": True,
            "returnByValue": True,
        },
    )
    if (exception := answer.get("exceptionDetails")) is not None:
        raise ScriptFailed(exception.get("exception", {}).get("description", exception["text"]))
    return answer["result"].get("value")


def _frame_ids(tree: dict[str, Any]) -> Iterator[str]:
    yield tree["frame"]["id"]
    for child in tree.get("childFrames", ()):
        yield from _frame_ids(child)


class FreshContexts:
    """Every page in a context made for it, and closed after it."""

    def __init__(
        self,
        browser: DevTools,
        egress: Egress,
        spares: int,
        spawn: Callable[[Callable[[], None]], bool],
    ) -> None:
        self._browser = browser
        self._egress = egress
        self._wanted = spares
        self._spawn = spawn
        self._ready: deque[Page] = deque()
        self._being_made = 0
        self._in_use = 0

    @property
    def spares(self) -> int:
        return len(self._ready)

    @contextmanager
    def page(self, width: int, height: int) -> Iterator[Page]:
        self._in_use += 1
        try:
            page = self._take() or self._make()
            try:
                if (width, height) != _VIEWPORT:
                    page.resize(width, height)
                yield page
            finally:
                page.close()
        finally:
            self._in_use -= 1
            self.refill()

    def close(self) -> None:
        """No more pages are wanted: close the spares."""
        self._wanted = 0
        while self._ready:
            self._ready.popleft().close()

    def forget(self) -> None:
        """The browser is gone, and with it the spares: let go of their way to the network."""
        while self._ready:
            self._ready.popleft().port.close()

    def refill(self) -> None:
        """Have the missing spares made, each in a greenlet of its own.

        Not while more pages than that are in use: then no processor is free to make them with, and
        a page that is written to at once never has its empty self drawn.
        """
        while self._in_use <= self._wanted and len(self._ready) + self._being_made < self._wanted:
            self._being_made += 1
            if not self._spawn(self._make_spare):
                self._being_made -= 1
                return

    def _take(self) -> Page | None:
        while self._ready:
            page = self._ready.popleft()
            if page.port.alive and not page.gone:
                break
            page.close()
        else:
            page = None
        self.refill()
        return page

    def _make(self) -> Page:
        port = self._egress.open()
        try:
            return Page(self._browser, port)
        except BaseException:
            port.close()
            raise

    def _make_spare(self) -> None:
        try:
            page = self._make()
            if self._wanted:
                self._ready.append(page)
            else:
                page.close()
        except (*PlaywrightFailure, BrowserUnavailable) as exc:
            log.debug("no spare", cause=first_line(exc))
        finally:
            self._being_made -= 1
