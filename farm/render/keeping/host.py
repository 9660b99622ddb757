"""A browser with its pages, and the renderings in it.

Two threads may end a rendering's stay in the browser: the browser's own when the render is over,
and the thread that notices that the browser has died. `claim` arbitrates. It is True for the first
caller, and that caller decides what becomes of the rendering. The keeper and quarantine make hosts.
"""

import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import psutil
import structlog

from farm.egress import Egress
from farm.render.browser.chromium import Chromium
from farm.render.browser.contexts import FreshContexts
from farm.render.browser.devtools import BrowserGone, Session
from farm.render.browser.kept import Keeping, KeptContexts
from farm.render.browser.memory import MemoryWatch
from farm.render.browser.thread import BrowserThread
from farm.render.keeping.drawing import DrawingWatch
from farm.render.rendering import Rendering

log = structlog.get_logger()

_TOO_MUCH_MEMORY = "it holds too much memory"


class Outcomes(Protocol):
    """The part of `farm.render.outcomes` that a host needs."""

    def serve(self, rendering: Rendering, host: "Host") -> None:
        """Render it. Called in a greenlet of the browser's thread."""

    def lost(self, rendering: Rendering, host: "Host") -> None:
        """The browser has died during the render. Called once, after `claim`."""


@dataclass
class Counts:
    """Counters over all browsers of an engine."""

    #: Lost GPU processes: see `DrawingWatch`.
    gpu_ends: Counter[str] = field(default_factory=Counter)
    #: Closed contexts: see `KeptContexts`.
    context_ends: Counter[str] = field(default_factory=Counter)


class Host:
    """One browser, from its launch to its death."""

    def __init__(
        self,
        chromium: Chromium,
        egress: Egress,
        spares: int,
        memory_bytes: int,
        outcomes: Outcomes,
        counts: "Counts",
        keeping: Keeping | None = None,
        is_alone: bool = False,
    ) -> None:
        """`is_alone`: it renders one page at a time.

        `keeping`: the limits, if contexts are kept.
        """
        self.browser = BrowserThread(chromium, self._on_up, self._on_down)
        self.pages: FreshContexts | None = None
        self.drawing: DrawingWatch | None = None
        self._counts = counts
        self._keeping = keeping
        self._is_alone = is_alone
        #: The number of renderings that it has taken so far.
        self.served = 0
        #: When it was started, by `time.monotonic()`.
        self.started = time.monotonic()
        self._egress = egress
        self._spares = spares
        self._memory_bytes = memory_bytes
        self._memory = MemoryWatch(memory_bytes)
        self._outcomes = outcomes
        self._renderings: set[Rendering] = set()
        self._change = threading.Condition()

    def take(self, rendering: Rendering) -> None:
        """Render it in this browser, beside those in it. From any thread."""
        rendering.assign(self.browser)
        self.served += 1
        with self._change:
            self._renderings.add(rendering)
        self.browser.spawn(partial(self._outcomes.serve, rendering, self))
        if self.browser.down.is_set():  # the thread may have dropped what was spawned
            self._report_lost()

    def claim(self, rendering: Rendering) -> bool:
        """Remove the rendering from this host. True for the first caller only."""
        with self._change:
            if rendering not in self._renderings:
                return False
            self._renderings.remove(rendering)
            self._change.notify_all()
        drawing = self.drawing
        if rendering.given_up is not None and drawing is not None:
            drawing.note_late()
        return True

    @property
    def renderings(self) -> list[Rendering]:
        """The renderings in this browser."""
        with self._change:
            return list(self._renderings)

    @property
    def stalled_s(self) -> float:
        """The seconds for which it has not drawn, as far as that is known."""
        drawing = self.drawing
        return drawing.stalled_s if drawing is not None else 0.0

    def is_drawing(self, timeout_s: float) -> bool:
        """Whether it is up, and proves within the time that it draws."""
        drawing = self.drawing
        return drawing is not None and drawing.probe(timeout_s)

    @property
    def is_empty(self) -> bool:
        return not self._renderings

    def wait_empty(self, timeout_s: float) -> bool:
        """Wait until no rendering is left. False if the time is over first."""
        with self._change:
            return self._change.wait_for(lambda: self.is_empty, timeout_s)

    @property
    def spares(self) -> int:
        return self.pages.spares if self.pages else 0

    @property
    def kept(self) -> int:
        """The number of contexts that belong to a caller for more than one render."""
        return self.pages.kept if self.pages else 0

    @property
    def memory_bytes(self) -> int:
        return self._memory.held_bytes

    def retire(self) -> None:
        """Close the spares: this browser gets no more renderings."""
        pages = self.pages
        if pages is not None:
            self.browser.spawn(pages.close)

    def check(self) -> bool:
        """Ping it. Returns whether to replace it because its processes hold too much memory.

        Call it every second while a rendering is in it. If one page holds most of the memory, its
        process is killed instead, and the other pages go on. If the memory is far beyond the limit,
        the GPU process is killed, or else the browser.
        """
        with suppress(BrowserGone):  # `BrowserThread` notices the death itself
            self.browser.kill_if_crippled()
        self.browser.send_ping()
        root = self.browser.root
        try:
            excess = self._memory.look(root) if root is not None else None
        except OSError as exc:  # no file descriptor is left, say; the next check may succeed
            log.warning("memory is not looked at", cause=str(exc))
            return False
        if excess is None:
            return False
        if excess.largest is not None and excess.largest_bytes > self._memory_bytes / 2:
            held = f"{excess.largest_bytes >> 20} MiB"
            log.warning("page killed", reason=_TOO_MUCH_MEMORY, memory=held)
            with suppress(psutil.Error):
                excess.largest.kill()
            return False
        held = f"{excess.tree_bytes >> 20} MiB"
        log.warning("browser holds too much memory", memory=held)
        if not excess.is_far_beyond:
            return True
        drawing = self.drawing
        if drawing is not None and excess.gpu_bytes > self._memory_bytes / 2:
            self.browser.spawn(lambda: drawing.kill(_TOO_MUCH_MEMORY))
        else:
            self.browser.kill(_TOO_MUCH_MEMORY, pages_are_suspect=True)
        return False

    def _on_up(self, browser: Session) -> None:
        made_by = (browser, self._egress, self._spares, self.browser.spawn)
        if self._keeping is None:
            self.pages = FreshContexts(*made_by)
        else:
            self.pages = KeptContexts(*made_by, self._keeping, self._counts.context_ends)
        self.drawing = DrawingWatch(
            browser, self.browser, lambda: self.renderings, self._is_alone, self._counts.gpu_ends
        )
        self.browser.spawn(self.drawing.run)
        self.pages.refill()

    def _on_down(self) -> None:
        """Report the renderings as lost here, since not all calls into the dead browser raise."""
        if self.pages is not None:
            self.pages.forget()
        self.pages = self.drawing = None
        self._report_lost()

    def _report_lost(self) -> None:
        with self._change:
            lost = list(self._renderings)
        for rendering in lost:
            if self.claim(rendering):
                self._outcomes.lost(rendering, self)
