"""One render, top to bottom: load, settle, wait, capture."""

import time
from dataclasses import dataclass

from farm.render.browser.page import Page
from farm.render.page import loading
from farm.render.page.activity import Activity
from farm.render.page.capture import capture
from farm.render.page.outputs import OUTPUTS, Caps
from farm.render.page.settling import HTML_QUIET_S, URL_QUIET_S, Patience, Settling
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
    output = OUTPUTS[request.options.format]
    clock = _Clock(time.monotonic())
    activity = Activity(page)
    quiet_s = URL_QUIET_S if request.url is not None else HTML_QUIET_S
    settling = Settling(page, activity, patience, quiet_s)
    if request.url is not None:
        loading.go_to(page, activity, request.url)
        settling.settle()
    else:
        html = loading.clean(request.html or "")
        settling.write(html, loading.may_load_late(html), loading.may_have_workers(html))
    loading_ms = clock.step(settling.loaded_at)
    if request.options.wait_for:
        page.wait(request.options.wait_for)
        # What the page did meanwhile may have brought images, fonts and frames.
        settling.resume()
    loading.check_arrived(page, activity)
    settling_ms = clock.step(time.monotonic())
    base64 = capture(page, activity, settling, output, caps)
    loading.check_arrived(page, activity)
    if settling.unfinished or activity.requests.are_too_many or activity.leaving_for is not None:
        page.is_altered = True
    return RenderResult(
        content=base64,
        format=output,
        width=request.options.width,
        height=request.options.height,
        timings=Timings(waiting_ms, loading_ms, settling_ms, clock.step(time.monotonic())),
        refusals=tuple(page.port.refusals),
        unfinished=settling.unfinished,
        status=activity.document.status,
    )
