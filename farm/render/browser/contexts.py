"""Provides pages, each in a browser context that is made for one render and closed after it.

It runs in the greenlets of the browser's thread. A render shares no cookie, storage, cache, script
or process with another. Making a context is most of a small render's latency, so a few, the spares,
are made ahead. A spare serves any request, since requests differ only in their viewport.
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
    """Makes a context for each page, and closes it after the render."""

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
        """The number of contexts that belong to a caller for more than one render."""
        return 0

    @contextmanager
    def page(self, width: int, height: int, caller: str | None = None) -> Iterator[Page]:
        """A new page, or one as good as new. `caller`: the name of the API key that it is for."""
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
        """Close the spares; no more pages will be asked for."""
        self._wanted = 0
        while self._ready:
            self._ready.popleft().close()

    def forget(self) -> None:
        """The browser is gone, and the spares with it: close their ports of the egress proxy."""
        while self._ready:
            self._ready.popleft().port.close()

    def refill(self) -> None:
        """Have the missing spares made, each in a greenlet of its own.

        Makes none while more pages are in use than spares are wanted, since no processor is free
        then. A page that is made on demand is also cheaper: it is written to before Chromium draws
        its empty document.
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
