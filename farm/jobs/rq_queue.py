"""The job queue in RQ: enqueues, looks up, removes and stops jobs.

`queue`, `submissions` and `dashboard` call `RqQueue`, from any thread. `rq_worker` takes jobs from
the same queue. These two modules alone touch RQ's private parts, of exactly the version that
setup.cfg pins. What RQ does by default in its queue, and what this module does instead:

- RQ takes jobs in the order of their arrival. `FairQueue` takes the job whose turn it is (`turns`),
  and moves it as reliably as RQ does.
- A worker that is killed during maintenance leaves RQ's maintenance lock for 899 s. `FairQueue`
  lets the lock expire after 30 s.
- If a worker is killed during the dequeue, RQ requeues its job after ten minutes. `FairQueue` does
  so after 30 s, counted by Redis's clock.
- RQ's worker measures its idle time by the wall clock, which may jump. `FairQueue.dequeue_any`
  returns after one time-out of Redis, so that this clock does not matter.
"""

import time
from contextlib import suppress
from typing import Any

import redis
import rq
import rq.serializers
from rq.command import send_stop_job_command
from rq.exceptions import DequeueTimeout, InvalidJobOperation, NoSuchJobError
from rq.intermediate_queue import IntermediateQueue
from rq.job import Job
from rq.serializers import JSONSerializer

from farm.jobs import turns

QUEUE_NAME = "renders"
#: The function that RQ calls with the id of a job.
_FUNCTION = "farm.jobs.task.render"

#: How long RQ's maintenance lock lasts if the process that has it is killed.
_MAINTENANCE_LOCK_S = 30
#: Maintenance sees a job in the dequeue twice, with this time between, before it requeues the job.
_STUCK_S = 30
_FIRST_SEEN_TTL_S = 120
#: RQ needs a limit. `rq_worker.Judge` ends retries, so this one is never reached.
_MANY_RETRIES = 1_000


class _Intermediate(IntermediateQueue):
    """The list of jobs in the dequeue: taken from the queue, and not yet started."""

    def set_first_seen(self, job_id: str) -> bool:
        # RQ keeps this key for a day. A job that is dequeued again within it counts as stuck at
        # once.
        key = self.get_first_seen_key(job_id)
        return bool(self.connection.set(key, time.time(), nx=True, ex=_FIRST_SEEN_TTL_S))

    def should_be_cleaned_up(self, job_id: str) -> bool:
        # RQ waits for a minute of the wall clock. A job starts some milliseconds after the dequeue,
        # and the key's expiry tells its age by Redis's clock.
        left_s = self.connection.ttl(self.get_first_seen_key(job_id))
        return 0 <= left_s < _FIRST_SEEN_TTL_S - _STUCK_S


class FairQueue(rq.Queue):
    """RQ's queue with the changes that the module's docstring lists."""

    def acquire_maintenance_lock(self) -> bool:
        key = self.registry_cleaning_key
        return bool(self.connection.set(key, 1, nx=True, ex=_MAINTENANCE_LOCK_S))

    @classmethod
    def dequeue_any(cls, *args: Any, **kwargs: Any) -> tuple[Job, rq.Queue] | None:
        # RQ's worker looks again until it has been idle for long enough by the wall clock. If that
        # clock goes back by an hour, the worker would not stop for an hour.
        with suppress(DequeueTimeout):
            return super().dequeue_any(*args, **kwargs)
        return None

    @classmethod
    def lmove(cls, connection: redis.Redis, queue_key: str, timeout: int | None) -> Any:
        dequeued_key = _Intermediate.get_intermediate_queue_key(queue_key)
        job_id = turns.take(connection, queue_key, dequeued_key)
        if job_id is not None:
            return queue_key, job_id
        # No job waits, so the next job that arrives is taken at once.
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
    """The farm's one queue: enqueue, look up, remove and stop jobs."""

    def __init__(self, client: redis.Redis, job_ttl_s: int, name: str = QUEUE_NAME) -> None:
        self._client = client
        self._job_ttl_s = job_ttl_s
        self._queue = FairQueue(name, connection=client, serializer=JSONSerializer)

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
        """Add the commands that enqueue the job to a transaction.

        `weight`: the caller's. `priority`: the job's among its caller's jobs, as in a request.
        """
        turn = {"weight": (weight, 1), "priority": (priority, "normal")}
        changed = {name: value for name, (value, default) in turn.items() if value != default}
        self._queue.enqueue_call(
            _FUNCTION,
            args=(job_id,),
            job_id=job_id,
            description=description,
            meta={"request_id": request_id, "caller": caller, **changed},
            timeout=-1,  # the engine enforces the deadline
            result_ttl=self._job_ttl_s,
            failure_ttl=self._job_ttl_s,
            retry=rq.Retry(max=_MANY_RETRIES),
            pipeline=pipe,
        )

    def position(self, job_id: str) -> int | None:
        """The job's place in the queue: 1 for the next job, None for a job that does not wait."""
        return turns.position(self._client, self._queue.key, job_id)

    def waiting(self) -> tuple[int, str | None]:
        """The number of waiting jobs, and the id of the one that was accepted first."""
        next_ids = self._queue.get_job_ids(0, 1)
        return self._queue.count, next_ids[0] if next_ids else None

    def knows(self, job_id: str) -> bool:
        """Whether RQ has the job: it waits, runs, or ended lately. Any other job never runs."""
        return bool(self._client.exists(Job.key_for(job_id)))

    def open_job_ids(self, registry: str) -> list[str]:
        """The ids of RQ's `queued` or `started` jobs; empty for any other registry."""
        if registry == "queued":
            return self._queue.get_job_ids()
        if registry == "started":
            started: list[str] = self._queue.started_job_registry.get_job_ids(cleanup=False)
            return started
        return []

    def remove(self, job_id: str) -> bool:
        """Remove a waiting job. False if a worker has the job, or there is no such job."""
        with self._client.pipeline() as pipe:
            self._queue.remove(job_id, pipeline=pipe)
            turns.forget(pipe, self._queue.key, job_id)
            # A worker that takes the job at this moment removes this expiry again.
            pipe.expire(Job.key_for(job_id), self._job_ttl_s)
            removed, *_ = pipe.execute()
        return bool(removed)

    def stop(self, job_id: str) -> None:
        """Tell the worker that runs the job to end it. No effect if no worker runs it."""
        try:
            send_stop_job_command(self._client, job_id, serializer=JSONSerializer)
        except (NoSuchJobError, InvalidJobOperation):
            return


def read_nothing_but_json() -> None:
    """Make JSON the default serializer of RQ in this process.

    Some tools ignore the serializer setting, and read a job's arguments as a pickle. A pickle runs
    the code that it contains, so anybody who can write to the Redis could run code here.
    """
    rq.serializers.PickleSerializer = JSONSerializer  # type: ignore[assignment]
