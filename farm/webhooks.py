"""Who is called when a job has ended, and what became of each call; knows no HTTP and no Redis.

A job has its `Target`s from its submission on. When it ends, each target that wants to know of that
end gets a `Delivery`, which is tried until it is over. Both are kept in the job's record: targets
for as long as it lives, since a delivery may be asked for again, and never shown, since their URLs
and headers are secrets.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, Literal, Self, get_args
from urllib.parse import urlsplit

#: How a job may end; as its state is called then.
Event = Literal["completed", "failed", "cancelled"]
EVENTS: tuple[Event, ...] = get_args(Event)
#: `record`: as JSON. `file`: what was rendered; the record where nothing was. `text`: of `texts`.
Body = Literal["record", "file", "text"]

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Target:
    """Whom to call, and with what. Valid by whoever makes it: nothing here is checked again."""

    #: As `farm.parsing.parse_url` returns it.
    url: str = field(repr=False)
    events: tuple[Event, ...] = EVENTS
    method: str = "POST"
    #: Sent beside those that are the farm's own, which win, but for `Content-Type`.
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Body = "record"
    #: For `text`: the body by the code of the job's error, `*` for any other code and for none.
    #: `$jobId`, `$event`, `$code`, `$error`, `$requestId`, `$timestamp` in it are replaced by
    #: values in JSON (a text with its quotes, or null); `$$` is a dollar sign.
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
        """The same for all targets at one host and port: 12 hexadecimal digits."""
        return hashlib.sha256(f"{self.host}:{self.port}".encode()).hexdigest()[:12]

    def to_dict(self) -> dict[str, Any]:
        """For `from_dict`, without what is as by default."""
        return _without_defaults(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Fields of a newer version of the farm are passed over. Raises `TypeError`."""
        known = _known(cls, values)
        return cls(**known | {"events": tuple(known.get("events", EVENTS))})


class DeliveryState(StrEnum):
    """`pending`: it is tried, or will be. The others are over."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True)
class Delivery:
    """One end of a job that one target is told of."""

    #: Of the message: the same for every try, and when it is sent again.
    id: str
    event: Event
    #: Its target's place among the job's; not for clients.
    target: int
    state: DeliveryState = DeliveryState.PENDING
    tries: int = 0
    #: When the last try ended, as the contract writes times; its HTTP status, or why there is none.
    tried_at: str | None = None
    status: int | None = None
    reason: str | None = None
    #: No try begins after that, in milliseconds by Redis's clock; not for clients.
    until_ms: int = 0

    @property
    def is_over(self) -> bool:
        return self.state is not DeliveryState.PENDING

    def to_dict(self) -> dict[str, Any]:
        return _without_defaults(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Fields of a newer version of the farm are passed over. Raises `TypeError`."""
        known = _known(cls, values)
        return cls(**known | {"state": DeliveryState(known.get("state", DeliveryState.PENDING))})

    def public(self) -> dict[str, Any]:
        """As the record tells it."""
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
    targets: Iterable[Target], job_id: str, event: Event, until_ms: int
) -> list[Delivery]:
    """What the end of a job is to be told to. An id says of which job and end it is."""
    wanted = [place for place, target in enumerate(targets) if event in target.events]
    found = []
    for nth, place in enumerate(wanted):
        suffix = f".{nth + 1}" if nth else ""
        found.append(Delivery(f"{job_id}.{event}{suffix}", event, place, until_ms=until_ms))
    return found


def _known(kind: type[Target | Delivery], values: Mapping[str, Any]) -> dict[str, Any]:
    names = {each.name for each in fields(kind)}
    return {name: value for name, value in values.items() if name in names}


def _without_defaults(value: Target | Delivery) -> dict[str, Any]:
    plain = asdict(value)
    defaults = {each.name: each.default for each in fields(value)}
    return {n: v for n, v in plain.items() if v != defaults[n] and v not in ({}, None)}
