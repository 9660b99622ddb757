"""How a case is asked for: of an engine, or of plain Playwright."""

import base64
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import structlog
from playwright.sync_api import Browser, Page
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from farm.errors import FarmError
from farm.render import Engine
from farm.settings import Settings
from tests.conftest import request_for
from tests.field.case import Case
from tests.field.outcome import Outcome
from tests.field.site import Site
from tests.support.site import SITES

#: How long Playwright waits for a page to be idle; some never are.
_IDLE_MS = 10_000

#: Whether the page draws a frame.
_A_FRAME = """
Promise.race([
  new Promise((resolve) => requestAnimationFrame(() => resolve(true))),
  new Promise((resolve) => setTimeout(resolve, 2000, false)),
])
"""


def log_nothing() -> None:
    """For the programs, which count what becomes of each case."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


@contextmanager
def running_engine(deadline_s: float, **settings: object) -> Iterator[Engine]:
    given = {"egress_allow": SITES, "render_deadline_s": deadline_s, **settings}
    engine = Engine(Settings.model_validate(given))
    engine.start()
    engine.wait_started()
    try:
        yield engine
    finally:
        engine.close()


def ask_engine(engine: Engine, site: Site, case: Case) -> Outcome:
    began = time.monotonic()
    try:
        request = request_for(engine, **case.source(site), format=case.format)
        data = engine.render(request).data
    except FarmError as exc:
        return Outcome(error=exc.code, milliseconds=(time.monotonic() - began) * 1000)
    return Outcome.of_file(data, (time.monotonic() - began) * 1000)


def ask_playwright(browser: Browser, site: Site, case: Case) -> Outcome:
    """Wait for `networkidle`, or until it is known that there will be none, and capture."""
    began = time.monotonic()
    context = browser.new_context()
    page = context.new_page()
    try:
        with suppress(PlaywrightTimeout):
            source = case.source(site)
            if "url" in source:
                page.goto(source["url"], wait_until="networkidle", timeout=_IDLE_MS)
            else:
                page.set_content(source["html"], wait_until="networkidle", timeout=_IDLE_MS)
        page.wait_for_timeout(100)
        data = _captured(page, case.format)
    except PlaywrightTimeout:
        return Outcome(error="render_timeout")
    except PlaywrightError:
        return Outcome(error="navigation_failed")
    finally:
        context.close()
    return Outcome.of_file(data, (time.monotonic() - began) * 1000)


def _captured(page: Page, format_: str) -> bytes:
    if format_ == "pdf":
        return page.pdf(print_background=True, prefer_css_page_size=True, format="A4")
    with suppress(PlaywrightTimeout):
        return page.screenshot(timeout=3_000)
    # Playwright's screenshot waits for fonts and for a pending navigation, however long. A pending
    # navigation also holds back `Runtime.evaluate`. `Page.captureScreenshot` is never answered for
    # a page that draws no frame.
    session = page.context.new_cdp_session(page)
    session.send("Page.stopLoading")
    frame = {"expression": _A_FRAME, "awaitPromise": True, "returnByValue": True}
    if not session.send("Runtime.evaluate", frame)["result"].get("value"):
        raise PlaywrightTimeout("no frame is drawn")
    return base64.b64decode(session.send("Page.captureScreenshot")["data"])
