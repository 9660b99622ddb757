"""Runs one job, from its stored input to its stored file, and decides whether a failed job is
retried.

RQ calls `render` in a job thread of `farm worker`. The stored input becomes a `RenderRequest`, the
renderer makes a `RenderResult` of it, and the file is stored before the record says `completed`.
Each step may be repeated without harm, since a job may be run twice.
"""

import random
import threading
import time
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Any

import structlog

from farm.errors import (
    AlreadyFinished,
    BrowserDied,
    BrowserUnavailable,
    FarmError,
    InternalError,
    NotFound,
    PageCrashes,
    Unavailable,
)
from farm.job import State, file_name, input_name
from farm.jobs.expiry import discard
from farm.jobs.record import Records
from farm.jobs.rq_worker import Abandoned, Verdict
from farm.logs import first_line
from farm.metrics import figures
from farm.renderer import RenderCancelled, Renderer
from farm.request import OtherVersion, RenderRequest, RenderResult
from farm.storage import NotStored, Storage

log = structlog.get_logger()

_LONGEST_PAUSE_S = 15.0


class HandedBack(Exception):
    """The worker stops before the job has ended. The job is requeued for another worker."""


@dataclass(frozen=True)
class _Limit:
    """How often a job may fail with one kind of error.

    `cause`: the error's name in RQ's meta and in the log.
    """

    error: type[Exception]
    cause: str
    times: int
    #: The sentence for the client. None: the error's own.
    sentence: str | None = None


#: The first limit that fits the error applies (`BrowserDied` is an `Unavailable`). If none fits,
#: the job fails at once, since a retry would fail in the same way. Other jobs share the browser, so
#: a job whose browser died may not be the cause.
_LIMITS = (
    _Limit(Abandoned, "worker deaths", 3, "The job's worker died {} times while it ran."),
    _Limit(BrowserDied, "browser deaths", 5, "The browser died again and again under the page."),
    _Limit(Unavailable, "outages", 10),
    # While the farm is upgraded instance by instance, a newer worker may understand the request.
    _Limit(OtherVersion, "versions", 100),
)

#: The runner of this process's jobs. RQ finds a function by its name, so it cannot be given one.
_runner: "JobRunner | None" = None


def render(job_id: str) -> None:
    """Run a job. RQ calls this function by its name."""
    assert _runner is not None, "no worker was started in this process"
    _runner.run(job_id)


def set_runner(runner: "JobRunner") -> None:
    """Set the runner of this process's jobs."""
    global _runner
    _runner = runner


class JobRunner:
    """Runs jobs. All job threads of a process share one."""

    def __init__(self, renderer: Renderer[Any], storage: Storage, records: Records) -> None:
        self._renderer = renderer
        self._storage = storage
        self._records = records
        self._renderings: dict[str, Any] = {}
        #: Ids of jobs that were cancelled while they ran here, perhaps before their render began.
        self._cancelled_ids: set[str] = set()
        #: Set when running jobs must be handed back to the queue.
        self.stopping = threading.Event()

    def run(self, job_id: str) -> None:
        """Run the job to its end. Raises `FarmError`, `RenderCancelled` or `HandedBack`."""
        record = self._records.start(job_id)
        if record is None:
            log.info("job", job_id=job_id, outcome="ended already")
            return
        started = time.perf_counter()
        with _bound_to_log(job_id, record.request_id, record.owner):
            result = self._result(job_id, record.request_id, record.owner)
            outcome = self._store(job_id, result)
            total_ms = round((time.perf_counter() - started) * 1000, 1)
            cache = {"cache": result.cache.outcome} if result.cache else {}
            log.info("job", outcome=outcome, **cache, total_ms=total_ms)
            if outcome == "completed":
                figures.job("completed")

    def cancel(self, job_id: str) -> None:
        """End a job that runs in this process. Called in RQ's thread for commands."""
        self._cancelled_ids.add(job_id)
        if rendering := self._renderings.get(job_id):
            self._renderer.cancel(rendering)

    def on_failure(self, job_id: str, meta: dict[str, Any], error: BaseException) -> Verdict:
        """Decide what RQ does with a job that raised `error`. Counts the error in RQ's `meta`."""
        if isinstance(error, HandedBack):
            return Verdict.RETRY_FIRST
        if isinstance(error, RenderCancelled):
            return self._cancelled(job_id)
        with _bound_to_log(job_id, meta.get("request_id", ""), meta.get("caller")):
            limit = next((limit for limit in _LIMITS if isinstance(error, limit.error)), None)
            if limit and _count(limit, meta) < limit.times:
                log.warning("job is tried again", cause=limit.cause, times=meta[limit.cause])
                self._pause(meta[limit.cause], error)
                # An abandoned job has waited long enough. Other failures may need some time.
                return Verdict.RETRY_FIRST if isinstance(error, Abandoned) else Verdict.RETRY
            return self._failed(job_id, _as_failure(error, limit), error)

    def _store(self, job_id: str, result: RenderResult) -> str:
        if not self._records.is_open(job_id):
            return "ended meanwhile"
        self._storage.put(file_name(job_id), result.data)
        record = self._records.complete(job_id, result)
        discard(self._storage, input_name(job_id))
        if record and record.status is State.COMPLETED:
            return "completed"
        discard(self._storage, file_name(job_id))
        return f"{record.status if record else 'expired'} meanwhile"

    def _result(self, job_id: str, request_id: str, caller: str | None) -> RenderResult:
        try:
            data = self._storage.read(input_name(job_id))
        except NotStored as exc:
            raise InternalError("The input of the job is gone.") from exc
        request = RenderRequest.from_json(data, self._renderer.limits)
        del data
        try:
            with figures.render("job") as counted:
                counted.format = request.format.name
                rendering = self._renderer.begin(request, request_id, caller)
                self._renderings[job_id] = rendering
                if job_id in self._cancelled_ids:
                    self._renderer.cancel(rendering)
                result = self._renderer.wait(rendering)
                counted.completed(result)
            return result
        except BrowserUnavailable as exc:
            if self.stopping.is_set():
                raise HandedBack from exc
            raise
        finally:
            self._renderings.pop(job_id, None)
            self._cancelled_ids.discard(job_id)

    def _pause(self, times: int, error: BaseException) -> None:
        """Pause for a random time that grows with each try.

        So jobs whose browser died at the same time are not retried at the same time, and an outage
        has time to end.
        """
        if not isinstance(error, Abandoned):  # an abandoned job ran in another process, long ago
            self.stopping.wait(min(2**times, _LONGEST_PAUSE_S) * random.random())

    def _failed(self, job_id: str, failure: FarmError, error: BaseException) -> Verdict:
        """Fail the job's record. RQ's own record fails after it, so a process that dies between the
        two leaves a job that has failed.
        """
        if self._records.fail(job_id, failure):
            figures.job("failed")
            cause = first_line(error.__cause__ or error)
            if isinstance(failure, InternalError):
                log.error("job", outcome="failed", code=failure.code, exc_info=error)
            else:
                log.info("job", outcome="failed", code=failure.code, cause=cause)
        discard(self._storage, input_name(job_id))
        return Verdict.FAIL

    def _cancelled(self, job_id: str) -> Verdict:
        with suppress(AlreadyFinished, NotFound):
            self._records.cancel(job_id)  # not cancelled yet if RQ's own tools stopped the job
            figures.job("cancelled")
        return Verdict.FAIL


def _bound_to_log(job_id: str, request_id: str, caller: str | None) -> AbstractContextManager[None]:
    """Adds the job, its request and its caller to every line that this thread logs."""
    names = {"job_id": job_id, "request_id": request_id} | ({"caller": caller} if caller else {})
    return structlog.contextvars.bound_contextvars(**names)


def _count(limit: _Limit, meta: dict[str, Any]) -> int:
    meta[limit.cause] = meta.get(limit.cause, 0) + 1
    return int(meta[limit.cause])


def _as_failure(error: BaseException, limit: _Limit | None) -> FarmError:
    if limit and limit.sentence:
        return PageCrashes(limit.sentence.format(limit.times))
    return error if isinstance(error, FarmError) else InternalError()
