"""Jobs' records in Redis, and the one place that moves them from one state to the next.

A record is one JSON string under `job:{jobId}`, which `GET /render-async/{jobId}` answers. It only
moves forward, also when a job is run twice. It has no expiry before its final state, so
that a backlog erases nothing, and from then on `FARM_JOB_TTL_S`, so that every file can be fetched
for that long. Each end is published on the channel `farm:ended`.
"""

import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import redis

from farm.clock import timestamp
from farm.errors import AlreadyFinished, FarmError, NotFound
from farm.job import Record, State
from farm.jobs.broker import translated
from farm.request import RenderResult

#: Job ids are published here when their job ends.
ENDED_CHANNEL = "farm:ended"
_NO_SUCH_JOB = "There is no such job, or it has expired."


def record_key(job_id: str) -> str:
    return f"job:{job_id}"


class Records:
    """Every job's record. All methods raise `QueueUnavailable` when Redis does not answer."""

    def __init__(self, client: redis.Redis, job_ttl_s: int) -> None:
        self._client = client
        self._ttl_s = job_ttl_s

    def read(self, job_id: str) -> Record:
        """Raises `NotFound`, also for what is no job id at all."""
        with translated():
            text = self._client.get(record_key(job_id)) if _is_job_id(job_id) else None
        if text is None:
            raise NotFound(_NO_SUCH_JOB)
        return Record.from_json(text)

    def start(self, job_id: str) -> Record | None:
        """To `processing`. None if there is nothing to do (any more)."""

        def start(record: Record) -> Record:
            if record.status is State.PROCESSING:  # by a worker that died
                return record
            return replace(record, status=State.PROCESSING, started_at=timestamp())

        return self._advance(job_id, start)

    def complete(self, job_id: str, result: RenderResult) -> bool:
        """To `completed`. False if the job has ended otherwise meanwhile."""

        def complete(record: Record) -> Record:
            return replace(
                record,
                status=State.COMPLETED,
                completed_at=timestamp(),
                size=result.size,
                format=result.format.name,
                width=result.width,
                height=result.height,
                download_url=f"/download/{job_id}",
            )

        return self._advance(job_id, complete) is not None

    def fail(self, job_id: str, error: FarmError) -> bool:
        """To `failed`, with the error's sentence and code. False if it has ended already."""

        def fail(record: Record) -> Record:
            return replace(
                record,
                status=State.FAILED,
                failed_at=timestamp(),
                error=str(error),
                code=error.code,
            )

        return self._advance(job_id, fail) is not None

    def cancel(self, job_id: str) -> Record:
        """To `cancelled`; answers the record. Raises `NotFound` or `AlreadyFinished`."""

        def cancel(record: Record) -> Record:
            return replace(record, status=State.CANCELLED, cancelled_at=timestamp())

        self.read(job_id)
        record = self._advance(job_id, cancel)
        if record is None:
            raise AlreadyFinished()
        return record

    def _advance(self, job_id: str, change: Callable[[Record], Record]) -> Record | None:
        """Change a record that has not ended; None if it has, or is gone. Atomic."""
        while True:
            with translated(), self._client.pipeline() as pipe, suppress(redis.WatchError):
                return self._try_to_advance(pipe, job_id, change)

    def _try_to_advance(
        self,
        pipe: "redis.client.Pipeline",
        job_id: str,
        change: Callable[[Record], Record],
    ) -> Record | None:
        key = record_key(job_id)
        pipe.watch(key)  # type: ignore[no-untyped-call]
        text = pipe.get(key)
        before = Record.from_json(text) if text else None
        if before is None or before.status.final:
            return None
        after = change(before)
        if after == before:
            return after
        pipe.multi()
        if after.status.final:
            pipe.set(key, after.to_json(), ex=self._ttl_s)
            if after.idempotency:
                pipe.expire(after.idempotency, self._ttl_s)
            pipe.publish(ENDED_CHANNEL, job_id)
        else:
            pipe.set(key, after.to_json())
        pipe.execute()
        return after


def _is_job_id(text: str) -> bool:
    """Whether it is a UUID4 as the farm writes them."""
    try:
        return str(uuid.UUID(text, version=4)) == text
    except ValueError:
        return False
