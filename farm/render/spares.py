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
from playwright.sync_api import Browser, BrowserContext, CDPSession
from playwright.sync_api import Page as PlaywrightPage

from farm.egress import Egress, Port
from farm.errors import BrowserUnavailable
from farm.logs import first_line
from farm.render.browser import PlaywrightFailure

log = structlog.get_logger()

#: The viewport of the contract's defaults, and so of the spares.
_VIEWPORT = (1280, 720)


class Page:
    """A page in a context of its own, with a DevTools session.

    The farm's scripts run in an isolated world, where nothing that the page did to its globals or
    prototypes reaches them.
    """

    def __init__(self, context: BrowserContext, port: Port) -> None:
        self.context = context
        #: Its way to the network.
        self.port = port
        self.page: PlaywrightPage = context.new_page()
        self.crashed = False
        # A DevTools command waits for ever for a process that is gone: closing ends it.
        self.page.on("crash", self._on_crash)
        self._cdp: CDPSession = context.new_cdp_session(self.page)
        self._frame_id: str = self.send("Page.getFrameTree")["frameTree"]["frame"]["id"]
        self.enter_world()

    def send(self, method: str, params: dict[str, Any] | None = None) -> Any:
        """A DevTools command. Raises Playwright's `Error`."""
        return self._cdp.send(method, params or {})

    def enter_world(self) -> None:
        """Make the isolated world of the document that the page shows now."""
        world = {"frameId": self._frame_id, "worldName": "farm"}
        self._world: int = self.send("Page.createIsolatedWorld", world)["executionContextId"]

    def call(self, function: str, *arguments: object) -> None:
        """Call a JavaScript function in the isolated world and wait for its promise."""
        self.send(
            "Runtime.callFunctionOn",
            {
                "functionDeclaration": function,
                "arguments": [{"value": argument} for argument in arguments],
                "executionContextId": self._world,
                "awaitPromise": True,
            },
        )

    def close(self) -> None:
        self.port.close()
        with suppress(*PlaywrightFailure):
            self.context.close()

    def kill(self) -> None:
        """End the page's process, which works where its closing waits for it.

        Waits for ever: only for a greenlet of its own.
        """
        with suppress(*PlaywrightFailure):
            self.send("Page.crash")

    def _on_crash(self, _: PlaywrightPage) -> None:
        self.crashed = True
        self.close()


class FreshContexts:
    """Every page in a context made for it, and closed after it."""

    def __init__(
        self,
        browser: Browser,
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

    @property
    def spares(self) -> int:
        return len(self._ready)

    @contextmanager
    def page(self, width: int, height: int) -> Iterator[Page]:
        page = self._take() or self._make()
        try:
            if (width, height) != _VIEWPORT:
                page.page.set_viewport_size({"width": width, "height": height})
            yield page
        finally:
            page.close()

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
        """Have the missing spares made, each in a greenlet of its own."""
        while len(self._ready) + self._being_made < self._wanted:
            self._being_made += 1
            if not self._spawn(self._make_spare):
                self._being_made -= 1
                return

    def _take(self) -> Page | None:
        while self._ready:
            page = self._ready.popleft()
            if page.port.alive and not page.page.is_closed():
                break
            page.close()
        else:
            page = None
        self.refill()
        return page

    def _make(self) -> Page:
        width, height = _VIEWPORT
        port = self._egress.open()
        try:
            context = self._browser.new_context(
                viewport={"width": width, "height": height},
                proxy={"server": port.url},
                accept_downloads=False,
                service_workers="block",
            )
        except BaseException:
            port.close()
            raise
        try:
            return Page(context, port)
        except BaseException:
            port.close()
            with suppress(*PlaywrightFailure):
                context.close()
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
