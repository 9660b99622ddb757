"""Everything that touches RQ's inside, for exactly the RQ that setup.cfg pins.

RQ loses nothing if it is told not to. What it does by itself, and what is done about it here:

- It forks for each job; a fork cannot share its parent's browser. `ThreadWorker` is a worker in a
  thread: no signal handlers, no alarm, no fork.
- Its in-process worker sends no heartbeat during a job, and gives an execution the job's timeout to
  live. `ThreadWorker.beat` is called every `HEARTBEAT_S`, so an execution's life can be short.
- A worker killed in maintenance leaves a lock for 899 s, and a job killed in the dequeue is looked
  at ten minutes later: `_Queue` and `ThreadWorker.maintain` shorten both. Whatever was killed when,
  an abandoned job is queued again within 105 s (dequeued: 15 + 30 + 15 s; running: 45 + 15 s;
  between the two: 45 + 15 + 30 + 15 s), and somewhat later on a busy machine.
- It tells an abandoned job by the wall clock, which may jump: before `ThreadWorker.maintain` has it
  look, Redis says who is alive.
- It retries a job a number of times, whatever the reason. A `Judge` is asked instead.
- It takes jobs in the order in which they came. `_Queue` takes the job whose turn it is (`turns`),
  by a move as reliable as RQ's own.
"""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from types import TracebackType
from typing import Any

import redis
import rq.serializers
import structlog
from rq import Queue, Retry, SimpleWorker
from rq.command import send_stop_job_command
from rq.exceptions import (
    AbandonedJobError,
    DequeueTimeout,
    InvalidJobOperation,
    NoSuchJobError,
    StopRequested,
)
from rq.executions import Execution
from rq.intermediate_queue import IntermediateQueue
from rq.job import Job
from rq.job_lifecycle import call_exception_handlers
from rq.serializers import JSONSerializer
from rq.timeouts import TimerDeathPenalty

from farm.jobs import turns
from farm.renderer import RenderCancelled

log = structlog.get_logger()

QUEUE_NAME = "renders"
#: What RQ calls for a job, with the job's id.
_FUNCTION = "farm.jobs.task.render"

#: How often running jobs are shown to be alive, and how long one that is not counts as alive.
HEARTBEAT_S = 5
_EXECUTION_TTL_S = 45
#: How often a process looks for abandoned jobs, and how long one killed at it keeps others away.
MAINTENANCE_S = 15
_MAINTENANCE_LOCK_S = 30
#: RQ looks twice at a job in the dequeue, so far apart, before it takes it for abandoned.
_STUCK_S = 30
_FIRST_SEEN_TTL_S = 120
#: A worker without a sign of life for this long (and a minute) is gone from the dashboard.
_WORKER_TTL_S = 45
#: How long an idle worker waits in Redis before it looks whether it should stop.
_IDLE_S = 1
#: How long a worker waits before it listens for commands again.
_RECONNECT_S = 2
#: How often a job is tried again because nobody could say what is to become of it.
_MAX_NO_VERDICTS = 20
_NO_VERDICT_PAUSE_S = 2.0
_NEVER_S = 10**9
#: The limit is the verdict's; RQ only needs one that is never reached.
_MANY_RETRIES = 1_000


class Verdict(Enum):
    """What becomes of a job that did not end well."""

    FAIL = "fail"
    #: Behind its caller's other jobs.
    RETRY = "retry"
    #: Before all other jobs.
    RETRY_FIRST = "retry first"


#: Asked with the job's RQ meta (kept with the job, JSON) and what was raised.
Judge = Callable[[str, dict[str, Any], BaseException], Verdict]


class Abandoned(Exception):
    """The worker of the job was killed, or lost its Redis for long."""


class _Intermediate(IntermediateQueue):
    def set_first_seen(self, job_id: str) -> bool:
        # RQ keeps it for a day, in which a job that is dequeued again counts as stuck at once.
        key = self.get_first_seen_key(job_id)
        return bool(self.connection.set(key, time.time(), nx=True, ex=_FIRST_SEEN_TTL_S))

    def should_be_cleaned_up(self, job_id: str) -> bool:
        # RQ waits for a minute, by the wall clock. From the dequeue to the start it is some
        # milliseconds, and how long ago that was, Redis knows.
        left_s = self.connection.ttl(self.get_first_seen_key(job_id))
        return 0 <= left_s < _FIRST_SEEN_TTL_S - _STUCK_S


class _Queue(Queue):
    def acquire_maintenance_lock(self) -> bool:
        key = self.registry_cleaning_key
        return bool(self.connection.set(key, 1, nx=True, ex=_MAINTENANCE_LOCK_S))

    @classmethod
    def dequeue_any(cls, *args: Any, **kwargs: Any) -> tuple[Job, Queue] | None:
        # RQ's worker would look again until it has been idle for long enough by the wall clock: for
        # an hour if that goes back by one, in which it would not stop.
        with suppress(DequeueTimeout):
            return super().dequeue_any(*args, **kwargs)
        return None

    @classmethod
    def lmove(cls, connection: redis.Redis, queue_key: str, timeout: int | None) -> Any:
        dequeued_key = _Intermediate.get_intermediate_queue_key(queue_key)
        job_id = turns.take(connection, queue_key, dequeued_key)
        if job_id is not None:
            return queue_key, job_id
        # None waits: the next that comes has its turn.
        if taken := super().lmove(connection, queue_key, timeout):
            turns.forget(connection, queue_key, taken[1].decode())
        return taken

    def push_job_id(
        self,
        job_id: str,
        pipeline: "redis.client.Pipeline | None" = None,
        at_front: bool = False,
    ) -> None:
        assert pipeline is not None, "RQ pushes in transactions"
        super().push_job_id(job_id, pipeline, at_front)
        if not at_front:
            turns.add(pipeline, self.key, job_id)

    @property
    def intermediate_queue(self) -> IntermediateQueue:
        return _Intermediate(self.key, connection=self.connection)


class RqQueue:
    """The one queue, as those who submit see it."""

    def __init__(self, client: redis.Redis, job_ttl_s: int, name: str = QUEUE_NAME) -> None:
        self._client = client
        self._job_ttl_s = job_ttl_s
        self._queue = _Queue(name, connection=client, serializer=JSONSerializer)

    def enqueue(
        self,
        pipe: "redis.client.Pipeline",
        job_id: str,
        request_id: str,
        description: str,
        caller: str | None = None,
        weight: int = 1,
        priority: str = "normal",
    ) -> None:
        """Add to a transaction what queues the job.

        `weight`: of its caller; `priority`: among its caller's jobs, as in a request.
        """
        turn = {"weight": (weight, 1), "priority": (priority, "normal")}
        changed = {name: value for name, (value, default) in turn.items() if value != default}
        self._queue.enqueue_call(
            _FUNCTION,
            args=(job_id,),
            job_id=job_id,
            description=description,
            meta={"request_id": request_id, "caller": caller, **changed},
            timeout=-1,  # the engine keeps the deadline
            result_ttl=self._job_ttl_s,
            failure_ttl=self._job_ttl_s,
            retry=Retry(max=_MANY_RETRIES),
            pipeline=pipe,
        )

    def position(self, job_id: str) -> int | None:
        """1 for the next job to be taken; None for one that is not waiting."""
        return turns.position(self._client, self._queue.key, job_id)

    def waiting(self) -> tuple[int, str | None]:
        """How many wait, and the id of the one that was accepted first."""
        next_ids = self._queue.get_job_ids(0, 1)
        return self._queue.count, next_ids[0] if next_ids else None

    def knows(self, job_id: str) -> bool:
        """Whether the job waits, runs, or has ended not long ago; no other will ever run."""
        return bool(self._client.exists(Job.key_for(job_id)))

    def open_job_ids(self, registry: str) -> list[str]:
        """Jobs that RQ has in `queued` or `started`; none of what has ended."""
        if registry == "queued":
            return self._queue.get_job_ids()
        if registry == "started":
            started: list[str] = self._queue.started_job_registry.get_job_ids(cleanup=False)
            return started
        return []

    def remove(self, job_id: str) -> bool:
        """Take a waiting job out; False if a worker has it (or it is not there)."""
        with self._client.pipeline() as pipe:
            self._queue.remove(job_id, pipeline=pipe)
            turns.forget(pipe, self._queue.key, job_id)
            # A worker that takes the job at this moment makes its hash lasting again.
            pipe.expire(Job.key_for(job_id), self._job_ttl_s)
            removed, *_ = pipe.execute()
        return bool(removed)

    def stop(self, job_id: str) -> None:
        """Tell the worker that runs the job to end it; of no effect if none does."""
        try:
            send_stop_job_command(self._client, job_id, serializer=JSONSerializer)
        except (NoSuchJobError, InvalidJobOperation):
            return


class ThreadWorker(SimpleWorker):
    """One thread that takes jobs one after another; a worker of its own to RQ."""

    queue_class = _Queue
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
        """`cancel` is called with the id of a job that is to be stopped, from another thread.

        While `is_ready` is not so, no job is taken.
        """
        self._is_ready = is_ready
        self._judge = judge
        self._cancel = cancel
        #: Running executions and when they were met, by `time.monotonic()`.
        self._met: dict[str, float] = {}
        super().__init__(
            [QUEUE_NAME],
            name=name,
            connection=client,
            serializer=JSONSerializer,
            worker_ttl=_WORKER_TTL_S,
            maintenance_interval=_NEVER_S,  # `maintain` is called instead
            log_job_description=False,
            exception_handlers=[self._decide],
        )

    def run(self) -> None:
        """Take jobs until `stop`. Raises what Redis raises when it is gone for too long."""
        self.work(logging_level=logging.getLevelName(logging.getLogger("rq.worker").level))

    def stop(self) -> None:
        """Take no more jobs, from any thread; a running one goes on."""
        self._stop_requested = True

    @property
    def running(self) -> list[str]:
        """Ids of the jobs that run in this thread: one or none."""
        return [execution.job_id for execution in list(self.executions.values())]

    def beat(self, longest_s: float) -> None:
        """Show that the running job is alive, unless it has run for longer than it can.

        To be called every `HEARTBEAT_S`: a job's time counts from the first call that meets it.
        """
        now = time.monotonic()
        executions = list(self.executions.values())
        self._met = {each.id: self._met.get(each.id, now) for each in executions}
        for execution in executions:
            if now - self._met[execution.id] < longest_s:
                # Whole, since it may have expired: RQ writes a field of it, and cannot read that.
                execution.save(_EXECUTION_TTL_S)
                self.maintain_heartbeats(execution.job, execution)

    def maintain(self) -> None:
        """Look for abandoned jobs, unless another process does."""
        self._tell_time()
        self.run_maintenance_tasks()  # type: ignore[no-untyped-call]

    def _tell_time(self) -> None:
        """Correct the times at which RQ will take the running jobs for abandoned.

        They are by the wall clock of the machine that wrote them, which may be wrong, or jump. An
        execution's own key lives by Redis's, for as long as its worker shows that it is alive.
        """
        key = Queue(QUEUE_NAME, connection=self.connection).started_job_registry.key
        names: list[bytes] = self.connection.zrange(key, 0, -1)  # type: ignore[assignment]
        for name in names:
            execution = Execution.from_composite_key(name.decode(), self.connection)
            alive = self.connection.exists(execution.key)
            until = time.time() + _EXECUTION_TTL_S if alive else 1
            self.connection.zadd(key, {name: until}, xx=True)

    def _install_signal_handlers(self) -> None:
        """Signals are the main thread's."""

    def dequeue_job_and_maintain_ttl(
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> tuple[Job, Queue] | None:
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
        """RQ's "stop this job"; `_stopped_job_id` was set just before."""
        if self._stopped_job_id is not None:
            self._cancel(self._stopped_job_id)

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        # RQ would log a traceback; the handler has logged what is to be said.
        call_exception_handlers(self._exc_handlers, job, *exc_info)

    def _decide(
        self,
        job: Job,
        _: type[BaseException],
        error: BaseException,
        __: TracebackType | None,
    ) -> None:
        """Before RQ looks whether the job is to be retried: for jobs that raised or were lost."""
        if isinstance(error, AbandonedJobError):
            error = Abandoned()
        elif self._stopped_job_id == job.id:
            error = RenderCancelled()
        elif not self._is_ours(job):
            # This process stood still, and the job was given to another. Once more does no harm.
            log.warning("job is another worker's by now", job_id=job.id)
            return
        try:
            verdict = self._judge(job.id, job.meta, error)
        except Exception as exc:
            # Raised on, it would keep RQ from requeueing this job and all the other abandoned ones.
            log.error("no verdict on a job; it is tried again", job_id=job.id, exc_info=exc)
            verdict = self._without_verdict(job, error)
        if verdict is Verdict.FAIL:
            job.retries_left = 0
        job.enqueue_at_front_on_retry = verdict is Verdict.RETRY_FIRST

    def _is_ours(self, job: Job) -> bool:
        """Whether the job still counts as running here."""
        ours = [each for each in list(self.executions.values()) if each.job_id == job.id]
        return not ours or any(self.connection.exists(each.key) for each in ours)

    def _without_verdict(self, job: Job, error: BaseException) -> Verdict:
        job.meta["no verdict"] = job.meta.get("no verdict", 0) + 1
        if not isinstance(error, Abandoned):  # that comes from `maintain`, which must not wait
            time.sleep(_NO_VERDICT_PAUSE_S)
        return Verdict.RETRY if job.meta["no verdict"] < _MAX_NO_VERDICTS else Verdict.FAIL

    def handle_job_failure(
        self,
        job: Job,
        queue: Queue,
        started_job_registry: Any = None,
        exc_string: str = "",
        execution: Execution | None = None,
    ) -> None:
        if execution is None:
            # Its worker was killed in the dequeue, which is not the job's doing.
            log.warning("job is tried again", job_id=job.id, cause="dequeue")
            job.retries_left = (job.retries_left or 0) + 1
            job.enqueue_at_front_on_retry = True
        # Not the traceback, which has URLs with their queries in it: that is the log's.
        told = exc_string.strip().splitlines()[-1:] or [""]
        super().handle_job_failure(job, queue, started_job_registry, told[0], execution)

    def _pubsub_exception_handler(self, exc: Exception, *_: Any) -> None:
        # RQ ends the thread, and with it the worker's ear, for all but one error of Redis.
        log.warning("worker hears no commands", worker=self.name, cause=type(exc).__name__)
        time.sleep(_RECONNECT_S)


def read_nothing_but_json() -> None:
    """Make JSON RQ's default in this process, for tools that forget how jobs are written.

    Else they take arguments for pickles, and a pickle runs the code that is in it: whoever can
    write to the Redis could run any here.
    """
    rq.serializers.PickleSerializer = JSONSerializer  # type: ignore[assignment]
