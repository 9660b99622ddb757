"""One render, top to bottom: load, settle, wait, act, capture, report."""

import time
from dataclasses import dataclass, replace

from farm.render.browser.page import Page
from farm.render.page import (
    actions,
    banners,
    emulation,
    facts,
    loading,
    mocking,
    network,
    outputs,
    report,
    waiting,
)
from farm.render.page.activity import Activity
from farm.render.page.caps import Caps
from farm.render.page.capture import prepare
from farm.render.page.captured import Captured
from farm.render.page.deterministic import stop_clock
from farm.render.page.failing import Failures
from farm.render.page.interception import Interception
from farm.render.page.settling import HTML_QUIET_S, URL_QUIET_S, Patience, Settling
from farm.render.page.work import Work
from farm.request import File, RenderRequest, RenderResult, Timings


@dataclass
class _Clock:
    """Measures the milliseconds between moments (`time.monotonic()`)."""

    last: float

    def step(self, now: float) -> float:
        spent = max(0.0, (now - self.last) * 1000)
        self.last = max(now, self.last)
        return spent


def render(
    page: Page, request: RenderRequest, caps: Caps, patience: Patience, waiting_ms: float
) -> RenderResult:
    """Render on a fresh page whose viewport is the request's.

    Raises `UrlRefused`, `NavigationFailed`, `OutputTooLarge`, `SelectorNotFound`, `InvalidRequest`,
    or `DevToolsError` if the page is closed or gone meanwhile; the engine knows why it closed the
    page. The engine closes the page at the deadline, and every wait below ends with it.
    """
    clock = _Clock(time.monotonic())
    # Before the activity, since these may show a new document.
    emulation.prepare(page, request)
    virtual_clock = stop_clock(page, request, patience.epoch_s)
    activity = Activity(page)
    quiet_s = URL_QUIET_S if request.url is not None else HTML_QUIET_S
    interception = Interception(page)
    settling = Settling(page, activity, interception, patience, quiet_s)
    settling.clock = virtual_clock
    failures = Failures(page, activity, request.options.fail_on)
    work = Work(page, request, caps, activity, interception, settling, failures, request.options)
    reported = report.begin(work)
    network.prepare(work)
    mocking.prepare(work)
    prepare(work)
    waiting.prepare(work)
    with waiting.limit_time(work, patience):
        loading.load(work)
        failures.check_status()
        settling.run_clock()
        actions.prepare(work)
        waiting.wait(work)
        banners.hide(work)
        actions.act(work)
    failures.check()
    with waiting.limit_capture(work):
        loading_ms = clock.step(settling.loaded_at)
        loading.check_arrived(page, activity)
        settling_ms = clock.step(time.monotonic())
        captured = outputs.take(work)
    loading.check_arrived(page, activity)
    timings = Timings(waiting_ms, loading_ms, settling_ms, clock.step(time.monotonic()))
    status = activity.document.status
    facts.tell(work)
    if reported is not None:
        reported.finish(timings, patience)
    if settling.unfinished or activity.requests.are_too_many or activity.navigating_to is not None:
        page.is_altered = True
    files = [_result(file, one, timings) for file, one in zip(request.files, captured, strict=True)]
    result = files[0] if not request.outputs else _bundle(request, files, timings)
    return replace(
        result,
        refusals=tuple(page.port.refusals),
        unfinished=settling.unfinished,
        status=status,
        facts=work.facts | dict(result.facts),
    )


def _result(file: File, captured: Captured, timings: Timings) -> RenderResult:
    return RenderResult(
        content=captured.content,
        tiles=captured.tiles,
        format=file.options.file_format,
        width=captured.width,
        height=captured.height,
        timings=timings,
        facts=captured.facts,
    )


def _bundle(request: RenderRequest, files: list[RenderResult], timings: Timings) -> RenderResult:
    """The result for several files, which are packed into one when they are finished."""
    sides = request.options.width, request.options.height
    return RenderResult(b"", request.format, *sides, timings, parts=tuple(files))
