"""One job, from its stored input to its stored file, and what becomes of one that fails.

A job goes the way of a request: the stored input becomes a `RenderRequest`, `Engine.render` makes a
`RenderResult` of it, and the file is stored before the record says so. Each step may be done twice.
"""

import random
import threading
import time
from typing import Any

import structlog

from farm.errors import (
    BrowserUnavailable,
    FarmError,
    InternalError,
    NotFound,
    PageCrashes,
    RenderTimeout,
    Unavailable,
)
from farm.job import State, file_name, input_name
from farm.jobs.record import Records
from farm.jobs.rq_adapter import Abandoned, Verdict
from farm.logs import first_line
from farm.render import Engine, RenderCancelled, Rendering
from farm.request import RenderRequest, RenderResult
from farm.storage import NotStored, Storage

log = structlog.get_logger()

#: How often a job may take its worker with it, or its browser (others share that browser, so it is
#: not always the job that did it), and how often it may find a service gone, with a pause each.
_LIMITS = {"worker deaths": 3, "browser deaths": 5, "outages": 10}
_LONGEST_PAUSE_S = 15.0

#: What does the jobs of this process; RQ finds functions by their name alone.
_renderer: "Renderer | None" = None


def render(job_id: str) -> None:
    """What RQ calls for a job."""
    assert _renderer is not None, "no worker was started in this process"
    _renderer.render(job_id)


def use(renderer: "Renderer") -> None:
    """Have the jobs of this process done by `renderer`."""
    global _renderer
    _renderer = renderer


class HandedBack(Exception):
    """The worker stops before the job has ended; another one shall do it."""


class Renderer:
    """Does one job after another, in as many threads as there are."""

    def __init__(self, engine: Engine, storage: Storage, records: Records) -> None:
        self._engine = engine
        self._storage = storage
        self._records = records
        self._renderings: dict[str, Rendering] = {}
        #: Set when running jobs are to be handed back.
        self.stopping = threading.Event()

    def render(self, job_id: str) -> None:
        """From `pending` to `completed`. Raises `FarmError`, `RenderCancelled` or `HandedBack`."""
        record = self._records.start(job_id)
        if record is None:
            log.info("job", job_id=job_id, outcome="ended already")
            return
        started = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=record.request_id, job_id=job_id):
            result = self._result(job_id, record.request_id)
            if self._has_ended(job_id):
                log.info("job", outcome="ended meanwhile")
            else:
                self._storage.put(file_name(job_id), result.data)
                self._complete(job_id, result, started)
            self._storage.delete([input_name(job_id)])

    def _complete(self, job_id: str, result: RenderResult, started: float) -> None:
        if self._records.complete(job_id, result):
            total_ms = round((time.perf_counter() - started) * 1000, 1)
            log.info("job", outcome="completed", bytes=result.size, total_ms=total_ms)
        elif self._has_ended(job_id, State.COMPLETED):
            # It was run twice, and the file is the other run's as well.
            log.info("job", outcome="completed meanwhile")
        else:
            self._storage.delete([file_name(job_id)])
            log.info("job", outcome="cancelled meanwhile")

    def _has_ended(self, job_id: str, how: State | None = None) -> bool:
        try:
            status = self._records.read(job_id).status
        except NotFound:  # and its record has expired since
            return how is None
        return status.final if how is None else status is how

    def _result(self, job_id: str, request_id: str) -> RenderResult:
        try:
            data = self._storage.read(input_name(job_id))
        except NotStored as exc:
            raise InternalError("The input of the job is gone.") from exc
        request = RenderRequest.from_json(data, self._engine.limits)
        del data
        try:
            rendering = self._engine.begin(request, request_id)
            self._renderings[job_id] = rendering
            return rendering.result()
        except BrowserUnavailable as exc:
            if self.stopping.is_set():
                raise HandedBack from exc
            raise
        except RenderTimeout as exc:
            if not self._engine.status.up:  # then it was not the page that took so long
                raise BrowserUnavailable from exc
            raise
        finally:
            self._renderings.pop(job_id, None)

    def cancel(self, job_id: str) -> None:
        """End a job that is running here."""
        if rendering := self._renderings.get(job_id):
            rendering.cancel()

    def judge(self, job_id: str, meta: dict[str, Any], error: BaseException) -> Verdict:
        """What becomes of a job that raised `error`; its record fails before RQ's does."""
        if isinstance(error, HandedBack):
            return Verdict.RETRY
        if isinstance(error, RenderCancelled):
            self._cancelled(job_id)
            return Verdict.FAIL
        cause = _cause(error)
        if cause is not None:
            meta[cause] = meta.get(cause, 0) + 1
            if meta[cause] < _LIMITS[cause]:
                log.warning("job is tried again", job_id=job_id, cause=cause, times=meta[cause])
                self._pause(meta[cause], error)
                return Verdict.RETRY
        failure = _as_failure(error, cause, meta)
        if self._records.fail(job_id, failure):
            level = log.error if isinstance(failure, InternalError) else log.info
            inner = error.__cause__ or error
            exc_info = error if isinstance(failure, InternalError) else None
            level(
                "job",
                job_id=job_id,
                outcome="failed",
                code=failure.code,
                cause=first_line(inner),
                exc_info=exc_info,
            )
        self._storage.delete([input_name(job_id)])
        return Verdict.FAIL

    def _cancelled(self, job_id: str) -> None:
        try:
            self._records.cancel(job_id)  # if it was RQ's own tools that stopped it
        except FarmError:
            return

    def _pause(self, times: int, error: BaseException) -> None:
        """Before a job that ran here is queued again: longer each time, and for each job else.

        Else jobs that lost their browser to one of them would meet it again in the next one.
        """
        if not isinstance(error, Abandoned):
            self.stopping.wait(min(2**times, _LONGEST_PAUSE_S) * random.random())


def _cause(error: BaseException) -> str | None:
    """Which limit counts this error; None for one that would come again."""
    match error:
        case Abandoned():
            return "worker deaths"
        case BrowserUnavailable():
            return "browser deaths"
        case Unavailable():
            return "outages"
    return None


def _as_failure(error: BaseException, cause: str | None, meta: dict[str, Any]) -> FarmError:
    match cause:
        case "worker deaths":
            return PageCrashes(f"The job's worker died {meta[cause]} times while it ran.")
        case "browser deaths":
            return PageCrashes(f"The browser died {meta[cause]} times while it rendered the page.")
    return error if isinstance(error, FarmError) else InternalError()
