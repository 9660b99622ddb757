"""One render, top to bottom: load, settle, wait, capture."""

import time
from dataclasses import dataclass

from farm.formats import FORMATS
from farm.render.browser.page import Page
from farm.render.page import emulation, loading, waiting
from farm.render.page.activity import Activity
from farm.render.page.capture import capture
from farm.render.page.deterministic import stop_clock
from farm.render.page.outputs import Caps
from farm.render.page.settling import HTML_QUIET_S, URL_QUIET_S, Patience, Settling
from farm.render.page.work import Work
from farm.request import RenderRequest, RenderResult, Timings


@dataclass
class _Clock:
    """Milliseconds between moments (`time.monotonic()`)."""

    last: float

    def step(self, now: float) -> float:
        spent = max(0.0, (now - self.last) * 1000)
        self.last = max(now, self.last)
        return spent


def render(
    page: Page, request: RenderRequest, caps: Caps, patience: Patience, waiting_ms: float
) -> RenderResult:
    """Render on a fresh page whose viewport is the request's.

    Raises `UrlRefused`, `NavigationFailed`, `OutputTooLarge`, or `DevToolsError` when the page is
    closed or gone meanwhile: the engine knows why it closed it. The engine closes the page when the
    deadline has passed, and every wait below ends with it.
    """
    clock = _Clock(time.monotonic())
    # Before the activity: these may show a new document.
    emulation.prepare(page, request)
    virtual_clock = stop_clock(page, request, patience.epoch_s)
    activity = Activity(page)
    quiet_s = URL_QUIET_S if request.url is not None else HTML_QUIET_S
    settling = Settling(page, activity, patience, quiet_s)
    settling.clock = virtual_clock
    work = Work(page, request, caps, activity, settling)
    loading.load(work)
    loading_ms = clock.step(settling.loaded_at)
    settling.run_clock()
    waiting.wait(work)
    loading.check_arrived(page, activity)
    settling_ms = clock.step(time.monotonic())
    base64 = capture(work)
    loading.check_arrived(page, activity)
    if settling.unfinished or activity.requests.are_too_many or activity.leaving_for is not None:
        page.is_altered = True
    return RenderResult(
        content=base64,
        format=FORMATS[request.options.format],
        width=request.options.width,
        height=request.options.height,
        timings=Timings(waiting_ms, loading_ms, settling_ms, clock.step(time.monotonic())),
        refusals=tuple(page.port.refusals),
        unfinished=settling.unfinished,
        status=activity.document.status,
        facts=work.facts,
    )
