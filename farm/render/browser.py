"""The thread that owns Playwright and Chromium, and keeps one browser running.

Synchronous Playwright belongs to the thread that started it, but its calls are greenlet switches:
while one call waits, other greenlets of the same thread may be inside calls of their own. So one
thread serves many pages: work arrives by `spawn`, and each piece runs as a greenlet of plain,
top-to-bottom synchronous code. What makes it sound:

- a greenlet is started from a callback of the loop; the callback itself never calls Playwright;
- every greenlet catches all that it raises;
- nothing blocks or computes for long in this thread.

The thread's own wait is on an empty context that nobody closes: the wait ends when the browser or
the driver dies, and that is the supervisor's signal to start the next one.
"""

import asyncio
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import greenlet
import psutil
import structlog
from playwright.sync_api import Browser, BrowserContext, CDPSession, Playwright, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from farm.errors import BrowserUnavailable, StartError
from farm.logs import first_line
from farm.render.chromium import Chromium

log = structlog.get_logger()

#: What a call into Playwright raises when its page, browser or driver ends meanwhile. Where the
#: driver dies, the calls that are made while it is taken down are cancelled by asyncio instead.
PlaywrightFailure = (PlaywrightError, asyncio.CancelledError)


class BrowserGone(PlaywrightError):
    """Thrown into what waits for a browser that has died."""


#: Seconds between two attempts to start a browser that keeps dying: the first, doubled up to the
#: last. A browser that lived long is started again at once.
_FIRST_BACKOFF_S = 0.1
_LAST_BACKOFF_S = 5.0
_LONG_LIFE_S = 2.0
#: How long a browser that was asked to go may take before it is killed.
_CLOSE_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class _Life:
    """One browser from launch to death. `keeper` is the context that is waited on."""

    browser: Browser
    keeper: BrowserContext
    control: CDPSession
    process: psutil.Process
    driver: psutil.Process
    profile: str
    started: float

    def clean_up(self) -> None:
        """What the driver does when its browser ends, in case that it died too."""
        _kill(self.process)
        with suppress(psutil.Error):  # it writes there until it is gone
            self.process.wait(1)
        shutil.rmtree(self.profile, ignore_errors=True)


class BrowserThread:
    """Starts a browser, calls `on_up` with it, and starts another when it dies.

    `on_up` and `on_down` run in the thread, outside any greenlet of work: they must not block.
    After `on_down` nothing that was spawned for that browser can succeed.
    """

    def __init__(
        self,
        chromium: Chromium,
        on_up: Callable[[Browser], None],
        on_down: Callable[[], None],
    ) -> None:
        self._chromium = chromium
        self._on_up = on_up
        self._on_down = on_down
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._life: _Life | None = None
        self._first_attempt_over = threading.Event()
        self._stopping = threading.Event()
        self._failure: BaseException | None = None
        self._at_work: set[greenlet.greenlet] = set()
        self._lived_s = 0.0
        #: Browsers started so far.
        self.launches = 0

    def start(self) -> None:
        self._thread.start()

    @property
    def up(self) -> bool:
        return self._life is not None

    @property
    def pid(self) -> int | None:
        """Process id of Chromium."""
        life = self._life
        return life.process.pid if life else None

    def wait_started(self, timeout_s: float) -> None:
        """Wait for the first launch. Raises `StartError` if it failed or takes longer."""
        self._first_attempt_over.wait(timeout_s)
        if self.up:
            return
        if isinstance(self._failure, StartError):
            raise self._failure
        raise StartError(
            f"Chromium or Playwright's driver does not start within {timeout_s:g} s. On a bare "
            "Debian the driver needs libatomic1."
        ) from self._failure

    def spawn(self, work: Callable[[], None]) -> bool:
        """Run `work` in a greenlet of this thread. False if there is no loop to run it now.

        `work` must not count on being run: a dying driver forgets it.
        """
        loop = self._loop
        if loop is None:
            return False
        try:
            loop.call_soon_threadsafe(self._start_greenlet, work)
        except RuntimeError:  # the loop was closed in between
            return False
        return True

    def ping(self) -> None:
        """One round trip through driver and browser. For greenlets of this thread only."""
        life = self._life
        if life is None:
            raise BrowserUnavailable()
        try:
            life.control.send("Browser.getVersion")
        except PlaywrightFailure as exc:
            raise BrowserUnavailable() from exc

    def kill(self, reason: str) -> None:
        """Kill Chromium, from any thread; the next one is started at once."""
        life = self._life
        if life is not None:
            log.warning("browser killed", reason=reason, chromium_pid=life.process.pid)
            _kill(life.process)

    def kill_driver(self, reason: str) -> None:
        """Kill the driver and with it Chromium: for when killing Chromium was not enough."""
        life = self._life
        if life is not None:
            log.warning("driver killed", reason=reason, driver_pid=life.driver.pid)
            _kill(life.driver)
            _kill(life.process)

    def stop(self) -> None:
        """End browser, driver and thread; kill what does not go by itself."""
        self._stopping.set()
        self.spawn(self._close_keeper)
        self._thread.join(_CLOSE_TIMEOUT_S)
        for kill in (self.kill, self.kill_driver):
            if self._thread.is_alive():
                kill("it did not close in time")
                self._thread.join(1)

    def _start_greenlet(self, work: Callable[[], None]) -> None:
        def run() -> None:
            try:
                work()
            except Exception:
                log.exception("work in the engine's thread failed")
            finally:
                self._at_work.discard(worker)

        worker = greenlet.greenlet(run)
        self._at_work.add(worker)
        worker.switch()

    def _end_work(self) -> None:
        """End what still waits in a call into a browser that is gone.

        Not every call raises by itself: `context.new_page()` waits for ever (Playwright 1.65.2).
        """
        workers, self._at_work = self._at_work, set()
        loop = self._loop
        if loop is None:
            return
        for worker in workers:
            loop.call_soon(_end, worker)

    def _close_keeper(self) -> None:
        life = self._life
        if life is not None:
            with suppress(*PlaywrightFailure):
                life.keeper.close()

    def _run(self) -> None:
        backoff_s = 0.0
        while not self._stopping.wait(backoff_s):
            self._lived_s = 0.0
            try:
                with sync_playwright() as playwright:
                    self._loop = asyncio.get_running_loop()
                    while not self._stopping.is_set():
                        self._live(playwright)
            except (Exception, *PlaywrightFailure) as exc:
                self._failure = exc
                if not self._stopping.is_set():
                    log.error("driver to be started again", cause=first_line(exc))
            finally:
                self._loop = None
                self._on_down()
                self._first_attempt_over.set()
            if self._lived_s > _LONG_LIFE_S:
                backoff_s = 0.0
            else:
                backoff_s = min(max(_FIRST_BACKOFF_S, 2 * backoff_s), _LAST_BACKOFF_S)

    def _live(self, playwright: Playwright) -> None:
        """Launch a browser and wait until it ends.

        Raises where the driver is dead, and where the browser did not live long: the next attempt
        then waits, and starts from a new driver.
        """
        browser = self._chromium.launch(playwright)
        life = _begin(browser)
        self._life = life
        self.launches += 1
        log.info("browser up", chromium_pid=life.process.pid, version=browser.version)
        self._on_up(browser)
        self._first_attempt_over.set()
        try:
            # `stop` closes the keeper of the browser that is up; it may have found none.
            if not self._stopping.is_set():
                life.keeper.wait_for_event("close", timeout=0)
        except PlaywrightFailure as exc:
            if not self._stopping.is_set():
                log.warning("browser lost", cause=first_line(exc))
        finally:
            self._life = None
            self._lived_s = time.monotonic() - life.started
            self._on_down()
            self._end_work()
        if self._stopping.is_set():
            with suppress(*PlaywrightFailure):
                browser.close()
            return
        life.clean_up()
        if not _runs(life.driver):
            raise BrowserGone("the driver died")
        if self._lived_s < _LONG_LIFE_S:
            raise BrowserGone("the browser died soon after its start")


def _begin(browser: Browser) -> _Life:
    control = browser.new_browser_cdp_session()
    processes: list[dict[str, Any]] = control.send("SystemInfo.getProcessInfo")["processInfo"]
    process = psutil.Process(next(p["id"] for p in processes if p["type"] == "browser"))
    profile = next((arg for arg in process.cmdline() if arg.startswith("--user-data-dir=")), "")
    return _Life(
        browser=browser,
        keeper=browser.new_context(),
        control=control,
        process=process,
        driver=process.parent() or process,
        profile=profile.partition("=")[2],
        started=time.monotonic(),
    )


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _kill(process: psutil.Process) -> None:
    with suppress(psutil.Error):
        process.kill()


def _end(worker: greenlet.greenlet) -> None:
    if not worker.dead:
        worker.throw(BrowserGone("the browser died"))
