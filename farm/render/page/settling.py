"""Waits until a page is ready to be captured.

A page is ready when the `load` event has fired, web fonts are loaded, images in view are decoded,
and all requests are answered: those of the page, and those that their answers cause, until none has
been pending for a moment. Requests that never end are not waited for (`requests`). Nothing is
waited for longer than `FARM_SETTLE_MAX_S` after the first `load`. After that, the page counts as
ready, and `Settling.unfinished` says what it lacks.

If the page navigates meanwhile, the new document is waited for in the same way. A page that still
navigates when its time is over is stopped (`freezing`). Steps of a render call `Settling`, in the
render's greenlet.
"""

import math
import time
from contextlib import suppress
from dataclasses import dataclass

from farm.render.browser.devtools import (
    CommandFailed,
    Params,
    TimedOut,
    Wait,
)
from farm.render.browser.page import Page
from farm.render.page import freezing
from farm.render.page.activity import Activity
from farm.render.page.deterministic import VirtualClock
from farm.render.page.frames import Frames, begin_if_there
from farm.render.page.interception import Interception
from farm.render.page.navigation import DocumentGone
from farm.render.page.scripts import (
    begin_call,
    begin_world,
    function_in,
    never_ran,
    value_in,
    world_in,
)

#: For so long no request may have been pending: two frames, and more for URLs, since a site's
#: scripts start to load what they show only after they have run for a moment.
HTML_QUIET_S = 2 / 60
URL_QUIET_S = 0.1
#: The time that a call may take when the time for settling is over. It is enough for a page that is
#: busy now and then.
_LAST_CALL_S = 1.0
#: The time that a worker may take for its pending messages. A slower one may be busy for ever.
_WORKERS_S = 2.0
#: The time of two frames by the worker's own timers, which fire late if the worker has more to do.
_TWO_FRAMES = "new Promise((done) => setTimeout(() => setTimeout(done, 16), 16))"
#: The time of two frames on a busy machine, for a page where no script can wait for frames.
_TWO_FRAMES_MS = 50
#: The time that the load event of a complete document may take.
_LOAD_EVENT_S = 0.2
#: The time that the event that explains a failed command may take.
_NEWS_S = 0.1
#: The pause between two looks at whether a lost page still navigates.
_LOST_S = 0.5
_ANIMATIONS = function_in("animations.js")


@dataclass(frozen=True)
class Patience:
    """How long a page is waited for."""

    #: Seconds after the first `load`. Before it: seconds without progress, for a document whose
    #: HTML is parsed.
    settle_max_s: float
    #: When the capture must begin so that the render is done by its deadline (`monotonic`).
    latest: float
    #: When the render must be done (`monotonic`).
    deadline: float = math.inf
    #: Where the clock of a deterministic render starts, in seconds since 1970.
    epoch_s: float = 0


class Settling:
    """The waits of one render."""

    def __init__(
        self,
        page: Page,
        activity: Activity,
        interception: Interception,
        patience: Patience,
        quiet_s: float,
    ) -> None:
        #: When a page counts as ready: `settled`, or as soon as its document has reached `load` or
        #: `domcontentloaded`.
        self.until = "settled"
        self._page = page
        self._activity = activity
        self._frames = Frames(page, activity)
        self._interception = interception
        self._patience = patience
        self._quiet_s = quiet_s
        #: When all waiting ends (`monotonic`); known from the first `load` on.
        self._limit = math.inf
        self._has_given_up = False
        #: When the page had loaded (`monotonic`).
        self.loaded_at = math.inf
        #: `Requests.progress` when workers were last waited for.
        self._caught_up: tuple[int, int] | None = None
        #: The page's virtual clock, if it has one. Then timers may not fire by real time.
        self.clock: VirtualClock | None = None
        #: What the page still waited for when it was taken as ready: URLs, or words.
        self.unfinished: tuple[str, ...] = ()

    @property
    def latest(self) -> float:
        """When the capture must begin (`monotonic`)."""
        return self._patience.latest

    def write(self, html: str, may_load_late: bool, may_have_workers: bool) -> None:
        """Make the HTML the page's document, and wait until it is ready.

        `may_load_late`: the page may start loads when it is drawn. `may_have_workers`: it may start
        loads in workers, which the browser reports later. Raises `CommandFailed` if the HTML could
        not be written.
        """
        document = self._activity.document
        found = None
        try:
            arguments = (html, may_load_late, self.clock is None)
            call = begin_call(self._page.session, self._page.first_world, "write", *arguments)
            found = self._value(call)
        except DocumentGone:
            pass
        except CommandFailed as failure:
            if never_ran(failure):
                raise
        if found is not None:
            document.title = found["title"]
        if found is not None and not document.loaded:
            # The document says that it is complete. The event follows, unless the page has stopped
            # itself.
            end = time.monotonic() + _LOAD_EVENT_S
            self._activity.wait_until(lambda: document.loaded or document.is_gone, end)
            document.loaded = True
        if may_have_workers:
            self._page.catch_up()
        is_ready = found is not None and not self._may_change(found, (0, 0))
        if found is not None and is_ready and not document.is_gone:
            self.loaded_at = time.monotonic() - found["ms"] / 1000
        else:
            self.settle()

    def resume(self) -> None:
        """Wait again, after a step of the request that may have changed the page."""
        self.reset_limit()
        self.settle()

    def reset_limit(self) -> None:
        """Forget when all waiting ends: the next `load` sets it. Without effect after `give_up`."""
        if not self._has_given_up:
            self._limit = math.inf

    def forget_unfinished(self) -> None:
        """Do not wait again for requests that were waited for long enough."""
        self._activity.requests.drop(lambda request: request.url in self.unfinished)

    def settle(self) -> None:
        """Wait until the page is ready, whatever documents it navigates to meanwhile."""
        activity = self._activity
        if self.clock is not None:
            self.clock.start()
        is_ready = has_gone = False
        while not is_ready:
            self._wait_for_load()
            # A page that navigates again and again may stay too briefly to settle.
            if self._is_over and (has_gone or activity.navigating_to is not None):
                self.freeze()
            document = activity.document
            try:
                is_ready = self._settle_document()
            except (DocumentGone, TimedOut):
                has_gone |= document.is_gone
            except CommandFailed:  # a navigation has destroyed the world: its event follows
                has_gone |= activity.wait_until_gone(document, _NEWS_S)
        if self._is_over:
            self._note_unfinished()

    def wait_until_idle(self, idle_s: float) -> None:
        """Wait until no request has been pending for so long, and settle what their answers cause.

        It takes no longer than settling may: a page that never rests is taken as it is.
        """
        activity = self._activity
        since = time.monotonic()
        while not self._is_over:
            left = max(since + idle_s - time.monotonic(), activity.quiet_in(idle_s))
            if left <= 0:
                return
            before = activity.document, activity.requests.ended
            activity.wait_for_change(min(left, self._limit - time.monotonic()))
            if (activity.document, activity.requests.ended) != before:
                self.settle()
                since = time.monotonic()
        self._note_unfinished()

    def draw(self) -> None:
        """Wait until what the page shows now is drawn, with its fonts and the images in view."""
        with suppress(DocumentGone, TimedOut, CommandFailed):
            session = self._page.session
            begun_world = begin_world(session, self._page.id)
            world = world_in(self._activity.await_answer(begun_world, _LAST_CALL_S))
            arguments = (True, self.clock is None)
            self._value(begin_call(session, world, "settle", *arguments), _LAST_CALL_S)

    def give_up(self) -> None:
        """The request's own time has passed: take the page as it is."""
        self._has_given_up = True
        self._limit = time.monotonic()
        self.loaded_at = min(self.loaded_at, self._limit)
        self._note_unfinished()
        if self._activity.navigating_to is not None and not self._activity.is_lost:
            # A page that is about to navigate answers no commands.
            freezing.stop_loading(self._page, self._activity)

    def run_clock(self) -> None:
        """Wait until the virtual clock reaches the moment of the capture, then settle the page."""
        if self.clock is None:
            return
        now = time.monotonic()
        if not self.clock.wait(min(now + self._patience.settle_max_s, self._patience.latest)):
            self.unfinished = (*self.unfinished, "its clock")
        self.resume()

    def settle_again(self) -> None:
        """Settle the page again, since it navigated while it was captured.

        A page that has been waited for long enough and still navigates is held as it is.
        """
        if self._is_over:
            self.freeze()
        self.settle()

    def freeze(self) -> None:
        """Hold the page as it is: see `freezing`."""
        self._note_unfinished()
        freezing.freeze(self._page, self._activity, self._interception)

    def _note_unfinished(self) -> None:
        lacks_load = [] if self._activity.document.loaded else ["the load event"]
        found = [*self.unfinished, *lacks_load, *self._activity.under_way]
        self.unfinished = tuple(dict.fromkeys(found))

    @property
    def left_s(self) -> float:
        """Seconds until the capture must begin if the render is to be done by its deadline."""
        return self._patience.latest - time.monotonic()

    @property
    def _is_over(self) -> bool:
        """Whether the page has been waited for long enough. A lost page has nothing to show."""
        return time.monotonic() >= self._limit and not self._activity.is_lost

    def _wait_for_load(self) -> None:
        """Wait until the document has loaded and stays, or makes no progress any more."""
        activity = self._activity
        while True:
            while activity.is_lost:  # no event says that its navigation does not start
                activity.wait_for_change(_LOST_S)
            document = activity.document
            now = time.monotonic()
            is_stuck_at = min(
                activity.requests.last_progress + self._patience.settle_max_s, self._patience.latest
            )
            has_come = document.parsed if self.until == "domcontentloaded" else document.loaded
            may_be_stuck = not has_come and (document.parsed or activity.is_navigating)
            is_stuck = may_be_stuck and now >= is_stuck_at
            if (has_come or is_stuck) and self._limit == math.inf:
                self.loaded_at = min(now, self.loaded_at)
                self._limit = min(now + self._patience.settle_max_s, self._patience.latest)
                if is_stuck:
                    self._limit = now
            if is_stuck or (has_come and (self._is_over or not activity.navigating_to)):
                return
            until = self._limit if has_come else math.inf
            if may_be_stuck:
                until = min(until, is_stuck_at)
            activity.wait_for_change(until - now)

    def _settle_document(self) -> bool:
        """Wait for fonts, images, frames and requests.

        False if the page has started more meanwhile.
        """
        activity = self._activity
        document = activity.document
        begun_world = begin_world(self._page.session, self._page.id)
        world = world_in(activity.await_answer(begun_world, self._patience.settle_max_s))
        if self._is_over or self.until != "settled":
            self._hide_cursor(world)
            return True
        before = activity.requests.progress
        arguments = (activity.requests.begun > 0, self.clock is None)
        call = begin_call(self._page.session, world, "settle", *arguments)
        while (left := activity.quiet_in(self._quiet_s)) and not self._is_over:
            activity.wait_for_change(min(left, self._limit - time.monotonic()))
            if document.is_gone:
                raise DocumentGone("the page has gone elsewhere")
        try:
            found = self._value(call, max(_LAST_CALL_S, self._limit - time.monotonic()))
        except TimedOut:
            self._hide_cursor(world)
            return True
        assert found is not None
        document.title = found["title"]
        if not found["waits"]:
            self._page.wait(_TWO_FRAMES_MS)
        if found["frames"]:
            self._settle_frames()
            found["frames"] = 0
        self._page.catch_up()
        is_ready = self._is_over or not self._may_change(found, before)
        return is_ready and not self._wait_for_workers()

    def _may_change(self, found: Params, before: tuple[int, int]) -> bool:
        """Whether the document may still change after what was found of it."""
        activity = self._activity
        has_changed = activity.requests.progress != before
        return bool(found["frames"] or has_changed or activity.quiet_in(0))

    def _wait_for_workers(self) -> bool:
        """Wait until workers have done what is pending.

        Returns whether the page may hear of it only now: when a worker has got the answer that it
        waited for, it sends the page a message, and no event reports that.
        """
        activity = self._activity
        now, workers = activity.requests.progress, activity.requests.workers
        if self._is_over or not workers or self._caught_up == now:
            return False
        self._caught_up = now
        expression = _TWO_FRAMES if self.clock is None else "0"
        turn = {"expression": expression, "awaitPromise": True}
        self._frames.answers(
            [begin_if_there(worker.begin, "Runtime.evaluate", turn) for worker in workers],
            self._limit,
            _WORKERS_S,
        )
        return True

    def _settle_frames(self) -> None:
        """Settle every frame except the main one.

        Another process may draw a frame, and a capture does not wait for that process.
        """
        arguments = (True, self.clock is None)
        self._frames.call("settle", *arguments, but=self._page.id, limit=self._limit)

    def finish_animations(self) -> None:
        """Finish animations in all frames.

        Raises `TargetGone`, or `DocumentGone` if the page navigates.
        """
        self._frames.call("finishAnimations", self.clock is None, function=_ANIMATIONS)

    def _hide_cursor(self, world: int) -> None:
        document = self._activity.document
        with suppress(TimedOut):
            call = begin_call(self._page.session, world, "hideCursor")
            if (found := self._value(call, _LAST_CALL_S)) is not None:
                document.title = found["title"]

    def _value(self, call: Wait, timeout_s: float | None = None) -> Params | None:
        return value_in(self._activity.await_answer(call, timeout_s))
