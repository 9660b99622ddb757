"""Decides what becomes of a rendering once it has a slot.

`serve` renders it. A rendering that has lost its browser or its network is retried once: beside
others if the farm itself ended the browser, else alone (`quarantine`). HTML that crashes that
browser too is refused from then on (`poison`). A rendering that is given up, because it is late or
cancelled, is answered at once, and `escalation` ends in another thread what still runs of it.

`serve` runs in a greenlet of the browser's thread, `lost` and `dropped` in the threads that notice
the loss, and `give_up` in the request's thread.
"""

import asyncio
import time
from collections.abc import Callable

import structlog

from farm.egress import Egress
from farm.errors import (
    BrowserDied,
    BrowserUnavailable,
    Busy,
    FarmError,
    InternalError,
    NoPort,
    PageCrashes,
)
from farm.logs import first_line
from farm.render.browser.devtools import DevToolsError
from farm.render.keeping import poison
from farm.render.keeping.escalation import Escalation
from farm.render.keeping.host import Host
from farm.render.keeping.poison import Poison
from farm.render.keeping.quarantine import Quarantine
from farm.render.page import render as page_render
from farm.render.page.caps import Caps
from farm.render.page.settling import Patience
from farm.render.page.time_limit import capture_s
from farm.render.rendering import Rendering, State
from farm.render.slots import SHARE_S, Slots
from farm.renderer import RenderCancelled

log = structlog.get_logger()

STOPPING = "This instance is stopping; try again."
#: How often a rendering may have a page.
_MAX_TRIES = 2


class _NetworkLost(Exception):
    """The egress proxy has died or hangs, so the picture may lack anything."""


class _DrawingLost(Exception):
    """The GPU process has died. The page has lost what it drew, or may be the cause."""


class Outcomes:
    def __init__(
        self,
        slots: Slots[Rendering],
        egress: Egress,
        caps: Caps,
        settle_max_s: float,
        epoch_s: float,
        make_host: Callable[[], Host],
        dispatch: Callable[[], None],
    ) -> None:
        """`make_host` makes a browser for one page at a time.

        `dispatch` is called whenever a slot or a place in the queue becomes free. `epoch_s`: see
        `Patience`.
        """
        self._slots = slots
        self._egress = egress
        self._caps = caps
        self._settle_max_s = settle_max_s
        self._epoch_s = epoch_s
        self._dispatch = dispatch
        self._closing = False
        self._quarantine = Quarantine(make_host, self.dropped)
        self.poison = Poison()
        self.escalation = Escalation()
        #: The number of renders that were retried.
        self.retries = 0

    def close(self) -> None:
        """End every rendering with `BrowserUnavailable`."""
        self._closing = True
        self.escalation.close()
        for rendering in self._slots.drain():
            rendering.fail(BrowserUnavailable(STOPPING))
        self._quarantine.close()

    def serve(self, rendering: Rendering, host: Host) -> None:
        """Render it, from its slot to its answer."""
        error: BaseException | None = None
        innocent = False
        share = asyncio.get_running_loop().call_later(SHARE_S, self._dispatch)
        try:
            self._render(rendering, host)
        except NoPort as exc:
            error = exc
        except (_NetworkLost, BrowserUnavailable):
            innocent = True
        except _DrawingLost:
            pass
        except (FarmError, RenderCancelled) as exc:
            error = exc
        except DevToolsError as exc:
            innocent = rendering.page is None
            error = self._translate(exc, rendering, host)
        except BaseException as exc:
            error = _internal(exc, rendering)
        finally:
            share.cancel()
        if not host.claim(rendering):
            return  # `lost` has handled it
        if error is not None:
            rendering.fail(error)
        if rendering.answer.done():
            self._finish(rendering)
        else:
            self._retry(rendering, host, innocent)
        self._dispatch()

    def lost(self, rendering: Rendering, host: Host) -> None:
        """The browser has died during the render."""
        self._retry(rendering, host, innocent=not host.browser.pages_are_suspect)
        self._dispatch()

    def dropped(self, rendering: Rendering, requeue: bool) -> None:
        """Quarantine has not rendered it.

        `requeue`: True if there was no browser; then it is put back into the queue.
        """
        if requeue and not rendering.answer.done() and not self._closing:
            rendering.unassign(State.WAITING)
            self._slots.requeue(rendering)
        else:
            rendering.fail(BrowserUnavailable(STOPPING))
            self._finish(rendering)
        self._dispatch()

    def give_up(self, rendering: Rendering, reason: FarmError | RenderCancelled) -> None:
        """Answer with `reason` now, and end what runs of the render.

        An answer that exists already stays.
        """
        rendering.given_up = reason
        if rendering.answer.done():
            return
        rendering.fail(reason)
        if self._slots.remove_waiting(rendering):
            rendering.unassign(State.ENDED)
        elif rendering.state is State.SUSPECT:  # quarantine will skip it, but perhaps not soon
            self._slots.release(rendering)
            self._dispatch()
        else:
            self.escalation.end(rendering)

    def displace(self, rendering: Rendering, reason: Busy) -> None:
        """Answer a rendering that had to leave the queue for another caller's."""
        rendering.fail(reason)
        rendering.unassign(State.ENDED)

    def network_lost(self) -> None:
        """The egress proxy has died. Renders that run could wait for it until their deadlines."""
        for rendering in self._slots.running_items():
            browser, page = rendering.browser, rendering.page
            if browser is not None and page is not None:
                browser.spawn(page.close)

    def _render(self, rendering: Rendering, host: Host) -> None:
        pages, drawing = host.pages, host.drawing
        if pages is None or drawing is None:
            raise BrowserUnavailable()
        options = rendering.request.options
        waiting_ms = (time.monotonic() - rendering.arrived) * 1000
        latest, deadline = self._latest(rendering), rendering.deadline
        patience = Patience(self._settle_max_s, latest, deadline, self._epoch_s)
        with pages.page(options.width, options.height, rendering.caller) as page:
            rendering.page = page
            rendering.tries += 1
            if rendering.given_up is not None:
                raise rendering.given_up
            if not page.port.alive:  # the proxy died before `network_lost` could know of the page
                raise _NetworkLost
            try:
                result = page_render.render(
                    page, rendering.request, self._caps, patience, waiting_ms
                )
            finally:
                # Even if the render raised: a dead browser or proxy may be the real cause.
                if rendering.given_up is None:
                    host.browser.kill_if_crippled()
                    if not page.port.alive:
                        raise _NetworkLost
                    if drawing.may_have_spoilt(rendering):
                        raise _DrawingLost
            if any(file.format.is_picture for file in result.parts or (result,)):
                drawing.note_picture()
            # The page may lack something because of the proxy, not because of the site.
            if result.unfinished and self._egress.down_s > 0:
                raise _NetworkLost
            # The answer is delivered before the context is closed.
            rendering.deliver(result)

    def _latest(self, rendering: Rendering) -> float:
        """When the capture must begin so that the answer is there by the deadline."""
        allowed_s = rendering.deadline - rendering.arrived
        return rendering.deadline - capture_s(allowed_s, len(rendering.request.files))

    def _translate(
        self, exc: BaseException, rendering: Rendering, host: Host
    ) -> FarmError | RenderCancelled | None:
        """Map what the browser's calls raise to the caller's error.

        None means retry: the browser is gone, or the page's process died before it was used.
        """
        if rendering.given_up is not None:
            return rendering.given_up
        try:
            host.browser.ping()
        except BrowserUnavailable:
            return None
        page = rendering.page
        if page is None:
            rendering.tries += 1
            return None
        if not page.died:
            return _internal(exc, rendering)
        error = PageCrashes()
        error.__cause__ = exc
        return error

    def _retry(self, rendering: Rendering, host: Host, innocent: bool) -> None:
        """Retry a rendering that has lost its browser or its network, unless it is over.

        `innocent`: it is known not to have killed the browser. Any other rendering that had a page
        goes to quarantine.
        """
        if self._closing:
            rendering.fail(BrowserUnavailable(STOPPING))
        if rendering.answer.done():
            self._finish(rendering)
        elif rendering.tries >= _MAX_TRIES:
            rendering.fail(self._last_error(rendering, host, innocent))
            self._finish(rendering)
        else:
            if rendering.tries:
                self.retries += 1
            if innocent or not rendering.tries:
                rendering.unassign(State.WAITING)
                self._slots.requeue(rendering)
            else:
                rendering.unassign(State.SUSPECT)
                self._quarantine.put(rendering)

    def _last_error(self, rendering: Rendering, host: Host, innocent: bool) -> FarmError:
        if innocent or not self._quarantine.has(host):
            return BrowserDied()
        if rendering.request.html is None:  # what the URL leads to may change
            return PageCrashes()
        self.poison.add(rendering.request)
        log.warning("page refused from now on", request_id=rendering.request_id)
        return PageCrashes(poison.SENTENCE)

    def _finish(self, rendering: Rendering) -> None:
        self._slots.release(rendering)
        rendering.unassign(State.ENDED)


def _internal(cause: BaseException, rendering: Rendering) -> InternalError:
    # This may be the browser's thread, where no request id is bound to the log.
    log.error(
        "render failed", request_id=rendering.request_id, cause=first_line(cause), exc_info=cause
    )
    error = InternalError()
    error.__cause__ = cause
    return error
