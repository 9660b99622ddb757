"""The engine: `RenderRequest` in, `RenderResult` or a `FarmError` out, for everything it accepts.

Request threads call `render` and wait on a future. The line and the slots are theirs and the
engine thread's; pages, contexts and the browser are the engine thread's alone (see `browser`).
"""

import threading
import time
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import structlog
from playwright.sync_api import Browser

from farm.egress import NO_PROXY, Egress
from farm.errors import BrowserUnavailable, FarmError, InternalError, PageCrashes, RenderTimeout
from farm.logs import first_line
from farm.render import page as page_render
from farm.render.browser import BrowserThread, PlaywrightFailure
from farm.render.chromium import find_chromium
from farm.render.outputs import OUTPUTS, Caps
from farm.render.slots import Slots
from farm.render.spares import FreshContexts, Page
from farm.request import Limits, RenderRequest, RenderResult
from farm.settings import Settings

log = structlog.get_logger()

#: How long a page whose deadline has passed may take to close before its browser is killed, and
#: how long the browser's end may take before the driver is. Closing takes 0.03 s even for a page
#: in an endless loop.
_CLOSE_GRACE_S = 1.0
#: How long the first browser may take to start.
_START_TIMEOUT_S = 30.0
#: How long a browser may take to answer a ping, and for how long an answer is believed.
_PING_TIMEOUT_S = 2.0
_PING_VALID_S = 0.5

_STOPPING = "This instance is stopping; try again."


class RenderCancelled(Exception):
    """The render was ended by `Engine.cancel`; its result is wanted no more."""


class Rendering:
    """One render on its way, for `Engine.wait` and `Engine.cancel`. Hashed by identity."""

    def __init__(self, request: RenderRequest, request_id: str) -> None:
        self.request = request
        self.request_id = request_id
        self.arrived = time.monotonic()
        self.answer: Future[RenderResult] = Future()
        self.page: Page | None = None
        #: Why the engine itself ended the render; what the page's calls then raise is no news.
        self.given_up: FarmError | RenderCancelled | None = None
        #: Set when nothing of the render is left in the browser.
        self.gone = threading.Event()

    def deliver(self, result: RenderResult) -> None:
        """The first answer counts, whichever thread gives it."""
        with suppress(InvalidStateError):
            self.answer.set_result(result)

    def fail(self, error: BaseException) -> None:
        with suppress(InvalidStateError):
            self.answer.set_exception(error)


@dataclass(frozen=True)
class EngineStatus:
    """What an engine has and uses, at one moment."""

    up: bool
    pages: int
    rendering: int
    max_waiting: int
    waiting: int
    spares: int
    #: Browsers that had to be started after the first.
    browser_restarts: int


class Engine:
    """One browser, its pages and the line before them. Start it after the fork."""

    def __init__(self, settings: Settings) -> None:
        """Finds the browser; raises `StartError`."""
        self._deadline_s = settings.render_deadline_s
        self._wanted_spares = settings.spare_contexts
        self._slots: Slots[Rendering] = Slots(settings.pages_per_browser, settings.max_waiting)
        chromium = find_chromium(settings)
        self._sandbox = chromium.sandbox
        self._egress = Egress(
            settings.egress_policy,
            chromium.user,
            settings.egress_max_connections,
            settings.egress_max_bytes,
            self._on_no_network,
        )
        self._browser = BrowserThread(chromium, self._on_up, self._on_down)
        self._pages: FreshContexts | None = None
        self._closing = False
        self._pinged = 0.0
        self._ping_lock = threading.Lock()
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
        """Start the egress proxy, the thread, and in it the browser; returns at once."""
        if not self._sandbox:
            log.warning("chromium runs without its sandbox", cause="FARM_CHROMIUM_SANDBOX=off")
        self._egress.start()
        self._browser.start()

    def wait_started(self, timeout_s: float = _START_TIMEOUT_S) -> None:
        """Wait for the first browser. Raises `StartError`, which says why there is none.

        The engine goes on trying after that, with a back-off.
        """
        self._browser.wait_started(timeout_s)

    @property
    def chromium_pid(self) -> int | None:
        """Process id of the browser that is up."""
        return self._browser.pid

    @property
    def egress_pid(self) -> int | None:
        """Process id of the egress proxy that is up."""
        return self._egress.pid

    def render(self, request: RenderRequest, request_id: str = "") -> RenderResult:
        """Render, within the deadline, the wait in line included.

        Raises `Busy`, `BrowserUnavailable`, `RenderTimeout`, `NavigationFailed`, `PageCrashes` or
        `InternalError`. `request_id` is for the log.
        """
        return self.wait(self.begin(request, request_id))

    def begin(self, request: RenderRequest, request_id: str = "") -> Rendering:
        """Start a render that can be cancelled. Raises `Busy` or `BrowserUnavailable`."""
        rendering = Rendering(request, request_id)
        self._slots.join(rendering)
        # After joining: `close` empties the line once, after it has set this.
        if self._closing:
            self._slots.leave(rendering)
            raise BrowserUnavailable(_STOPPING)
        self._pump()
        return rendering

    def wait(self, rendering: Rendering) -> RenderResult:
        """Its result, within the deadline. Raises what `render` does, and `RenderCancelled`."""
        left_s = max(0.0, rendering.arrived + self._deadline_s - time.monotonic())
        try:
            return rendering.answer.result(left_s)
        except FutureTimeout:
            self._abandon(
                rendering, RenderTimeout(f"The page did not finish within {self._deadline_s:g} s.")
            )
            return rendering.answer.result()

    def cancel(self, rendering: Rendering) -> None:
        """End it now, from any thread; nothing of it runs on."""
        self._abandon(rendering, RenderCancelled())

    def check(self) -> None:
        """Raises `BrowserUnavailable` unless there is an egress proxy, and the browser answers now
        or did a moment ago.
        """
        if self._egress.pid is None:
            raise BrowserUnavailable(NO_PROXY)
        with self._ping_lock:
            if time.monotonic() - self._pinged < _PING_VALID_S and self._browser.up:
                return
            answer: Future[None] = Future()

            def ping() -> None:
                try:
                    self._browser.ping()
                    answer.set_result(None)
                except BaseException as exc:
                    answer.set_exception(exc)

            if not self._browser.up or not self._browser.spawn(ping):
                raise BrowserUnavailable()
            try:
                answer.result(_PING_TIMEOUT_S)
            except FutureTimeout as exc:
                raise BrowserUnavailable("The browser does not answer.") from exc
            self._pinged = time.monotonic()

    @property
    def status(self) -> EngineStatus:
        pages = self._pages
        return EngineStatus(
            up=self._browser.up,
            pages=self._slots.slots,
            rendering=self._slots.running,
            max_waiting=self._slots.max_waiting,
            waiting=self._slots.waiting,
            spares=pages.spares if pages else 0,
            browser_restarts=max(0, self._browser.launches - 1),
        )

    def close(self) -> None:
        """End at once: what still waits or runs gets `BrowserUnavailable`; nothing is left."""
        self._closing = True
        for rendering in self._slots.empty():
            rendering.fail(BrowserUnavailable(_STOPPING))
        self._browser.stop()
        self._egress.close()

    def _pump(self) -> None:
        """Start what can be started. From any thread."""
        self._browser.spawn(self._start_waiting)

    def _start_waiting(self) -> None:
        """Engine thread: give free slots to the oldest of the line, while there is a browser."""
        while (pages := self._pages) is not None and (rendering := self._slots.take()) is not None:
            self._browser.spawn(partial(self._serve, rendering, pages))

    def _serve(self, rendering: Rendering, pages: FreshContexts) -> None:
        """Engine thread, a greenlet: one rendering from its slot to its answer."""
        try:
            self._render(rendering, pages)
        except (FarmError, RenderCancelled) as exc:
            rendering.fail(exc)
        except PlaywrightFailure as exc:
            rendering.fail(self._translate(exc, rendering))
        except BaseException as exc:
            rendering.fail(_internal(exc, rendering))
        finally:
            self._slots.release(rendering)
            rendering.gone.set()
            self._start_waiting()

    def _render(self, rendering: Rendering, pages: FreshContexts) -> None:
        options = rendering.request.options
        waiting_ms = (time.monotonic() - rendering.arrived) * 1000
        with pages.page(options.width, options.height) as rendering.page:
            if rendering.given_up is not None:
                raise rendering.given_up
            try:
                result = page_render.render(
                    rendering.page, rendering.request, self._caps, waiting_ms
                )
            finally:
                if not rendering.page.port.alive:  # nobody can say what would be different
                    raise BrowserUnavailable(NO_PROXY)
            # The answer leaves before the context is closed.
            rendering.deliver(result)

    def _translate(self, exc: BaseException, rendering: Rendering) -> FarmError | RenderCancelled:
        """What Playwright raised, as what it was for the caller."""
        if rendering.given_up is not None:
            return rendering.given_up
        error: FarmError
        try:
            self._browser.ping()
        except BrowserUnavailable as unavailable:
            error = unavailable
        else:
            page = rendering.page
            gone = page is not None and (page.crashed or page.page.is_closed())
            error = PageCrashes() if gone else _internal(exc, rendering)
        error.__cause__ = exc
        return error

    def _abandon(self, rendering: Rendering, reason: FarmError | RenderCancelled) -> None:
        """Answer with `reason` now, and see to it that nothing of the render runs on.

        An answer that is there already is as good as any, and stays.
        """
        rendering.given_up = reason
        if rendering.answer.done():
            return
        rendering.fail(reason)
        if not self._slots.leave(rendering):
            threading.Thread(target=self._see_gone, args=(rendering,), daemon=True).start()

    def _see_gone(self, rendering: Rendering) -> None:
        """Outside the engine's thread: close the page; else kill its browser; else the driver."""
        page = rendering.page
        if page is not None:
            self._browser.spawn(page.close)
        if rendering.gone.wait(_CLOSE_GRACE_S):
            return
        self._browser.kill(f"a page did not close when it was told ({rendering.request_id})")
        if rendering.gone.wait(_CLOSE_GRACE_S):
            return
        self._browser.kill_driver(f"a page outlived its browser ({rendering.request_id})")

    def _on_up(self, browser: Browser) -> None:
        self._pages = FreshContexts(browser, self._egress, self._wanted_spares, self._browser.spawn)
        self._pages.refill()
        self._pump()

    def _on_no_network(self) -> None:
        """The egress proxy died: what runs might wait for it until the deadline."""
        for rendering in self._slots.running_items():
            self._abandon(rendering, BrowserUnavailable(NO_PROXY))

    def _on_down(self) -> None:
        """Engine thread: what ran in the browser is lost; what waits in line goes on waiting.

        The jobs are failed here and not left to their calls, not all of which raise.
        """
        if self._pages is not None:
            self._pages.forget()
        self._pages = None
        for rendering in self._slots.running_items():
            rendering.fail(BrowserUnavailable())
            self._slots.release(rendering)
            rendering.gone.set()


def _internal(cause: BaseException, rendering: Rendering) -> InternalError:
    # In the engine's thread, where no request is bound to the log.
    log.error(
        "render failed", request_id=rendering.request_id, cause=first_line(cause), exc_info=cause
    )
    error = InternalError()
    error.__cause__ = cause
    return error
