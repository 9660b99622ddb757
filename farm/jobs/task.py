"""One job, from its stored input to its stored file, and what becomes of one that fails.

A job goes the way of a request: the stored input becomes a `RenderRequest`, the renderer makes a
`RenderResult` of it, and the file is stored before the record says so. Each step may be done twice.
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
    """The worker stops before the job has ended; another one shall do it."""


@dataclass(frozen=True)
class _Limit:
    """How often a job may end in one way. `cause`: its name in RQ's meta and in the log."""

    error: type[Exception]
    cause: str
    times: int
    #: What the client is told; None: what the error says.
    sentence: str | None = None


#: The first that fits counts (`BrowserDied` is an `Unavailable`); what fits none would come again.
#: Others share the browser, so it is not always the job that took it down.
_LIMITS = (
    _Limit(Abandoned, "worker deaths", 3, "The job's worker died {} times while it ran."),
    _Limit(BrowserDied, "browser deaths", 5, "The browser died again and again under the page."),
    _Limit(Unavailable, "outages", 10),
    # Another worker may understand it: where the farm is upgraded, one instance after the other.
    _Limit(OtherVersion, "versions", 100),
)

#: What does the jobs of this process; RQ finds functions by their name alone.
_runner: "JobRunner | None" = None


def render(job_id: str) -> None:
    """What RQ calls for a job."""
    assert _runner is not None, "no worker was started in this process"
    _runner.run(job_id)


def use(runner: "JobRunner") -> None:
    """Have the jobs of this process done by `runner`."""
    global _runner
    _runner = runner


class JobRunner:
    """Does one job after another, in as many threads as there are."""

    def __init__(self, renderer: Renderer[Any], storage: Storage, records: Records) -> None:
        self._renderer = renderer
        self._storage = storage
        self._records = records
        self._renderings: dict[str, Any] = {}
        #: Jobs that were cancelled while they ran here, maybe before they had a rendering.
        self._cancelled_ids: set[str] = set()
        #: Set when running jobs are to be handed back.
        self.stopping = threading.Event()

    def run(self, job_id: str) -> None:
        """From `pending` to `completed`. Raises `FarmError`, `RenderCancelled` or `HandedBack`."""
        record = self._records.start(job_id)
        if record is None:
            log.info("job", job_id=job_id, outcome="ended already")
            return
        started = time.perf_counter()
        with _named(job_id, record.request_id, record.owner):
            result = self._result(job_id, record.request_id, record.owner)
            outcome = self._store(job_id, result)
            total_ms = round((time.perf_counter() - started) * 1000, 1)
            cache = {"cache": result.cache.outcome} if result.cache else {}
            log.info("job", outcome=outcome, **cache, total_ms=total_ms)
            if outcome == "completed":
                figures.job("completed")

    def cancel(self, job_id: str) -> None:
        """End a job that is running here."""
        self._cancelled_ids.add(job_id)
        if rendering := self._renderings.get(job_id):
            self._renderer.cancel(rendering)

    def on_failure(self, job_id: str, meta: dict[str, Any], error: BaseException) -> Verdict:
        """What becomes of a job that raised `error`. Counts it in `meta`, which RQ keeps."""
        if isinstance(error, HandedBack):
            return Verdict.RETRY_FIRST
        if isinstance(error, RenderCancelled):
            return self._cancelled(job_id)
        with _named(job_id, meta.get("request_id", ""), meta.get("caller")):
            limit = next((limit for limit in _LIMITS if isinstance(error, limit.error)), None)
            if limit and _count(limit, meta) < limit.times:
                log.warning("job is tried again", cause=limit.cause, times=meta[limit.cause])
                self._pause(meta[limit.cause], error)
                # It has waited long enough; the others may need a pause, or another worker.
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
        """A random pause that grows with each try.

        So jobs that lost their browser together do not meet again, and an outage may pass.
        """
        if not isinstance(error, Abandoned):  # else it did not run here, and not just now
            self.stopping.wait(min(2**times, _LONGEST_PAUSE_S) * random.random())

    def _failed(self, job_id: str, failure: FarmError, error: BaseException) -> Verdict:
        """The record fails before RQ's does: a death between the two changes nothing."""
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
            self._records.cancel(job_id)  # if it was RQ's own tools that stopped it
            figures.job("cancelled")
        return Verdict.FAIL


def _named(job_id: str, request_id: str, caller: str | None) -> AbstractContextManager[None]:
    """Whose job it is, in every line of the log."""
    names = {"job_id": job_id, "request_id": request_id} | ({"caller": caller} if caller else {})
    return structlog.contextvars.bound_contextvars(**names)


def _count(limit: _Limit, meta: dict[str, Any]) -> int:
    meta[limit.cause] = meta.get(limit.cause, 0) + 1
    return int(meta[limit.cause])


def _as_failure(error: BaseException, limit: _Limit | None) -> FarmError:
    if limit and limit.sentence:
        return PageCrashes(limit.sentence.format(limit.times))
    return error if isinstance(error, FarmError) else InternalError()
