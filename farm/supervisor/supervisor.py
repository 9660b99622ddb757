"""The supervisor: starts the children in order, waits for signals, and stops them in order."""

import os
import signal
import sys
import time
from contextlib import suppress

import structlog

from farm import logs
from farm.jobs.embedded import EmbeddedCache, EmbeddedValkey
from farm.settings import Settings
from farm.signals import CACHE_REQUESTED, Signals
from farm.supervisor.child import Child
from farm.supervisor.restarter import Restarter

log = structlog.get_logger()

_WORKER = [sys.executable, "-m", "farm.cli", "worker"]
#: SIGQUIT stops the farm at once, as it does gunicorn. So does a second SIGTERM or SIGINT.
_STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
#: Forwarded to gunicorn: reload, reopen logs, add a worker, remove a worker. SIGUSR2, gunicorn's
#: upgrade in place, is not: the old gunicorn ends after it, and so would the farm.
_FORWARDED = (signal.SIGHUP, signal.SIGUSR1, signal.SIGTTIN, signal.SIGTTOU)
#: The time a child has after SIGINT in addition to SIGTERM, before it is killed.
_QUICK_S = 8.0
#: The children have grace periods of their own; this is added to each.
_MARGIN_S = 5.0


def run(
    settings: Settings, gunicorn_command: list[str], worker_command: list[str] | None = None
) -> int:
    """Run the farm until gunicorn ends or a signal stops it; returns the exit code, 0 if stopped.

    It takes over the process's signals, so call it in the main thread of a process that does
    nothing else. Raises `StartError` if Valkey cannot be started.
    """
    logs.configure(settings)
    signals = Signals(*_STOP, *_FORWARDED, signal.SIGUSR2, signal.SIGCHLD)
    gunicorn = Child("gunicorn", gunicorn_command, signals.write_fd)
    worker = Child("worker", worker_command or _WORKER, signals.write_fd)
    return _Supervisor(settings, gunicorn, worker, signals).run()


class _Supervisor:
    def __init__(
        self, settings: Settings, gunicorn: Child, worker: Child, signals: Signals
    ) -> None:
        self._settings = settings
        self._valkey = EmbeddedValkey(settings)
        self._cache = EmbeddedCache(settings)
        self._cache_restarter = Restarter("cache", self._cache)
        self._has_cache = False
        self._gunicorn = gunicorn
        self._worker = worker
        self._is_hurried = False
        self._signals = signals

    def run(self) -> int:
        try:
            self._valkey.start()
            log.info("embedded valkey up", data=str(self._valkey.folder))
            if self._settings.cache_ttl_s:
                self._start_cache()
            self._worker.start()
            self._gunicorn.start()
            code = self._serve()
        finally:
            self._end(self._gunicorn, self._settings.stop_grace_s + _MARGIN_S)
            # End the worker processes that a killed gunicorn leaves behind.
            self._gunicorn.send_group(signal.SIGTERM)
            self._end(self._worker, self._settings.job_grace_s + 3 * _MARGIN_S)
            self._cache.stop()
            self._valkey.stop()
        log.info("stopped", exit_code=code)
        return code

    def _serve(self) -> int:
        restarters = [
            Restarter("valkey", self._valkey),
            Restarter("worker", self._worker),
            self._cache_restarter,
        ]
        while (status := self._gunicorn.exit_status) is None:
            self._reap_adopted()
            pauses = [pause for each in restarters if (pause := each.restart_if_due()) is not None]
            number = self._signals.next(min(pauses, default=None))
            if number in _STOP:
                log.info("stopping", signal=signal.Signals(number).name)
                self._is_hurried = number == signal.SIGQUIT
                status = self._end(self._gunicorn, self._settings.stop_grace_s + _MARGIN_S)
                # The signal may have reached it before its handlers were set.
                return 0 if status in (-signal.SIGTERM, -signal.SIGINT) else _exit_code(status)
            if number == CACHE_REQUESTED:
                self._start_cache()
            elif number in _FORWARDED:
                self._gunicorn.send(number)
            elif number == signal.SIGUSR2:
                log.warning("no upgrade in place with an embedded Valkey: stop and start the farm")
        log.error("child ended, so the farm ends", child="gunicorn", exit_status=status)
        return _exit_code(status)

    def _start_cache(self) -> None:
        """Start the cache, once; from then on it is restarted when it ends."""
        if self._has_cache or not self._settings.has_embedded_cache:
            return
        self._has_cache = True
        self._cache_restarter.try_start()
        log.info("embedded cache up" if self._cache.running else "embedded cache not up yet")

    def _end(self, child: Child, bound_s: float) -> int:
        """Stop a child; returns its exit status. Kills it after `bound_s`, or sooner if hurried."""
        child.send(signal.SIGTERM)
        if self._is_hurried:
            child.send(signal.SIGINT)
        end = time.monotonic() + (_QUICK_S if self._is_hurried else bound_s)
        while (status := child.exit_status) is None:
            left_s = end - time.monotonic()
            if left_s <= 0:
                log.warning("child did not end in time and is killed", child=child.name)
                child.send_group(signal.SIGKILL)
                left_s = _QUICK_S
            if self._signals.next(left_s) in _STOP and not self._is_hurried:
                self._is_hurried = True
                child.send(signal.SIGINT)
                end = time.monotonic() + _QUICK_S
        return status

    def _reap_adopted(self) -> None:
        """Reap orphans of killed browsers, which a container's first process inherits."""
        own = (self._valkey.pid, self._cache.pid, self._worker.pid, self._gunicorn.pid)
        with suppress(ChildProcessError):
            while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                if ended.si_pid in own:
                    return
                os.waitpid(ended.si_pid, 0)


def _exit_code(status: int) -> int:
    """The exit code that a shell gives for a child's exit status."""
    return status if status >= 0 else 128 - status
