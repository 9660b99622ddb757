"""Composes the body and headers of a webhook's request.

`transport` calls `compose` for each try. All tries have the same message but for the signature,
which contains the time of the try.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from string import Template
from typing import Any

import farm
from farm.formats import FILE_FORMATS
from farm.job import Record, State, file_name
from farm.jobs.webhooks.outbox import Parcel
from farm.storage import Storage

_JSON = "application/json"
#: The type of a file whose format this version of the farm does not know.
_UNKNOWN_TYPE = "application/octet-stream"


@dataclass(frozen=True)
class Bytes:
    """A body in memory."""

    data: bytes

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[bytes]:
        yield self.data


class StoredFile:
    """A body that each iteration reads from the storage, in pieces."""

    def __init__(self, storage: Storage, name: str) -> None:
        """Raises `NotStored` or `StorageUnavailable`, as does iteration."""
        self._storage = storage
        self._name = name
        self._size = storage.stat(name).size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        return self._storage.stream(self._name, 0, self._size)


@dataclass(frozen=True)
class Message:
    """`headers`: all but the signature's. The names of the target's headers may have any case."""

    body: Bytes | StoredFile
    headers: dict[str, str]


def compose(parcel: Parcel, storage: Storage) -> Message:
    """The message of a delivery. Raises `NotStored` (the file is gone) or `StorageUnavailable`."""
    target, record = parcel.target, parcel.record
    body: Bytes | StoredFile
    media_type = _JSON
    if target.body == "file" and record.status is State.COMPLETED:
        format_ = FILE_FORMATS.get(record.format or "")
        media_type = format_.media_type if format_ else _UNKNOWN_TYPE
        body = StoredFile(storage, file_name(parcel.job_id))
    elif target.body == "text":
        body = Bytes(_text(parcel).encode())
    else:
        body = Bytes(json.dumps(_as_json(parcel)).encode())
    own = {
        "User-Agent": f"render-farm/{farm.__version__}",
        "X-Farm-Job": parcel.job_id,
        "X-Farm-Event": parcel.delivery.event,
    }
    return Message(body, _merged({"Content-Type": media_type}, target.headers, own))


def _as_json(parcel: Parcel) -> dict[str, Any]:
    """The fields with which the Standard Webhooks scheme begins a message, then the job's record.

    The record is as it was when the job ended, so that all tries send the same.
    """
    head = {
        "type": f"job.{parcel.delivery.event}",
        "timestamp": _ended_at(parcel.record),
        "jobId": parcel.job_id,
    }
    # This order is part of the message. No field of a record has one of these names.
    return head | replace(parcel.record, deliveries=None).public()


def _text(parcel: Parcel) -> str:
    record, texts = parcel.record, parcel.target.texts
    text = texts.get(record.code or "", texts.get("*", ""))
    values = {
        "jobId": parcel.job_id,
        "event": parcel.delivery.event,
        "code": record.code,
        "error": record.error,
        "requestId": record.request_id,
        "timestamp": _ended_at(record),
    }
    return Template(text).safe_substitute({n: json.dumps(value) for n, value in values.items()})


def _ended_at(record: Record) -> str | None:
    return record.completed_at or record.failed_at or record.cancelled_at


def _merged(*several: Mapping[str, str]) -> dict[str, str]:
    """The headers of all mappings. Of headers with the same name in any case, the last one wins."""
    names: dict[str, tuple[str, str]] = {}
    for headers in several:
        names |= {name.lower(): (name, value) for name, value in headers.items()}
    return dict(names.values())
