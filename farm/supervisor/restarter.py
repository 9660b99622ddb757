"""Restarts a child of the supervisor when it ends. The supervisor's main thread calls it."""

import time

import structlog

from farm.errors import StartError
from farm.jobs.embedded import EmbeddedValkey
from farm.supervisor.child import Child

log = structlog.get_logger()

#: The pause before a child is restarted. It doubles each time, up to the maximum, and is reset
#: after the child has run for `_LONG_LIFE_S`.
_FIRST_PAUSE_S = 0.5
_MAX_PAUSE_S = 10.0
_LONG_LIFE_S = 10.0


class Restarter:
    """Restarts a child when it ends, after a pause that grows while the child ends soon."""

    def __init__(self, name: str, child: Child | EmbeddedValkey) -> None:
        self._name = name
        self._child = child
        self._pause_s = _FIRST_PAUSE_S
        self._started = time.monotonic()
        self._due: float | None = None

    def start(self) -> None:
        self._started = time.monotonic()
        self._due = None
        self._child.start()

    def try_start(self) -> None:
        """Start it now. If that fails, `restart_if_due` keeps trying."""
        try:
            self.start()
        except StartError as exc:
            self._ended("child does not start", cause=str(exc))

    def restart_if_due(self) -> float | None:
        """Restart the child if the pause is over; returns what is left of it, None if it runs."""
        if self._due is None:
            status = self._child.exit_status
            if status is None:
                return None
            self._ended("child ended", exit_status=status)
        elif time.monotonic() >= self._due:
            try:
                self.start()
                log.info("child started again", child=self._name)
                return None
            except StartError as exc:
                self._ended("child does not start", cause=str(exc))
        assert self._due is not None
        return max(0.0, self._due - time.monotonic())

    def _ended(self, event: str, **facts: object) -> None:
        now = time.monotonic()
        if now - self._started >= _LONG_LIFE_S:
            self._pause_s = _FIRST_PAUSE_S
        log.error(event, child=self._name, **facts, again_in_s=self._pause_s)
        self._due = now + self._pause_s
        self._pause_s = min(self._pause_s * 2, _MAX_PAUSE_S)
