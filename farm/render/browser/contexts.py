"""Where a page comes from and what becomes of it: a fresh context for each render.

No cookie, storage, cache, script or process is shared with another render. Making a context is
most of a small render's latency, so a few are made ahead of the requests: a spare serves any
request, since requests differ only in the viewport.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from farm.egress import Egress
from farm.errors import BrowserUnavailable
from farm.logs import first_line
from farm.render.browser.devtools import DevToolsError, Session
from farm.render.browser.page import VIEWPORT, Context, Page

log = structlog.get_logger()


class FreshContexts:
    """Every page in a context made for it, and closed after it."""

    def __init__(
        self,
        browser: Session,
        egress: Egress,
        spares: int,
        spawn: Callable[[Callable[[], None]], bool],
    ) -> None:
        self._browser = browser
        product: str = browser.send("Browser.getVersion")["product"]
        self._is_shell = product.startswith("HeadlessChrome/")
        self._egress = egress
        self._wanted = spares
        self._spawn = spawn
        self._ready: deque[Page] = deque()
        self._being_made = 0
        self._in_use = 0

    @property
    def spares(self) -> int:
        return len(self._ready)

    @property
    def kept(self) -> int:
        """Contexts that belong to a caller for more than a render."""
        return 0

    @contextmanager
    def page(self, width: int, height: int, caller: str | None = None) -> Iterator[Page]:
        """A page that is as new. `caller`: the name of the API key that it is for."""
        self._in_use += 1
        try:
            page = self._take() or self._make()
            try:
                if (width, height) != VIEWPORT:
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
            if page.port.alive and not page.died:
                break
            page.close()
        else:
            page = None
        self.refill()
        return page

    def _make(self) -> Page:
        port = self._egress.open()
        try:
            context = Context(self._browser, port)
        except BaseException:
            port.close()
            raise
        return Page(self._browser, context, self._is_shell)

    def _make_spare(self) -> None:
        try:
            page = self._make()
            if self._wanted:
                self._ready.append(page)
            else:
                page.close()
        except (DevToolsError, BrowserUnavailable) as exc:
            log.debug("no spare", cause=first_line(exc))
        finally:
            self._being_made -= 1
