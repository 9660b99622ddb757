"""The engine: `RenderRequest` in, `RenderResult` or a `FarmError` out, for everything it accepts.

Request threads call `render` and wait on a future. A rendering waits in the line (`slots`) for a
slot, is taken by a browser (`host`), which `keeper` keeps up, and is rendered there (`page`). One
that is lost with its browser is tried once more: beside others where the farm itself ended the
browser, else alone (`quarantine`), and HTML that takes that one down too is refused (`poison`).

The deadline is kept from outside the browsers' threads: the request's thread answers when it has
passed, and another sees to it that nothing of the render runs on (`ladder`).
"""

import time
from collections.abc import Mapping
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass

import structlog

from farm.egress import NO_PROXY, Egress
from farm.errors import (
    BrowserDied,
    BrowserUnavailable,
    FarmError,
    InternalError,
    PageCrashes,
    RenderTimeout,
)
from farm.logs import first_line
from farm.render.browser.chromium import find_chromium
from farm.render.browser.thread import PlaywrightFailure
from farm.render.keeping import poison
from farm.render.keeping.host import Host
from farm.render.keeping.keeper import START_TIMEOUT_S, Keeper
from farm.render.keeping.ladder import Ladder, leave_process
from farm.render.keeping.poison import Poison
from farm.render.keeping.quarantine import Quarantine
from farm.render.page import render as page_render
from farm.render.page.outputs import OUTPUTS, Caps
from farm.render.rendering import RenderCancelled, Rendering
from farm.render.slots import Slots
from farm.request import Limits, RenderRequest, RenderResult
from farm.settings import Settings

log = structlog.get_logger()

#: How long there may be no browser that answers before the health check says so.
_HEALTH_GRACE_S = 3.0
#: How often a rendering may have a page.
_MAX_TRIES = 2

_STOPPING = "This instance is stopping; try again."


class _NetworkLost(Exception):
    """The egress proxy died: nobody can say what would be different in the picture."""


@dataclass(frozen=True)
class EngineStatus:
    """What an engine has and uses, at one moment."""

    up: bool
    pages: int
    rendering: int
    max_waiting: int
    waiting: int
    spares: int
    #: Browsers that were started because one had `died` or the farm had `killed` it, and because
    #: one was used up.
    restart_causes: Mapping[str, int]
    browser_recycles: int
    #: Renders that were tried again.
    retries: int
    #: How often a late page was ended by which rung of the ladder, by the rungs' names.
    rungs: Mapping[str, int]
    #: Of the browser's processes (PSS), not long ago.
    memory_bytes: int

    @property
    def browser_restarts(self) -> int:
        return sum(self.restart_causes.values())


class Engine:
    """A browser, its pages and the line before them. Start it after the fork."""

    def __init__(self, settings: Settings) -> None:
        """Finds the browser; raises `StartError`."""
        self._deadline_s = settings.render_deadline_s
        self._spares = settings.spare_contexts
        self._memory_bytes = settings.browser_memory_mb << 20
        self._slots: Slots[Rendering] = Slots(settings.pages_per_browser, settings.max_waiting)
        self._chromium = find_chromium(settings)
        self._egress = Egress(
            settings.egress_policy,
            self._chromium.user,
            settings.egress_max_connections,
            settings.egress_max_bytes,
            on_death=self._on_no_network,
            on_return=self._pump,
        )
        self._keeper = Keeper(
            lambda: self._make_host(self._spares),
            on_up=self._pump,
            leave=leave_process,
            recycle_after=settings.recycle_after_renders,
            drain_s=self._deadline_s,
        )
        self._quarantine = Quarantine(lambda: self._make_host(0), self._drop)
        self._poison = Poison()
        self._closing = False
        self._retries = 0
        self._ladder = Ladder()
        self._caps = Caps(
            settings.max_output_bytes, settings.max_pdf_pages, settings.max_page_height_px
        )
        #: What requests are checked against.
        self.limits = Limits(
            OUTPUTS,
            int(self._deadline_s * 1000),
            settings.max_pixels,
            url_credentials=settings.url_credentials == "allow",
        )

    def start(self) -> None:
        """Start the egress proxy, the keeper, and so the browser; returns at once."""
        if not self._chromium.sandbox:
            log.warning("chromium runs without its sandbox", cause="FARM_CHROMIUM_SANDBOX=off")
        self._egress.start()
        self._keeper.start()

    def wait_started(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Wait for the first browser. Raises `StartError`, which says why there is none.

        The engine goes on trying after that, with a back-off.
        """
        self._keeper.wait_started(timeout_s)

    @property
    def chromium_pid(self) -> int | None:
        """Process id of the browser that takes renderings."""
        host = self._keeper.host
        return host.browser.pid if host else None

    @property
    def egress_pid(self) -> int | None:
        """Process id of the egress proxy that is up."""
        return self._egress.pid

    def admit(self) -> None:
        """Raises `Busy` if a render would be refused now: before the work of reading a request."""
        self._slots.admit(self._deadline_s)

    def render(self, request: RenderRequest, request_id: str = "") -> RenderResult:
        """Render, within the deadline, the wait in line included.

        Raises `Busy`, `BrowserUnavailable`, `RenderTimeout`, `NavigationFailed`, `PageCrashes` or
        `InternalError`. `request_id` is for the log.
        """
        return self.wait(self.begin(request, request_id))

    def begin(self, request: RenderRequest, request_id: str = "") -> Rendering:
        """Start a render that can be cancelled. Raises `Busy`, `PageCrashes` (known to), or
        `BrowserUnavailable`.
        """
        rendering = Rendering(request, request_id, self._deadline_s)
        self._poison.check(request.html)
        self._slots.join(rendering, rendering.left_s)
        # After joining: `close` empties the line once, after it has set this.
        if self._closing:
            self._slots.leave(rendering)
            raise BrowserUnavailable(_STOPPING)
        self._pump()
        return rendering

    def wait(self, rendering: Rendering) -> RenderResult:
        """Its result, within the deadline. Raises what `render` does, and `RenderCancelled`."""
        try:
            return rendering.answer.result(rendering.left_s)
        except FutureTimeout:
            self._abandon(rendering, self._why_late(rendering))
            return rendering.answer.result()

    def cancel(self, rendering: Rendering) -> None:
        """End it now, from any thread; nothing of it runs on."""
        self._abandon(rendering, RenderCancelled())

    def check(self) -> None:
        """Raises `BrowserUnavailable` if it has not been able to render for a moment."""
        if self._egress.down_s > _HEALTH_GRACE_S:
            raise BrowserUnavailable(NO_PROXY)
        if self._keeper.unwell_s > _HEALTH_GRACE_S:
            raise BrowserUnavailable()

    @property
    def status(self) -> EngineStatus:
        host = self._keeper.host
        return EngineStatus(
            up=host is not None,
            pages=self._slots.slots,
            rendering=self._slots.running,
            max_waiting=self._slots.max_waiting,
            waiting=self._slots.waiting,
            spares=host.spares if host else 0,
            restart_causes=dict(self._keeper.restarts),
            browser_recycles=self._keeper.recycles,
            retries=self._retries,
            rungs=dict(self._ladder.ended),
            memory_bytes=host.memory_bytes if host else 0,
        )

    def close(self) -> None:
        """End at once: what still waits or runs gets `BrowserUnavailable`; nothing is left."""
        self._closing = True
        self._ladder.close()
        for rendering in self._slots.empty():
            rendering.fail(BrowserUnavailable(_STOPPING))
        self._quarantine.close()
        self._keeper.close()
        self._egress.close()

    def _make_host(self, spares: int) -> Host:
        return Host(
            self._chromium, self._egress, spares, self._memory_bytes, self._serve, self._on_lost
        )

    def _pump(self) -> None:
        """Give free slots to the oldest of the line, while they can be rendered. From any thread.

        Whatever may have made that possible calls it: a rendering that joins or ends, a browser or
        a proxy that is up.
        """
        while (
            (host := self._keeper.host) is not None
            and self._egress.pid is not None
            and (rendering := self._slots.take()) is not None
        ):
            host.take(rendering)

    def _serve(self, rendering: Rendering, host: Host) -> None:
        """A greenlet of the host's: one rendering from its slot to its answer."""
        error: BaseException | None = None
        innocent = False
        try:
            self._render(rendering, host)
        except (_NetworkLost, BrowserUnavailable):
            innocent = True
        except (FarmError, RenderCancelled) as exc:
            error = exc
        except PlaywrightFailure as exc:
            innocent = rendering.page is None
            error = self._translate(exc, rendering, host)
        except BaseException as exc:
            error = _internal(exc, rendering)
        if not host.claim(rendering):
            return  # its browser died, and that was seen to
        if error is not None:
            rendering.fail(error)
        if rendering.answer.done():
            self._end(rendering)
        else:
            self._lose(rendering, host, innocent)
        self._pump()

    def _render(self, rendering: Rendering, host: Host) -> None:
        pages = host.pages
        if pages is None:
            raise BrowserUnavailable()
        options = rendering.request.options
        waiting_ms = (time.monotonic() - rendering.arrived) * 1000
        with pages.page(options.width, options.height) as page:
            rendering.page = page
            rendering.tries += 1
            if rendering.given_up is not None:
                raise rendering.given_up
            try:
                result = page_render.render(page, rendering.request, self._caps, waiting_ms)
            finally:
                # Whatever came of it: it may be for want of what it lost.
                if rendering.given_up is None:
                    host.browser.check()
                    if not page.port.alive:
                        raise _NetworkLost
            # The answer leaves before the context is closed.
            rendering.deliver(result)

    def _translate(
        self, exc: BaseException, rendering: Rendering, host: Host
    ) -> FarmError | RenderCancelled | None:
        """What Playwright raised, as what it was for the caller; None if it never had a page, or
        its browser is gone.
        """
        if rendering.given_up is not None:
            return rendering.given_up
        try:
            host.browser.ping()
        except BrowserUnavailable:
            return None
        page = rendering.page
        if page is None:  # the process made for it died before it had anything to do
            rendering.tries += 1
            return None
        if not page.gone:
            return _internal(exc, rendering)
        error = PageCrashes()
        error.__cause__ = exc
        return error

    def _on_lost(self, rendering: Rendering, host: Host) -> None:
        """Its browser died under it."""
        self._lose(rendering, host, innocent=host.browser.killed is not None)
        self._pump()

    def _lose(self, rendering: Rendering, host: Host, innocent: bool) -> None:
        """It lost its browser or its network: try it once more, unless it is over anyway.

        `innocent`: it is known that it was not to blame. Who is not goes into quarantine.
        """
        rendering.host = rendering.page = None
        if self._closing:
            rendering.fail(BrowserUnavailable(_STOPPING))
        if rendering.answer.done():
            self._end(rendering)
        elif rendering.tries >= _MAX_TRIES:
            rendering.fail(self._blame(rendering, host, innocent))
            self._end(rendering)
        else:
            self._retries += rendering.tries
            if innocent or not rendering.tries:
                self._slots.rejoin(rendering)
            else:
                self._quarantine.put(rendering)

    def _blame(self, rendering: Rendering, host: Host, innocent: bool) -> FarmError:
        html = rendering.request.html
        if innocent or html is None or not self._quarantine.has(host):
            return BrowserDied()
        self._poison.add(html)
        log.warning("page refused from now on", request_id=rendering.request_id)
        return PageCrashes(poison.SENTENCE)

    def _drop(self, rendering: Rendering, again: bool) -> None:
        """From quarantine: it is not rendered there."""
        if again and not rendering.answer.done() and not self._closing:
            self._slots.rejoin(rendering)
        else:
            rendering.fail(BrowserUnavailable(_STOPPING))
            self._end(rendering)
        self._pump()

    def _end(self, rendering: Rendering) -> None:
        self._slots.release(rendering)
        rendering.host = None
        rendering.gone.set()

    def _why_late(self, rendering: Rendering) -> FarmError:
        if rendering.host is None and rendering.tries:  # its place was in line for a second try
            return BrowserDied()
        host = rendering.host or self._keeper.host
        if host is None or host.browser.silence_s > _HEALTH_GRACE_S:
            return BrowserUnavailable()
        no_turn = not rendering.tries and self._egress.pid is None
        if no_turn or self._egress.down_s > _HEALTH_GRACE_S:
            return BrowserUnavailable(NO_PROXY)
        return RenderTimeout(f"The page did not finish within {self._deadline_s:g} s.")

    def _abandon(self, rendering: Rendering, reason: FarmError | RenderCancelled) -> None:
        """Answer with `reason` now, and see to it that nothing of the render runs on.

        An answer that is there already is as good as any, and stays.
        """
        rendering.given_up = reason
        if rendering.answer.done():
            return
        rendering.fail(reason)
        if self._slots.leave(rendering):
            rendering.gone.set()
        else:
            self._ladder.climb(rendering)

    def _on_no_network(self) -> None:
        """The egress proxy died: what runs might wait for it until the deadline."""
        for rendering in self._slots.running_items():
            host, page = rendering.host, rendering.page
            if host is not None and page is not None:
                host.browser.spawn(page.close)


def _internal(cause: BaseException, rendering: Rendering) -> InternalError:
    # In the engine's thread, where no request is bound to the log.
    log.error(
        "render failed", request_id=rendering.request_id, cause=first_line(cause), exc_info=cause
    )
    error = InternalError()
    error.__cause__ = cause
    return error
