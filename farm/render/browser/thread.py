"""A browser: the thread that owns a Playwright driver and its Chromium, until they end.

Other threads hand work over by `spawn`, and each piece of it runs in a greenlet (`greenlets`).

Playwright launches and ends the browser. The farm makes pages by its own commands (`devtools`),
which share Playwright's pipe (`pipe`). The thread itself waits on an empty context, the sentinel,
which is closed only by `stop`: the wait ends when the browser or the driver dies. The pipe reports
that even earlier. Then the thread ends, and `keeper` starts another browser.
"""

import asyncio
import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import psutil
import structlog
from playwright.sync_api import Browser, BrowserContext, Playwright, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from farm.errors import BrowserUnavailable
from farm.logs import first_line
from farm.processes import has_argument, is_exiting
from farm.render.browser.chromium import Chromium
from farm.render.browser.devtools import BrowserGone, DevToolsError, Session
from farm.render.browser.greenlets import Greenlets
from farm.render.browser.pipe import Switch
from farm.render.browser.running import RunningBrowser, attach, child_processes, kill_process

log = structlog.get_logger()

#: What a call to Playwright raises when its browser or driver ends meanwhile. When the driver dies,
#: asyncio instead cancels the calls that are made while Playwright shuts down.
_PlaywrightFailure = (PlaywrightError, asyncio.CancelledError)

#: The process ids of the drivers whose browsers are up.
_drivers: set[int] = set()
#: The time that a browser may take to close before it is killed.
_CLOSE_TIMEOUT_S = 5.0


class BrowserThread:
    """One driver and one Chromium, from their launch to their end.

    `on_up` is called in a greenlet of the thread, with the farm's session. `on_down` is called in a
    callback of the loop. After `on_down`, no spawned work can succeed.
    """

    def __init__(
        self,
        chromium: Chromium,
        on_up: Callable[[Session], None],
        on_down: Callable[[], None],
    ) -> None:
        self._chromium = chromium
        self._on_up = on_up
        self._on_down = on_down
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._greenlets = Greenlets()
        self._sentinel: BrowserContext | None = None
        self._running: RunningBrowser | None = None
        self._last_running: RunningBrowser | None = None
        self._started = threading.Event()
        self._stopping = threading.Event()
        self._last_answer_at = time.monotonic()
        #: Set once the browser renders no more, or never will.
        self.down = threading.Event()
        #: Chromium's version, once it is up.
        self.version: str | None = None
        #: When it stopped being up, by `time.monotonic()`.
        self.ended = math.inf
        #: Why the farm itself killed it, if it did.
        self.killed_because: str | None = None
        #: Whether a page may have caused its death. False if the farm killed it for another reason.
        self.pages_are_suspect = True
        #: Why it could not be started.
        self.failure: BaseException | None = None

    def start(self) -> None:
        self._thread.start()

    @property
    def up(self) -> bool:
        return self._running is not None

    @property
    def pid(self) -> int | None:
        """The process id of Chromium."""
        running = self._running
        return running.process.pid if running else None

    @property
    def root(self) -> psutil.Process | None:
        """The driver, which is Chromium's parent."""
        running = self._running
        return running.driver if running else None

    def wait_started(self, timeout_s: float) -> bool:
        """Wait until it is up or has failed; returns whether it is up."""
        self._started.wait(timeout_s)
        return self.up

    def spawn(self, work: Callable[[], None]) -> bool:
        """Run `work` in a greenlet of this thread: see `Greenlets.spawn`."""
        return self._greenlets.spawn(work)

    def ping(self) -> None:
        """Make one round trip to the browser. For greenlets of this thread only."""
        running = self._running
        if running is None:
            raise BrowserUnavailable()
        try:
            running.control.send("Browser.getVersion")
        except DevToolsError as exc:
            raise BrowserUnavailable() from exc
        self._last_answer_at = time.monotonic()

    def kill_if_crippled(self) -> None:
        """Raises `BrowserGone` if the browser is down.

        If a process that it needs has died, kills the browser first.
        """
        running = self._running
        if running is None:
            raise BrowserGone("the browser died")
        if not any(map(is_exiting, running.vital)):
            return
        log.warning("browser has lost a process", chromium_pid=running.process.pid)
        kill_process(running.process)
        raise BrowserGone("the browser lost a process that it needs")

    def send_ping(self) -> None:
        """Have the browser ping itself, from any thread; `silence_s` shows the result."""

        def ping() -> None:
            with suppress(BrowserUnavailable):  # the pipe reports it to others
                self.ping()

        self.spawn(ping)

    @property
    def silence_s(self) -> float:
        """The seconds since its last answer to a ping."""
        return time.monotonic() - self._last_answer_at

    def kill(self, reason: str, pages_are_suspect: bool = False) -> None:
        """Kill Chromium, from any thread.

        `pages_are_suspect`: one of its pages may be the reason.
        """
        running = self._still_there()
        if running is not None:
            self.killed_because = reason
            self.pages_are_suspect = pages_are_suspect
            log.warning("browser killed", reason=reason, chromium_pid=running.process.pid)
            kill_process(running.process)

    def kill_driver(self, reason: str) -> None:
        """Kill the driver and Chromium, for when killing Chromium was not enough."""
        running = self._still_there()
        self.killed_because = reason
        self.pages_are_suspect = False
        for driver in [running.driver] if running else _starting_drivers():
            log.warning("driver killed", reason=reason, driver_pid=driver.pid)
            for process in [*child_processes(driver, recursive=True), driver]:
                kill_process(process)

    def _still_there(self) -> RunningBrowser | None:
        """The running browser, or while stopping the last one, whose processes may still exist."""
        return self._running or (self._last_running if self._stopping.is_set() else None)

    def stop(self) -> None:
        """End the browser, the driver and the thread. Kills what does not end by itself."""
        self._stopping.set()
        self.killed_because = self.killed_because or "it is stopped"
        self.pages_are_suspect = False
        if self._thread.ident is None:
            return
        self.spawn(self._close_sentinel)
        self._thread.join(_CLOSE_TIMEOUT_S)
        for kill in (self.kill, self.kill_driver):
            if self._thread.is_alive():
                kill("it did not close in time")
                self._thread.join(1)

    def _close_sentinel(self) -> None:
        if (sentinel := self._sentinel) is not None:
            with suppress(BrowserGone, *_PlaywrightFailure):
                sentinel.close()

    def _run(self) -> None:
        try:
            with sync_playwright() as playwright:
                self._greenlets.open()
                if not self._stopping.is_set():
                    self._launch_and_wait(playwright)
        except (Exception, *_PlaywrightFailure) as exc:
            self.failure = self.failure or exc
            if not self._stopping.is_set():
                log.error("browser does not start", cause=first_line(exc))
        finally:
            self._greenlets.close()
            self.down.set()
            self._on_down()
            self._started.set()

    def _launch_and_wait(self, playwright: Playwright) -> None:
        """Launch the browser and wait until it ends."""
        switch = Switch(self._mark_down)
        browser = None
        try:
            browser = self._chromium.launch(playwright, switch)
            self._sentinel = browser.new_context()
            self.spawn(partial(self._mark_up, switch, browser))
            # `stop` closes the sentinel, but may have been called before there was one.
            if not self._stopping.is_set():
                with suppress(*_PlaywrightFailure):
                    self._sentinel.wait_for_event("close", timeout=0)
        finally:
            self._mark_down()
            if self._stopping.is_set() and browser is not None:
                with suppress(*_PlaywrightFailure):
                    browser.close()
            switch.close()
            if (running := self._last_running) is not None:
                self._clean_up(running)

    def _mark_up(self, switch: Switch, browser: Browser) -> None:
        try:
            running = attach(switch)
            self._last_running = running
            if self.down.is_set():
                return
            self._running = running
            _drivers.add(running.driver.pid)
            self._last_answer_at = time.monotonic()
            self.version = browser.version
            log.info("browser up", chromium_pid=running.process.pid, version=self.version)
            self._on_up(running.control)
            self._started.set()
        except Exception as exc:
            self.failure = exc
            switch.close()

    def _mark_down(self) -> None:
        """Note that it renders no more. The first caller that notices counts."""
        if self.down.is_set():
            return
        self.ended = time.monotonic()
        running, self._running = self._running, None
        self.down.set()
        if running is not None:
            _drivers.discard(running.driver.pid)
            if not self._stopping.is_set():
                killed = self.killed_because
                log.warning("browser lost", chromium_pid=running.process.pid, killed=killed)
        self._on_down()
        self._greenlets.end()

    def _clean_up(self, running: RunningBrowser) -> None:
        if not self._stopping.is_set():
            kill_process(running.driver)  # it may hang, and has nothing left to do
        running.clean_up()


def _starting_drivers() -> list[psutil.Process]:
    """Drivers of this process whose browsers are not up."""
    children = child_processes(psutil.Process())
    new = (child for child in children if child.pid not in _drivers)
    return [child for child in new if has_argument(child, "run-driver")]
