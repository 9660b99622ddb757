"""Keeps one browser running: starts it, checks it from outside its thread, and replaces it.

The engine owns one keeper, which runs in a thread of its own. A browser is replaced when it dies,
when it does not answer, after a number of renders, and when its processes hold too much memory. In
the last two cases the new browser is started first.
"""

import math
import threading
import time
from collections import Counter
from collections.abc import Callable

import structlog

from farm.errors import StartError
from farm.render.browser.chromium import sweep_leftovers
from farm.render.keeping.host import Host

log = structlog.get_logger()

#: The interval between two checks of the browser.
_CHECK_S = 1.0
#: The time that a browser may take to start, and its thread may take to end after a kill.
START_TIMEOUT_S = 30.0
_DEATH_S = 3.0
#: The pause between attempts to start a browser that keeps dying: from the first, doubling up to
#: the last. A browser that has lived long is replaced at once.
_FIRST_BACKOFF_S = 0.1
_LAST_BACKOFF_S = 5.0
_LONG_LIFE_S = 2.0


class Keeper:
    """Keeps one browser running, in one thread, from `start` to `close`."""

    #: A browser that does not answer for so long is killed. It may be busy for less with one thing,
    #: such as 50 MB of HTML in the pipe.
    silence_s = 10.0

    def __init__(
        self,
        make_host: Callable[[], Host],
        on_up: Callable[[], None],
        exit_process: Callable[[str], None],
        recycle_after: int,
        drain_s: float,
    ) -> None:
        """A browser is replaced after `recycle_after` renders (0: never).

        Then the old one has `drain_s` to finish what runs in it. `on_up` is called for each browser
        once it is `host`, and `exit_process`, with a reason, if a browser cannot even be killed.
        """
        self._make_host = make_host
        self._on_up = on_up
        self._exit_process = exit_process
        self._recycle_after = recycle_after
        self._drain_s = drain_s
        self._draining: list[tuple[Host, float]] = []
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
        self._stopping = threading.Event()
        self._first_attempt_over = threading.Event()
        self._failure: BaseException | None = None
        self._starting: Host | None = None
        #: The newest browser that was up. It may have died.
        self._host: Host | None = None
        #: Browsers started because one had `died` or the farm had `killed` it, and browsers
        #: replaced in time.
        self.restarts: Counter[str] = Counter()
        self.recycles = 0

    def start(self) -> None:
        self._thread.start()

    def wait_started(self, timeout_s: float) -> None:
        """Wait for the first browser. Raises `StartError` with the reason if there is none."""
        self._first_attempt_over.wait(timeout_s)
        if self.host is not None:
            return
        if isinstance(self._failure, StartError):
            raise self._failure
        raise StartError(
            f"Chromium or Playwright's driver does not start within {timeout_s:g} s. On a bare "
            "Debian the driver needs libatomic1."
        ) from self._failure

    @property
    def host(self) -> Host | None:
        """The browser that takes renderings; None while there is none."""
        host = self._host
        return host if host is not None and host.browser.up else None

    @property
    def version(self) -> str | None:
        """The version of the newest browser that was up; None before the first."""
        return self._host.browser.version if self._host is not None else None

    @property
    def unhealthy_s(self) -> float:
        """The seconds for which no browser has answered, or none has drawn."""
        if self._host is None:
            return math.inf
        host = self.host
        if host is None:
            return time.monotonic() - self._host.browser.ended
        if self._starting is not None:  # this thread is starting the next one, and sends no pings
            return host.stalled_s
        # Pings are sent at each interval, so a silence of less than two of them means nothing.
        return max(0.0, host.browser.silence_s - 2 * _CHECK_S, host.stalled_s)

    def close(self) -> None:
        self._stopping.set()
        for host in [self._starting, self._host, *[host for host, _ in self._draining]]:
            if host is not None:
                host.browser.stop()
        if self._thread.ident is not None:
            self._thread.join(_DEATH_S)

    def _run(self) -> None:
        sweep_leftovers()
        backoff_s = 0.0
        while not self._stopping.wait(backoff_s):
            lived_long = False
            try:
                lived_long = self._run_browser()
            except Exception as exc:  # no thread can be started, say; later there may be room
                self._failure = exc
                log.exception("browser not kept up")
            self._first_attempt_over.set()
            if lived_long:
                backoff_s = 0.0
            else:
                backoff_s = min(max(_FIRST_BACKOFF_S, 2 * backoff_s), _LAST_BACKOFF_S)

    def _run_browser(self) -> bool:
        """Start a browser and check it until it is over or to be replaced.

        Returns whether it lived long.
        """
        host = self._starting = self._make_host()
        host.browser.start()
        if self._stopping.is_set():  # `close` may have come before this browser was known
            host.browser.stop()
        if not host.browser.wait_started(START_TIMEOUT_S):
            self._failure = host.browser.failure
            self._kill(host, "it does not start")
            return False
        self._promote(host)
        self._first_attempt_over.set()
        self._watch(host)
        return time.monotonic() - host.started > _LONG_LIFE_S

    def _promote(self, host: Host) -> None:
        old, self._host, self._starting = self._host, host, None
        if old is not None and old.browser.up:
            self.recycles += 1
            old.retire()
            self._draining.append((old, time.monotonic() + self._drain_s))
        elif self._first_attempt_over.is_set():
            self.restarts[
                "killed" if old is not None and old.browser.killed_because else "died"
            ] += 1
        self._on_up()

    def _watch(self, host: Host) -> None:
        """Check the browser until it is over, or to be replaced."""
        while not host.browser.down.wait(_CHECK_S):
            if self._stopping.is_set():
                return
            self._stop_drained()
            holds_too_much = host.check()
            if host.browser.silence_s > self.silence_s:
                self._kill(host, "it does not answer")
                break
            if self._recycle_after and host.served >= self._recycle_after:
                log.info("browser to be replaced", renders=host.served)
                return
            if holds_too_much:
                return

    def _stop_drained(self) -> None:
        for entry in list(self._draining):
            host, until = entry
            host.check()
            if host.is_empty or host.browser.down.is_set() or time.monotonic() > until:
                self._draining.remove(entry)
                threading.Thread(target=host.browser.stop, daemon=True).start()

    def _kill(self, host: Host, reason: str) -> None:
        """Kill it with its driver. If even that does not free its thread, exit this process."""
        if host.browser.down.is_set() or self._stopping.is_set():
            return
        host.browser.kill_driver(reason)
        if not host.browser.down.wait(_DEATH_S) and not self._stopping.is_set():
            self._exit_process("a browser's thread is stuck")
