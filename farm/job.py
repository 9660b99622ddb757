"""A job as its clients know it: its states, its record, and what can be asked of the queue.

    pending → processing → completed | failed | cancelled

`JobQueue` is what the web layer knows of the queue; `farm.jobs` is it on RQ and Redis.
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
    """What is known of a job. Times as the contract writes them, size in bytes, sides in pixels."""

    status: State
    created_at: str
    #: Of the submission; every line of the log about the job carries it.
    request_id: str
    #: Redis key of the idempotency key that it came with; not for clients.
    idempotency: str | None = None
    #: Name of the API key that it was submitted with; not for clients.
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
    #: What the page asked for and the egress policy refused: `host` and `reason` of each.
    blocked: list[dict[str, str]] | None = None
    #: What the page still waited for when it was captured.
    unfinished: list[str] | None = None
    #: What else is told of the file (`RenderResult.facts`), beside these.
    facts: dict[str, Any] | None = None
    error: str | None = None
    code: str | None = None
    #: Who is called when it ends (`Target.to_dict`); secrets, so not for clients.
    targets: list[dict[str, Any]] | None = None
    #: What has become of that (`Delivery.to_dict`), once it has ended.
    deliveries: list[dict[str, Any]] | None = None

    @classmethod
    def from_json(cls, text: bytes | str) -> Self:
        """What `to_json` wrote; fields of a newer version of the farm are passed over."""
        known = {field.name for field in fields(cls)}
        values = {to_snake(name): value for name, value in json.loads(text).items()}
        values = {name: value for name, value in values.items() if name in known}
        return cls(**values | {"status": State(values["status"])})

    def to_json(self) -> str:
        return json.dumps(_as_json(self))

    def public(self) -> dict[str, Any]:
        """The record as the API answers it; no fact takes the place of what it says itself."""
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
        """The same, but for these."""
        return replace(self, deliveries=[delivery.to_dict() for delivery in deliveries] or None)


def _as_json(record: Record) -> dict[str, Any]:
    values = asdict(record)
    return {to_camel(name): value for name, value in values.items() if value is not None}


#: What a record's own fields are called in answers, whether they are set or not.
_OWN_NAMES = frozenset(to_camel(field.name) for field in fields(Record))
#: What facts are called in a job's answer, where `status` is the job's own.
_FACT_NAMES = {"status": "httpStatus"}

#: What names in the storage begin with.
INPUTS = "inputs/"
FILES = "files/"


def input_name(job_id: str) -> str:
    """Where the storage has what is to be rendered."""
    return INPUTS + job_id


def file_name(job_id: str) -> str:
    """Where the storage has what was rendered."""
    return FILES + job_id


@dataclass(frozen=True)
class QueueFigures:
    """The job queue at one moment, the same for every instance.

    `oldest_s`: for how long the oldest job has waited; 0 if none waits. `storage_bytes`: of the
    jobs' inputs and files as of the last sweep; None if there was none yet. `webhooks`: deliveries
    that are not over.
    """

    name: str
    waiting: int
    oldest_s: float
    storage_bytes: int | None
    webhooks: int = 0


class JobQueue(Protocol):
    """The job queue. All methods raise `QueueUnavailable` within a second if it is gone.

    To a `caller` only its own jobs are known, and its idempotency keys are its own; None knows all.
    """

    def submit(
        self,
        request: RenderRequest,
        request_id: str,
        idempotency_key: str | None = None,
        caller: str | None = None,
        targets: Sequence[Target] = (),
    ) -> str:
        """Queue a render; its job's id. What it answers for is stored: a crash does not lose it.

        The same key with the same request gives the same job for as long as its record lives; with
        another request it raises `IdempotencyConflict`. `targets` are called when the job has
        ended, beside the request's own webhook. Raises `StorageUnavailable`, and `UrlRefused` where
        the egress policy is known not to allow one of these.
        """

    def read(self, job_id: str, caller: str | None = None) -> tuple[Record, int | None]:
        """The record, and the place in the queue (1 is next) of a job that waits in it.

        Raises `NotFound`.
        """

    def wait(self, job_id: str, seconds: float, caller: str | None = None) -> None:
        """Return when the job has ended, or `seconds` are over, or at once if too many wait.

        Raises `NotFound`.
        """

    def cancel(self, job_id: str, caller: str | None = None) -> Record:
        """End a job that waits or runs. Raises `NotFound` or `AlreadyFinished`."""

    def send_again(self, job_id: str, caller: str | None = None) -> Record:
        """Have the end of a job told once more to all who were to be told; its record.

        Raises `NotFound`, also where nobody was to be told, and `NotReady` if it has not ended.
        """

    def figures(self) -> QueueFigures:
        """What waits, and for how long."""
