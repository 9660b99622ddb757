"""A job as its clients see it: its states, its record, and the interface of the queue.

    pending → processing → completed | failed | cancelled

The web layer knows the queue as a `JobQueue`, and calls it in the threads that handle requests.
`farm.jobs` implements it with RQ and Redis.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any, Protocol, Self

from pydantic.alias_generators import to_camel, to_snake

from farm.request import RenderRequest
from farm.webhooks import Delivery, Target


class State(StrEnum):
    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        return self not in (State.PENDING, State.PROCESSING)


@dataclass(frozen=True)
class Record:
    """The facts of a job. Times are in the contract's format, the size in bytes, sides in px."""

    status: State
    created_at: str
    #: The id of the submitting request. Every log line about the job has it.
    request_id: str
    #: The Redis key of the submission's idempotency key; not for clients.
    idempotency: str | None = None
    #: The name of the submitter's API key; not for clients.
    owner: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    failed_at: str | None = None
    cancelled_at: str | None = None
    size: int | None = None
    format: str | None = None
    width: int | None = None
    height: int | None = None
    download_url: str | None = None
    #: The page's requests that the egress policy has refused: `host` and `reason` of each.
    blocked: list[dict[str, str]] | None = None
    #: What the page still waited for when it was captured.
    unfinished: list[str] | None = None
    #: Further facts about the file (`RenderResult.facts`).
    facts: dict[str, Any] | None = None
    error: str | None = None
    code: str | None = None
    #: Where its end is reported (`Target.to_dict`). Secrets, so not for clients.
    targets: list[dict[str, Any]] | None = None
    #: The reports (`Delivery.to_dict`), once the job has ended.
    deliveries: list[dict[str, Any]] | None = None

    @classmethod
    def from_json(cls, text: bytes | str) -> Self:
        """Read what `to_json` has written. Ignores fields of a newer version of the farm."""
        known = {field.name for field in fields(cls)}
        values = {to_snake(name): value for name, value in json.loads(text).items()}
        values = {name: value for name, value in values.items() if name in known}
        return cls(**values | {"status": State(values["status"])})

    def to_json(self) -> str:
        return json.dumps(_as_json(self))

    def public(self) -> dict[str, Any]:
        """The record as the API answers it. Its own fields override facts of the same name."""
        told = [delivery.public() for delivery in self.read_deliveries()]
        own = _as_json(
            replace(
                self,
                idempotency=None,
                owner=None,
                facts=None,
                targets=None,
                deliveries=told or None,
            )
        )
        facts = {_FACT_NAMES.get(name, name): fact for name, fact in (self.facts or {}).items()}
        return own | {name: fact for name, fact in facts.items() if name not in _OWN_NAMES}

    def read_targets(self) -> list[Target]:
        return [Target.from_dict(each) for each in self.targets or ()]

    def read_deliveries(self) -> list[Delivery]:
        return [Delivery.from_dict(each) for each in self.deliveries or ()]

    def with_deliveries(self, deliveries: Iterable[Delivery]) -> Self:
        """The record with these deliveries."""
        return replace(self, deliveries=[delivery.to_dict() for delivery in deliveries] or None)


def _as_json(record: Record) -> dict[str, Any]:
    values = asdict(record)
    return {to_camel(name): value for name, value in values.items() if value is not None}


#: The names of the record's own fields in answers.
_OWN_NAMES = frozenset(to_camel(field.name) for field in fields(Record))
#: Facts that have another name in a job's answer, since `status` is the job's state there.
_FACT_NAMES = {"status": "httpStatus"}

#: Prefixes of names in the storage.
INPUTS = "inputs/"
FILES = "files/"


def input_name(job_id: str) -> str:
    """The name in the storage of a job's request."""
    return INPUTS + job_id


def file_name(job_id: str) -> str:
    """The name in the storage of a job's rendered file."""
    return FILES + job_id


@dataclass(frozen=True)
class QueueFigures:
    """The state of the job queue at one moment. It is the same for every instance.

    `oldest_s`: the seconds for which the oldest job has waited; 0 if none waits. `storage_bytes`:
    the size of the jobs' inputs and files at the last sweep; None before the first. `webhooks`: the
    number of pending deliveries.
    """

    name: str
    waiting: int
    oldest_s: float
    storage_bytes: int | None
    webhooks: int = 0


class JobQueue(Protocol):
    """The job queue. All methods raise `QueueUnavailable` within a second if Redis is unavailable.

    A `caller` can only see its own jobs, and has idempotency keys of its own. None sees all jobs.
    """

    def submit(
        self,
        request: RenderRequest,
        request_id: str,
        idempotency_key: str | None = None,
        caller: str | None = None,
        targets: Sequence[Target] = (),
    ) -> str:
        """Queue a render; returns the job's id. The job is stored then, and survives a crash.

        The same idempotency key with an equal request returns the same job until its record
        expires. With another request it raises `IdempotencyConflict`. The job's end is reported to
        `targets` and to the request's own webhook. Raises `StorageUnavailable`, and `UrlRefused` if
        the egress policy does not allow a target.
        """

    def read(self, job_id: str, caller: str | None = None) -> tuple[Record, int | None]:
        """The record, and the place in the queue if the job waits in it (1 is next).

        Raises `NotFound`.
        """

    def wait(self, job_id: str, seconds: float, caller: str | None = None) -> None:
        """Wait until the job has ended, for `seconds` at most. Returns at once if too many wait.

        Raises `NotFound`.
        """

    def cancel(self, job_id: str, caller: str | None = None) -> Record:
        """End a waiting or running job. Raises `NotFound` or `AlreadyFinished`."""

    def send_again(self, job_id: str, caller: str | None = None) -> Record:
        """Report the job's end again to all its targets; returns the record.

        Raises `NotFound`, also if the job has no targets for its end, and `NotReady` if it has not
        ended.
        """

    def figures(self) -> QueueFigures:
        """The current state of the queue."""
