"""Jobs' records in Redis, and the one place that moves them from one state to the next.

A record is one JSON string under `job:{jobId}`, which `GET /render-async/{jobId}` answers. It only
moves forward, also when a job is run twice. It has no expiry before its final state, so
that a backlog erases nothing, and from then on `FARM_JOB_TTL_S`, so that every file can be fetched
for that long. Each end is published on the channel `farm:ended`, and in the same step told to those
whom the job names (`webhooks`), whoever has ended it.
"""

import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import redis

from farm.clock import timestamp
from farm.errors import AlreadyFinished, FarmError, InternalError, NotFound, WithProblems
from farm.job import Record, State
from farm.jobs import broker
from farm.jobs.webhooks import due
from farm.request import RenderResult
from farm.request.result import OUTPUTS
from farm.webhooks import Event, Target, deliveries_of

#: Job ids are published here when their job ends.
ENDED_CHANNEL = "farm:ended"
NO_SUCH_JOB = "There is no such job, or it has expired."
_NOT_UNDERSTOOD = "The job's record is none that this version of the farm understands."


def record_key(job_id: str) -> str:
    return f"job:{job_id}"


class Records:
    """Every job's record. All methods raise `QueueUnavailable` when Redis does not answer.

    And all but `fail` raise `InternalError` for a record that another version has written.
    """

    def __init__(self, client: redis.Redis, job_ttl_s: int) -> None:
        self._client = client
        self._ttl_s = job_ttl_s

    def read(self, job_id: str, caller: str | None = None) -> Record:
        """Raises `NotFound`, also for what is no job id at all, or another caller's job."""
        with broker.translated():
            text = self._client.get(record_key(job_id)) if _is_job_id(job_id) else None
        record = parsed(text) if text is not None else None
        if record is None or (caller is not None and record.owner != caller):
            raise NotFound(NO_SUCH_JOB)
        return record

    def is_open(self, job_id: str) -> bool:
        """Whether the job is known, and has not ended."""
        try:
            return not self.read(job_id).status.final
        except NotFound:
            return False

    def start(self, job_id: str) -> Record | None:
        """To `processing`. None if there is nothing to do (any more)."""

        def start(record: Record) -> Record:
            if record.status is State.PROCESSING:  # by a worker that died
                return record
            return replace(record, status=State.PROCESSING, started_at=timestamp())

        record, _ = self._advance(job_id, start)
        return record if record and not record.status.final else None

    def complete(self, job_id: str, result: RenderResult) -> Record | None:
        """To `completed`, unless it has ended already; the record as it then is."""

        download_url = f"/download/{job_id}"

        def complete(record: Record) -> Record:
            return replace(
                record,
                status=State.COMPLETED,
                completed_at=timestamp(),
                size=result.size,
                format=result.format.name,
                width=result.width,
                height=result.height,
                download_url=download_url,
                blocked=result.blocked or None,
                unfinished=result.left_out or None,
                facts=_facts(result, download_url) or None,
            )

        record, _ = self._advance(job_id, complete)
        return record

    def fail(self, job_id: str, error: FarmError) -> bool:
        """To `failed`, with the error's sentence and code. False if it has ended already.

        A record that is not understood has not ended: it could not be asked for, and never expire.
        """

        def fail(record: Record) -> Record:
            return replace(
                record,
                status=State.FAILED,
                failed_at=timestamp(),
                error=str(error),
                code=error.code,
                facts={"details": error.details} if isinstance(error, WithProblems) else None,
            )

        _, changed = self._advance(job_id, fail, _salvaged)
        return changed

    def cancel(self, job_id: str) -> Record:
        """To `cancelled`; answers the record. Raises `NotFound` or `AlreadyFinished`."""

        def cancel(record: Record) -> Record:
            return replace(record, status=State.CANCELLED, cancelled_at=timestamp())

        record, changed = self._advance(job_id, cancel)
        if record is None:
            raise NotFound(NO_SUCH_JOB)
        if not changed:
            raise AlreadyFinished()
        return record

    def _advance(
        self,
        job_id: str,
        change: Callable[[Record], Record],
        parse: Callable[[bytes | str], Record] | None = None,
    ) -> tuple[Record | None, bool]:
        """Change a record that has not ended.

        Returns the record as it then is (None: gone), and whether it was changed.
        """
        if not _is_job_id(job_id):
            return None, False
        parse = parse or parsed
        key = record_key(job_id)
        written: set[bytes] = set()

        def advance(pipe: "redis.client.Pipeline") -> tuple[Record | None, bool]:
            text = pipe.get(key)
            before = parse(text) if text is not None else None
            if text in written:
                return before, True  # it was done, and only the answer was lost
            if before is None or before.status.final:
                return before, False
            after = change(before)
            targets = after.read_targets() if after.status.final else []
            now_ms = due.now_ms(pipe) if targets else 0
            if targets:
                after = _with_deliveries(after, targets, job_id, now_ms)
            pipe.multi()
            written.add(after.to_json().encode())
            if after.status.final:
                pipe.set(key, after.to_json(), ex=self._ttl_s)
                if after.idempotency:
                    pipe.expire(after.idempotency, self._ttl_s)
                due.put_all(pipe, job_id, after.owner, targets, after.read_deliveries(), now_ms)
                pipe.publish(ENDED_CHANNEL, job_id)
            elif after != before:
                pipe.set(key, after.to_json())
            return after, after != before

        return broker.transaction(self._client, advance, key)


def _facts(result: RenderResult, download_url: str) -> dict[str, Any]:
    """Each of several files has an address of its own, by what no two are called."""
    facts = dict(result.facts)
    if OUTPUTS in facts:
        facts[OUTPUTS] = [
            {**told, "downloadUrl": f"{download_url}/{told['fileName']}"} for told in facts[OUTPUTS]
        ]
    return facts


def _with_deliveries(record: Record, targets: list[Target], job_id: str, now_ms: int) -> Record:
    event = cast(Event, record.status.value)  # it is final
    return record.with_deliveries(deliveries_of(targets, job_id, event, now_ms))


def parsed(text: bytes | str) -> Record:
    """Raises `InternalError` for what this version of the farm does not understand."""
    try:
        record = Record.from_json(text)
        # So that they are understood wherever they are read.
        record.read_targets(), record.read_deliveries()
        return record
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        raise InternalError(_NOT_UNDERSTOOD) from exc


def _salvaged(text: bytes | str) -> Record:
    """The record, or what must not be lost of one that is not understood: times, owner, key, and
    whom to tell.
    """
    spoilt: list[dict[str, object]] = [{}, {"status": State.PENDING}]
    spoilt.append(spoilt[-1] | {"targets": None, "deliveries": None})
    for changes in spoilt:
        try:
            return parsed(json.dumps(json.loads(text) | changes))
        except (InternalError, ValueError, TypeError):
            continue
    return Record(State.PENDING, created_at=timestamp(), request_id="")


def _is_job_id(text: str) -> bool:
    """Whether it is a UUID4 as the farm writes them.

    Other programs may have keys that begin with `job:` in the same Redis.
    """
    try:
        return str(uuid.UUID(text, version=4)) == text
    except ValueError:
        return False
