"""Renders whose bytes depend on their input only: with a virtual clock, and without randomness.

The page's clock stands still until the document is there. Then it jumps from one of the page's
timers to the next, always to the same moment. Pending requests stop the clock. `deterministic.js`
replaces the functions that return random values.

Source:
https://chromedevtools.github.io/devtools-protocol/tot/Emulation/#method-setVirtualTimePolicy
"""

import time
from functools import partial
from pathlib import Path

from farm.render.browser.devtools import Params, Session, TimedOut, Wait
from farm.render.browser.page import Page
from farm.render.browser.renewal import begin_new_document
from farm.request import RenderRequest

#: A function that takes the moment of the capture.
_FUNCTION = Path(__file__).with_suffix(".js").read_text()
#: Virtual milliseconds from the loading of a page to its capture, in addition to `waitFor`. Most
#: counters and entrance animations are done by then.
_BUDGET_MS = 2000
#: How much answers from the network may advance Chromium's clock before timers come too late.
_NETWORK_MS = 500
#: After so many tasks without a timer the clock advances: a page may post messages to itself for
#: ever.
_MOST_TASKS = 100_000
#: The time that a clock may take once requests no longer stop it.
_LAST_S = 1.0
_POLICY = "Emulation.setVirtualTimePolicy"


def stop_clock(page: Page, request: RenderRequest, epoch_s: float) -> "VirtualClock | None":
    """Stop the clock before the page loads anything, if the request asks for it."""
    return VirtualClock(page, request, epoch_s) if request.options.deterministic else None


class VirtualClock:
    """The clock of one page. It stands still from before the page loads anything."""

    def __init__(self, page: Page, request: RenderRequest, epoch_s: float) -> None:
        self._session = session = page.session
        self._budget_ms = _BUDGET_MS + request.options.wait_for
        script = f"({_FUNCTION})({epoch_s * 1000 + self._budget_ms:.0f})"
        page.is_altered = True
        page.sessions.prepare_child.append(partial(_prepare_child, script))
        session.post("Page.addScriptToEvaluateOnNewDocument", {"source": script})
        session.send(_POLICY, {"policy": "pause", "initialVirtualTime": epoch_s})
        if request.url is None:
            watch, _ = begin_new_document(page, None)
            watch.wait_until_loaded(None)
        self._over: Wait | None = None

    def start(self) -> None:
        """The document is there: let the clock run to the moment of the capture."""
        if self._over is not None:
            return
        self._over = self._session.wait()
        self._run_clock("pauseIfNetworkFetchesPending", self._over)

    def wait(self, until: float) -> bool:
        """Wait until the clock has reached that moment.

        False if requests have stopped the clock until `until` (`monotonic`). Then the clock runs on
        without them, since a page whose clock stands still may not be drawn.
        """
        assert self._over is not None
        in_time = self._wait_for(self._over, until - time.monotonic())
        if not in_time:
            over = self._session.wait()
            self._run_clock("advance", over)
            self._wait_for(over, _LAST_S)
        return in_time

    def _run_clock(self, policy: str, over: Wait) -> None:
        self._session.on("Emulation.virtualTimeBudgetExpired", lambda _: over.give())
        budget_ms = self._budget_ms + _NETWORK_MS
        budget = {"budget": budget_ms, "maxVirtualTimeTaskStarvationCount": _MOST_TASKS}
        self._session.post(_POLICY, {"policy": policy, **budget})

    def _wait_for(self, over: Wait, timeout_s: float) -> bool:
        try:
            over.wait(max(0.001, timeout_s))
        except TimedOut:
            return False
        finally:
            self._session.drop(over)
        return True


def _prepare_child(script: str, info: Params, child: Session) -> None:
    if info["type"] == "iframe":
        params = {"source": script, "runImmediately": True}
        child.post("Page.addScriptToEvaluateOnNewDocument", params)
    else:
        child.post("Runtime.evaluate", {"expression": script})
