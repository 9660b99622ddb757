"""Decides what becomes of a rendering once it has a slot.

`serve` renders it (`attempt`). A rendering that has lost its browser or its network is retried
once: beside others if the farm itself ended the browser, else alone (`quarantine`). HTML that
crashes that browser too is refused from then on (`poison`). A rendering that is given up, because
it is late or cancelled, is answered at once, and `escalation` ends in another thread what still
runs of it.

`serve` runs in a greenlet of the browser's thread, `lost` and `dropped` in the threads that notice
the loss, and `give_up` in the request's thread.
"""

import asyncio
from collections.abc import Callable

import structlog

from farm.errors import BrowserDied, BrowserUnavailable, Busy, FarmError, PageCrashes
from farm.render.attempt import Attempts
from farm.render.keeping import poison
from farm.render.keeping.escalation import Escalation
from farm.render.keeping.host import Host
from farm.render.keeping.poison import Poison
from farm.render.keeping.quarantine import Quarantine
from farm.render.rendering import Rendering, State
from farm.render.slots import SHARE_S, Slots
from farm.renderer import RenderCancelled

log = structlog.get_logger()

STOPPING = "This instance is stopping; try again."
#: How often a rendering may have a page.
_MAX_TRIES = 2


class Outcomes:
    def __init__(
        self,
        slots: Slots[Rendering],
        attempts: Attempts,
        make_host: Callable[[], Host],
        dispatch: Callable[[], None],
    ) -> None:
        """`make_host` makes a browser for one page at a time.

        `dispatch` is called whenever a slot or a place in the queue becomes free.
        """
        self._slots = slots
        self._attempts = attempts
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
        share = asyncio.get_running_loop().call_later(SHARE_S, self._dispatch)
        try:
            end = self._attempts.render(rendering, host)
        finally:
            share.cancel()
        if not host.claim(rendering):
            return  # `lost` has handled it
        if end.error is not None:
            rendering.fail(end.error)
        if rendering.answer.done():
            self._finish(rendering)
        else:
            self._retry(rendering, host, end.innocent)
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
