"""Provides pages with `FARM_ISOLATION=key`: contexts that belong to a caller and are used again.

It runs in greenlets of the browser's thread. One caller's renders use a context and its processes
one after the other; another caller's never do. Each render has a new document: when the last render
has been answered, the page is navigated to an empty document (`renewal`).

A context is used again only if its documents were HTML in the request and loaded nothing. Such a
document has an opaque origin, and so neither cookies nor storage. A context is closed if its page
has used the network, or has done anything else that a new document does not undo.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from farm.egress import Egress
from farm.render.browser.contexts import FreshContexts
from farm.render.browser.devtools import DevToolsError, Session, TimedOut, Wait
from farm.render.browser.page import Page
from farm.render.browser.renewal import Renewal

#: With so many contexts, a caller's render waits for one that is being renewed; with fewer, another
#: is made. Four busy pages fill two cores, so this is twice as many as needed.
_ENOUGH = 8
#: How long a render waits for a renewal.
_RENEWAL_S = 0.2
#: After so many renders, garbage in the context's process is collected. The process itself would
#: wait until there is three times as much. `_GARBAGE_S`: the time that this may take.
_RENDERS_OF_GARBAGE = 10
_GARBAGE_S = 2.0


@dataclass(frozen=True)
class Keeping:
    """How many contexts a browser keeps, for how many renders each, and for how long."""

    most: int
    renders: int
    age_s: float


@dataclass(eq=False)
class _Kept:
    """A context, represented by its only page, while it belongs to a caller."""

    page: Page
    caller: str | None
    renders: int = 0
    is_old: bool = False
    #: Sets `is_old`.
    timer: asyncio.TimerHandle | None = None
    #: The renewal of its document, while no render uses it.
    renewal: Renewal | None = None
    #: The wait of the render that gets the context after its renewal; it gets None if that fails.
    successor: Wait | None = None

    @property
    def is_reusable(self) -> bool:
        return not self.page.has_leftovers and (self.renewal is None or self.renewal.is_unchanged)


class KeptContexts(FreshContexts):
    """Provides pages of contexts that the same caller uses again, and makes new ones if needed."""

    def __init__(
        self,
        browser: Session,
        egress: Egress,
        spares: int,
        spawn: Callable[[Callable[[], None]], bool],
        keeping: Keeping,
        ends: Counter[str],
    ) -> None:
        """`ends` counts the contexts that were closed, by `CONTEXT_END_CAUSES`."""
        super().__init__(browser, egress, spares, spawn)
        self._keeping = keeping
        self._ends = ends
        #: Contexts that no render uses, the last used one last.
        self._idle: list[_Kept] = []
        #: Contexts that are being renewed for the next render.
        self._renewing: list[_Kept] = []
        self._busy = 0
        self._closed = False

    @property
    def kept(self) -> int:
        """The number of contexts that belong to a caller now."""
        return len(self._idle) + self._busy + self.renewing

    @property
    def renewing(self) -> int:
        """The number of contexts that are being renewed for their next render."""
        return len(self._renewing)

    @contextmanager
    def page(self, width: int, height: int, caller: str | None = None) -> Iterator[Page]:
        self._in_use += 1
        self._busy += 1
        try:
            size = (width, height)
            kept = (
                self._take_idle(caller, size)
                or self._wait_for_renewal(caller)
                or self._make_kept(caller)
            )
            try:
                if size != kept.page.size or kept.page.scale != 1:
                    kept.page.resize(*size)
                yield kept.page
            except BaseException:
                self._close_kept(kept, "error")
                raise
            # In a greenlet of its own, so that a slow renewal delays no other render.
            self._renewing.append(kept)
            if not self._spawn(partial(self._renew_or_close, kept)):
                self._renewing.remove(kept)
                self._close_kept(kept, "died")
        finally:
            self._busy -= 1
            self._in_use -= 1
            self.refill()

    def close(self) -> None:
        self._closed = True
        while self._idle:
            self._idle.pop().page.close()
        super().close()

    def forget(self) -> None:
        for kept in [*self._idle, *self._renewing]:
            kept.page.port.close()
        self._idle.clear()
        super().forget()

    def _take_idle(self, caller: str | None, size: tuple[int, int]) -> _Kept | None:
        """The caller's context that was used last, preferably one whose viewport has the size."""
        while theirs := [kept for kept in self._idle if kept.caller == caller]:
            alike = [kept for kept in theirs if kept.page.size == size]
            kept = (alike or theirs)[-1]
            self._idle.remove(kept)
            if self._claim(kept) is not None:
                return kept
        return None

    def _wait_for_renewal(self, caller: str | None) -> _Kept | None:
        """If there are many contexts, wait for one of the caller's that is being renewed."""
        if self.kept <= _ENOUGH:
            return None
        for kept in self._renewing:
            if kept.caller == caller and kept.successor is None:
                successor = kept.successor = Wait()
                with suppress(TimedOut):
                    renewed: _Kept | None = successor.wait(_RENEWAL_S)
                    return self._claim(renewed) if renewed is not None else None
                return None
        return None

    def _claim(self, kept: _Kept) -> _Kept | None:
        """The context, ready for a render.

        None if it has died, or done anything, since its renewal.
        """
        if (cause := self._why_unusable(kept)) is not None:
            self._close_later(kept, cause)
            return None
        kept.renewal = None
        return kept

    def _make_kept(self, caller: str | None) -> _Kept:
        while self._idle and self.kept > self._keeping.most:
            self._close_later(self._idle.pop(0), "room")
        kept = _Kept(self._take() or self._make(), caller)
        try:
            kept.page.note_window()
        except BaseException:
            kept.page.close()
            raise
        loop = asyncio.get_running_loop()
        kept.timer = loop.call_later(self._keeping.age_s, self._expire, kept)
        return kept

    def _renew_or_close(self, kept: _Kept) -> None:
        """After the answer was sent: renew the context for the next render, or close it."""
        kept.renders += 1
        cause: str | None = "died"
        try:
            if (cause := self._why_unusable(kept)) is None:
                cause = self._renew(kept)
            if cause is None:
                kept.page.port.renew()
        finally:
            self._renewing.remove(kept)
        successor, kept.successor = kept.successor, None
        has_successor = successor is not None and not successor.done
        if successor is not None:
            successor.give(kept if cause is None else None)
        if cause is not None:
            self._close_kept(kept, cause)
        elif not has_successor:
            self._idle.append(kept)

    def _renew(self, kept: _Kept) -> str | None:
        """Renew the document. Returns why the context cannot be used again; None if it can."""
        try:
            kept.renewal = Renewal(kept.page)
            if kept.renders % _RENDERS_OF_GARBAGE == 0:
                kept.page.session.begin("HeapProfiler.collectGarbage").wait(_GARBAGE_S)
            return self._why_unusable(kept)
        except DevToolsError:
            return "died" if kept.page.died else "remains"

    def _why_unusable(self, kept: _Kept) -> str | None:
        page = kept.page
        if self._closed or page.closed or page.died or not page.port.alive:
            return "died"
        if kept.is_old:
            return "age"
        if kept.renders >= self._keeping.renders:
            return "renders"
        if not kept.is_reusable:
            return "remains"
        return None

    def _expire(self, kept: _Kept) -> None:
        kept.is_old = True
        if kept in self._idle:
            self._idle.remove(kept)
            self._close_later(kept, "age")

    def _close_kept(self, kept: _Kept, cause: str) -> None:
        self._ends[cause] += 1
        if kept.timer is not None:
            kept.timer.cancel()
        with suppress(DevToolsError):
            kept.page.close()

    def _close_later(self, kept: _Kept, cause: str) -> None:
        """Close it in a greenlet of its own, since no caller waits for that."""
        self._spawn(partial(self._close_kept, kept, cause))
