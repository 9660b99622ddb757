"""Waits for what the request names after the page has settled, within the request's time limits."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from farm.errors import RenderTimeout
from farm.render.page.calling import call, check_selectors, is_truthy
from farm.render.page.settling import Patience
from farm.render.page.time_limit import TimeLimit, TimeUp, capture_s
from farm.render.page.work import Work
from farm.request import RenderOptions

#: With `networkidle` no request may have been pending for so long; the same as Playwright's.
_IDLE_S = 0.5
#: The share of the capture's time that is kept for the error if there is no picture.
_ANSWER_SHARE = 0.1
#: The pause between two looks at the page, at first and later.
_FIRST_LOOK_S = 0.02
_LOOK_S = 0.1


def has_time_limit(options: RenderOptions) -> bool:
    """Whether the request limits its own time, or waits for something that may never come."""
    return bool(
        options.timeout is not None
        or options.on_timeout == "capture"
        or options.on_load
        or options.wait_for_selector
        or options.wait_for_function
        or options.scripts
        or options.click
    )


@contextmanager
def limit_time(work: Work, patience: Patience) -> Iterator[None]:
    """Bound everything before the capture.

    Raises `RenderTimeout`, unless the page is captured then.
    """
    options = work.options
    if not has_time_limit(options):
        yield
        return
    now = time.monotonic()
    end = patience.deadline
    if options.timeout is not None:
        end = min(end, now + options.timeout / 1000)
    kept_s = capture_s(end - now, len(work.request.files))
    answered = end - _ANSWER_SHARE * kept_s
    if options.on_timeout == "capture":
        until = min(end - kept_s, patience.latest)
    else:
        until = answered if end == patience.deadline else end
    work.latest = until
    try:
        with TimeLimit(work.page, until):
            yield
    except TimeUp as exc:
        work.failures.check()
        if options.on_timeout == "fail":
            raise RenderTimeout(
                f"The page did not finish in time: {work.step} was still waited for."
            ) from exc
        work.page.is_altered = True
        work.facts["timedOut"] = work.step
        work.capture_until = answered


@contextmanager
def limit_capture(work: Work) -> Iterator[None]:
    """Bound the capture of a page whose time has passed: the page may be too busy for it."""
    if work.capture_until is None:
        yield
        return
    try:
        with TimeLimit(work.page, work.capture_until):
            if work.request.url is not None and not work.activity.document.loader:
                raise RenderTimeout("Nothing of the page came in time, so there is no picture.")
            work.settling.give_up()
            formats = {file.options.format for file in work.request.files}
            activity = work.activity
            is_loading = bool(activity.under_way) or not activity.document.loaded
            if "pdf" in formats and is_loading and not activity.is_lost:
                # Chromium prints no page that still loads, or that waits for images.
                work.page.session.post("Page.stopLoading")
            yield
    except TimeUp as exc:
        raise RenderTimeout(
            f"The page did not finish in time ({work.step} was still waited for), and it was too "
            "busy to be captured as it was."
        ) from exc


def prepare(work: Work) -> None:
    if work.options.wait_until in ("load", "domcontentloaded"):
        work.settling.until = work.options.wait_until


def wait(work: Work) -> None:
    """Wait as the request asks.

    Raises `ScriptFailed`, and `InvalidRequest` for an invalid selector.
    """
    options = work.options
    if options.wait_until == "networkidle":
        work.settling.wait_until_idle(_IDLE_S)
    if options.wait_for_selector is not None:
        work.step = "waitForSelector"
        with _limit_wait(work):
            _wait_for_selector(work)
    if options.wait_for_function is not None:
        work.step = "waitForFunction"
        with _limit_wait(work):
            _wait_for_function(work, options.wait_for_function)
    if options.wait_for:
        work.step = "waitFor"
        if not options.deterministic:  # else the virtual clock has it already
            work.page.wait(options.wait_for)
    if work.step != "waitUntil":
        # What the page did meanwhile may have added images, fonts and frames.
        work.settling.resume()


@contextmanager
def _limit_wait(work: Work) -> Iterator[None]:
    """Bound one wait, within the time for all.

    Raises `RenderTimeout`, unless the render goes on.
    """
    options = work.options
    if options.wait_timeout is None:
        yield
        return
    until = time.monotonic() + options.wait_timeout / 1000
    try:
        with TimeLimit(work.page, until):
            yield
    except TimeUp as exc:
        if time.monotonic() >= work.latest:
            raise
        if options.on_timeout == "fail":
            raise RenderTimeout(
                f"The page did not finish in time: {work.step} was still waited for."
            ) from exc
        work.page.is_altered = True
        work.facts.setdefault("timedOut", work.step)


def _wait_for_selector(work: Work) -> None:
    wanted = work.options.selector_wait
    assert wanted is not None
    is_long = wanted is work.options.wait_for_selector
    field = "waitForSelector.selector" if is_long else "waitForSelector"
    check_selectors(work, field, wanted.selector, listed=False)
    for pause_s in _pauses():
        if call(work, "has", wanted.selector, wanted.state):
            return
        work.page.session.sleep(pause_s)


def _wait_for_function(work: Work, text: str) -> None:
    for pause_s in _pauses():
        answer = is_truthy(work, text)
        if answer:
            return
        if answer is None:
            work.settling.settle()
        else:
            work.page.session.sleep(pause_s)


def _pauses() -> Iterator[float]:
    pause_s = _FIRST_LOOK_S
    while True:
        yield pause_s
        pause_s = min(_LOOK_S, pause_s * 1.5)
