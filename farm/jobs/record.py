"""The records of jobs in Redis. Only this module changes a job's state.

Request threads (`queue`) and job threads (`task`) call `Records`. A record is one JSON string under
`job:{jobId}`; `GET /render-async/{jobId}` answers with it. Its state only moves forward, even if a
job is run twice. It does not expire before its final state, so no job of a backlog is lost. From
then on it expires after `FARM_JOB_TTL_S`, and its file can be fetched for that long.

The transaction that ends a job also publishes its id on the channel `farm:ended` and adds the
deliveries of its webhooks (`webhooks.due`), whichever process ends it.
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
    """All jobs' records. All methods raise `QueueUnavailable` when Redis does not answer.

    All methods but `fail` raise `InternalError` for a record that this version cannot read.
    """

    def __init__(self, client: redis.Redis, job_ttl_s: int) -> None:
        self._client = client
        self._ttl_s = job_ttl_s

    def read(self, job_id: str, caller: str | None = None) -> Record:
        """The record. Raises `NotFound` if there is none, or if the job is another caller's."""
        with broker.translated():
            text = self._client.get(record_key(job_id)) if _is_job_id(job_id) else None
        record = parsed(text) if text is not None else None
        if record is None or (caller is not None and record.owner != caller):
            raise NotFound(NO_SUCH_JOB)
        return record

    def is_open(self, job_id: str) -> bool:
        """Whether the job has a record and has not ended."""
        try:
            return not self.read(job_id).status.final
        except NotFound:
            return False

    def start(self, job_id: str) -> Record | None:
        """Set the state `processing`. None if the job has ended or has no record."""

        def start(record: Record) -> Record:
            if record.status is State.PROCESSING:  # a worker that died has set it
                return record
            return replace(record, status=State.PROCESSING, started_at=timestamp())

        record, _ = self._advance(job_id, start)
        return record if record and not record.status.final else None

    def complete(self, job_id: str, result: RenderResult) -> Record | None:
        """Set the state `completed`, unless the job has ended. Returns the record after that."""

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
        """Set the state `failed`, with the error's sentence and code. False if the job has ended.

        A record that this version cannot read counts as not ended. Otherwise no client could ever
        read it, and it would never expire.
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
        """Set the state `cancelled`. Returns the record. Raises `NotFound` or `AlreadyFinished`."""

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
        """Change the record of a job that has not ended.

        Returns the record after that (None: there is no record), and whether it was changed.
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
                return before, True  # an earlier try has written it; only Redis's answer was lost
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
    """The result's facts, with a download URL for each of several files.

    The URL ends with the file's name, which is unique in the job.
    """
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
    """The record in a JSON text. Raises `InternalError` if this version cannot read it."""
    try:
        record = Record.from_json(text)
        # Checked here, so that later calls of these methods do not raise.
        record.read_targets(), record.read_deliveries()
        return record
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        raise InternalError(_NOT_UNDERSTOOD) from exc


def _salvaged(text: bytes | str) -> Record:
    """The record. From one that this version cannot read, as many fields as possible: its times,
    owner, idempotency key and webhooks.
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
    """Whether the text is a UUID4 as the farm writes it.

    Other programs may have keys that begin with `job:` in the same Redis.
    """
    try:
        return str(uuid.UUID(text, version=4)) == text
    except ValueError:
        return False
