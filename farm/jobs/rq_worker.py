"""The job worker: RQ's worker as one thread, which takes jobs and runs them one after another.

`worker.Worker` runs an `RqWorker` in each of its job threads, and calls `send_heartbeats` and
`maintain` from its heartbeat thread. `rq_queue` has the queue. These two modules alone touch RQ's
private parts, of exactly the version that setup.cfg pins. What RQ does by default in its worker,
and what this module does instead:

- RQ forks for each job, and a fork cannot share its parent's browser. `RqWorker` runs in a thread:
  it sets no signal handlers and no alarm, and does not fork.
- RQ's in-process worker sends no heartbeat during a job, so RQ lets an execution live for as long
  as the job's time-out. `RqWorker.send_heartbeats` is called every `HEARTBEAT_S`, so an execution
  that is not renewed expires after 45 s.
- RQ decides by the wall clock which jobs are abandoned, and that clock may jump. Before each
  maintenance, `RqWorker` corrects RQ's times by what Redis says of the executions.
- RQ retries a job a fixed number of times, whatever the reason. `RqWorker` asks a `Judge` instead.

A job whose worker was killed is requeued after at most (and somewhat later on a busy machine)::

     60 s   during the dequeue: 15 + 30 + 15
     60 s   while it ran: 45 + 15
    105 s   between the two: 45 + 15 + 30 + 15
"""

import logging
import time
from collections.abc import Callable
from enum import Enum
from types import TracebackType
from typing import Any

import redis
import rq
import structlog
from rq import SimpleWorker
from rq.exceptions import AbandonedJobError, StopRequested
from rq.executions import Execution
from rq.job import Job
from rq.job_lifecycle import call_exception_handlers
from rq.serializers import JSONSerializer
from rq.timeouts import TimerDeathPenalty

from farm.jobs.rq_queue import QUEUE_NAME, FairQueue
from farm.renderer import RenderCancelled

log = structlog.get_logger()

#: How often the heartbeats of running jobs are sent, and how long an execution lives without one.
HEARTBEAT_S = 5
_EXECUTION_TTL_S = 45
#: How often a process looks for abandoned jobs.
MAINTENANCE_S = 15
#: The dashboard drops a worker that has given no sign of life for this long and a minute.
_WORKER_TTL_S = 45
#: How long an idle worker waits in Redis before it checks whether it must stop.
_IDLE_S = 1
#: The pause before a worker listens for commands again after an error.
_RECONNECT_S = 2
#: How often a job is retried because the judge itself raised.
_MAX_NO_VERDICTS = 20
_NO_VERDICT_PAUSE_S = 2.0
_NEVER_S = 10**9


class Verdict(Enum):
    """What RQ does with a job that raised an error or was abandoned."""

    FAIL = "fail"
    #: Requeue it behind its caller's other jobs.
    RETRY = "retry"
    #: Requeue it before all other jobs.
    RETRY_FIRST = "retry first"


#: Called with the job's id, its RQ meta (JSON, stored with the job) and the error.
Judge = Callable[[str, dict[str, Any], BaseException], Verdict]


class Abandoned(Exception):
    """The job's worker was killed, or could not reach Redis for too long."""


class RqWorker(SimpleWorker):
    """One thread that takes jobs one after another. RQ lists each thread as a worker."""

    queue_class = FairQueue
    death_penalty_class = TimerDeathPenalty  # threads have no alarm
    max_connection_wait_time = 2.0
    log_result_lifespan = False

    def __init__(
        self,
        client: redis.Redis,
        name: str,
        judge: Judge,
        cancel: Callable[[str], None],
        is_ready: Callable[[], bool] = lambda: True,
    ) -> None:
        """`cancel` is called in another thread, with the id of a job that must stop.

        No job is taken while `is_ready` returns False.
        """
        self._is_ready = is_ready
        self._judge = judge
        self._cancel = cancel
        #: Running executions, and when `send_heartbeats` first saw each (`time.monotonic()`).
        self._first_seen: dict[str, float] = {}
        super().__init__(
            [QUEUE_NAME],
            name=name,
            connection=client,
            serializer=JSONSerializer,
            worker_ttl=_WORKER_TTL_S,
            maintenance_interval=_NEVER_S,  # `maintain` is called instead
            log_job_description=False,
            exception_handlers=[self._apply_verdict],
        )

    def run(self) -> None:
        """Take jobs until `stop`. Raises Redis's errors if Redis is gone for too long."""
        self.work(logging_level=logging.getLevelName(logging.getLogger("rq.worker").level))

    def stop(self) -> None:
        """Take no more jobs. A running job continues. Any thread may call this."""
        self._stop_requested = True

    @property
    def running(self) -> list[str]:
        """The id of the job that runs in this thread, if one does."""
        return [execution.job_id for execution in list(self.executions.values())]

    def send_heartbeats(self, longest_s: float) -> None:
        """Renew the running job's execution in Redis, unless the job has run for `longest_s`.

        Must be called every `HEARTBEAT_S`. A job's time counts from the first call that sees it.
        """
        now = time.monotonic()
        executions = list(self.executions.values())
        self._first_seen = {each.id: self._first_seen.get(each.id, now) for each in executions}
        for execution in executions:
            if now - self._first_seen[execution.id] < longest_s:
                # Every field is saved, since the execution may have expired. RQ would write one
                # field, and could not read the result.
                execution.save(_EXECUTION_TTL_S)
                self.maintain_heartbeats(execution.job, execution)

    def maintain(self) -> None:
        """Requeue abandoned jobs, unless another process does so at the moment."""
        self._correct_expiries()
        self.run_maintenance_tasks()  # type: ignore[no-untyped-call]

    def _correct_expiries(self) -> None:
        """Correct the times from which RQ regards each running job as abandoned.

        Each time was written by the wall clock of a worker's machine, which may be wrong or jump.
        An execution's key expires by Redis's clock, and its worker's heartbeats renew it.
        """
        key = rq.Queue(QUEUE_NAME, connection=self.connection).started_job_registry.key
        names: list[bytes] = self.connection.zrange(key, 0, -1)  # type: ignore[assignment]
        for name in names:
            execution = Execution.from_composite_key(name.decode(), self.connection)
            alive = self.connection.exists(execution.key)
            until = time.time() + _EXECUTION_TTL_S if alive else 1
            self.connection.zadd(key, {name: until}, xx=True)

    def _install_signal_handlers(self) -> None:
        """Install none: the main thread handles signals."""

    def dequeue_job_and_maintain_ttl(
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> tuple[Job, rq.Queue] | None:
        while not self._stop_requested:
            if not self._is_ready():
                self.heartbeat()
                time.sleep(_IDLE_S)
            elif taken := super().dequeue_job_and_maintain_ttl(_IDLE_S):
                return taken
        raise StopRequested

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:
        return _EXECUTION_TTL_S

    def kill_horse(self, sig: Any = None) -> None:
        """RQ calls this to stop a job, right after it has set `_stopped_job_id`."""
        if self._stopped_job_id is not None:
            self._cancel(self._stopped_job_id)

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        # RQ would also log a traceback. The handler has logged the failure already.
        call_exception_handlers(self._exc_handlers, job, *exc_info)

    def _apply_verdict(
        self,
        job: Job,
        _: type[BaseException],
        error: BaseException,
        __: TracebackType | None,
    ) -> None:
        """Ask the judge, and set the retries that RQ reads next.

        RQ calls this for each job that raised an error or was abandoned.
        """
        if isinstance(error, AbandonedJobError):
            error = Abandoned()
        elif self._stopped_job_id == job.id:
            error = RenderCancelled()
        elif not self._is_ours(job):
            # This process was suspended, and the job was given to another worker. Running a job
            # twice does no harm.
            log.warning("job is another worker's by now", job_id=job.id)
            return
        try:
            verdict = self._judge(job.id, job.meta, error)
        except Exception as exc:
            # If this were raised, RQ would requeue neither this job nor the other abandoned ones.
            log.error("no verdict on a job; it is tried again", job_id=job.id, exc_info=exc)
            verdict = self._default_verdict(job, error)
        if verdict is Verdict.FAIL:
            job.retries_left = 0
        job.enqueue_at_front_on_retry = verdict is Verdict.RETRY_FIRST

    def _is_ours(self, job: Job) -> bool:
        """Whether Redis still has the job as running in this thread."""
        ours = [each for each in list(self.executions.values()) if each.job_id == job.id]
        return not ours or any(self.connection.exists(each.key) for each in ours)

    def _default_verdict(self, job: Job, error: BaseException) -> Verdict:
        """The verdict on a job for which the judge raised. Pauses first."""
        job.meta["no verdict"] = job.meta.get("no verdict", 0) + 1
        # `maintain` reports abandoned jobs, and its thread must not wait.
        if not isinstance(error, Abandoned):
            time.sleep(_NO_VERDICT_PAUSE_S)
        return Verdict.RETRY if job.meta["no verdict"] < _MAX_NO_VERDICTS else Verdict.FAIL

    def handle_job_failure(
        self,
        job: Job,
        queue: rq.Queue,
        started_job_registry: Any = None,
        exc_string: str = "",
        execution: Execution | None = None,
    ) -> None:
        if execution is None:
            # The worker was killed during the dequeue, for which the job is not to blame.
            log.warning("job is tried again", job_id=job.id, cause="dequeue")
            job.retries_left = (job.retries_left or 0) + 1
            job.enqueue_at_front_on_retry = True
        # RQ stores the last line only. The traceback contains URLs with their queries, and belongs
        # in the log.
        last_line = exc_string.strip().splitlines()[-1:] or [""]
        super().handle_job_failure(job, queue, started_job_registry, last_line[0], execution)

    def _pubsub_exception_handler(self, exc: Exception, *_: Any) -> None:
        # RQ's handler ends this thread on any error but ConnectionError. The worker would then
        # receive no commands.
        log.warning("worker hears no commands", worker=self.name, cause=type(exc).__name__)
        time.sleep(_RECONNECT_S)
