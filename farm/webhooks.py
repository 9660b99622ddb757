"""The values of webhooks: whom a job's end is reported to, and the state of each report.

The web layer, the job worker and the threads that send webhooks use them. This module knows neither
HTTP nor Redis. A job gets its `Target`s when it is submitted. When it ends, each target that has
asked for that event gets a `Delivery`, which is tried until it is over. The job's record contains
both. The targets stay in it until it expires, since a delivery may be requested again. Clients
never see them, since their URLs and headers are secrets.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, Literal, Self, get_args
from urllib.parse import urlsplit

#: The ways in which a job ends: the names of its final states.
Event = Literal["completed", "failed", "cancelled"]
EVENTS: tuple[Event, ...] = get_args(Event)
#: What is sent. `record`: the job's record as JSON. `file`: the rendered file, or the record if
#: there is none. `text`: one of the target's `texts`.
Body = Literal["record", "file", "text"]

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Target:
    """Where a job's end is reported, and how. The code that makes a target must validate it."""

    #: A URL as `farm.parsing.parse_url` returns it.
    url: str = field(repr=False)
    events: tuple[Event, ...] = EVENTS
    method: str = "POST"
    #: Headers beside the farm's own. The farm's override these, except `Content-Type`.
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Body = "record"
    #: For `text`: the body for each code of the job's error; `*` is for any other code, and for a
    #: job without an error. `$jobId`, `$event`, `$code`, `$error`, `$requestId` and `$timestamp`
    #: are replaced by JSON values (a string with its quotes, or null); `$$` is a dollar sign.
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        parts = urlsplit(self.url)
        return parts.port or _PORTS[parts.scheme]

    @property
    def receiver(self) -> str:
        """12 hexadecimal digits that all targets at the same host and port share."""
        return hashlib.sha256(f"{self.host}:{self.port}".encode()).hexdigest()[:12]

    def to_dict(self) -> dict[str, Any]:
        """The fields for `from_dict`, without those that have their default values."""
        return _without_defaults(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Ignores fields of a newer version of the farm. Raises `TypeError`."""
        known = _known(cls, values)
        return cls(**known | {"events": tuple(known.get("events", EVENTS))})


class DeliveryState(StrEnum):
    """`pending`: the delivery is being tried, or will be. The other states are final."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True)
class Delivery:
    """The report of a job's end to one target."""

    #: The id of the message. It is the same for every try, and if the message is sent again.
    id: str
    event: Event
    #: The target's index among the job's targets; not for clients.
    target: int
    state: DeliveryState = DeliveryState.PENDING
    tries: int = 0
    #: The end of the last try, in the contract's format of times; its HTTP status, or the reason
    #: why there is none.
    tried_at: str | None = None
    status: int | None = None
    reason: str | None = None
    #: The time from which it is tried, in milliseconds of Redis's clock; not for clients.
    since_ms: int = 0

    @property
    def is_over(self) -> bool:
        return self.state is not DeliveryState.PENDING

    def to_dict(self) -> dict[str, Any]:
        return _without_defaults(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Ignores fields of a newer version of the farm. Raises `TypeError`."""
        known = _known(cls, values)
        return cls(**known | {"state": DeliveryState(known.get("state", DeliveryState.PENDING))})

    def public(self) -> dict[str, Any]:
        """The delivery as clients see it in the job's record."""
        told = {
            "id": self.id,
            "event": self.event,
            "state": self.state.value,
            "tries": self.tries,
            "triedAt": self.tried_at,
            "status": self.status,
            "reason": self.reason,
        }
        return {name: value for name, value in told.items() if value is not None}


def deliveries_of(
    targets: Iterable[Target], job_id: str, event: Event, since_ms: int
) -> list[Delivery]:
    """A delivery for each target that has asked for the event.

    Its id consists of the job's id and the event. It contains no full stop, since a full stop ends
    the id in the text that is signed.
    """
    wanted = [place for place, target in enumerate(targets) if event in target.events]
    found = []
    for nth, place in enumerate(wanted):
        suffix = f"_{nth + 1}" if nth else ""
        found.append(Delivery(f"{job_id}_{event}{suffix}", event, place, since_ms=since_ms))
    return found


def _known(kind: type[Target | Delivery], values: Mapping[str, Any]) -> dict[str, Any]:
    names = {each.name for each in fields(kind)}
    return {name: value for name, value in values.items() if name in names}


def _without_defaults(value: Target | Delivery) -> dict[str, Any]:
    plain = asdict(value)
    defaults = {each.name: each.default for each in fields(value)}
    return {n: v for n, v in plain.items() if v != defaults[n] and v not in ({}, None)}
