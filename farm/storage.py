"""Where jobs' inputs and rendered files live: a directory or an object store.

`Storage` is what the rest of the farm knows; `ObjectStorage` is it on obstore (local directory, S3,
Google Cloud Storage, Azure). The queue's own Redis as a storage is `farm.jobs.redis_storage`.

Names are flat: `inputs/{jobId}` and `files/{jobId}`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class NotStored(Exception):
    """There is nothing under that name (any more)."""


@dataclass(frozen=True)
class Stored:
    """What is known of a stored file: bytes, its last change (UTC), an ETag with its quotes."""

    name: str
    size: int
    modified: datetime
    etag: str


class Storage(Protocol):
    """Whole files by name. Every method raises `StorageUnavailable` when the storage fails."""

    def put(self, name: str, data: bytes) -> None:
        """Store under a name, replacing what was there; readers see all of it or nothing."""

    def read(self, name: str) -> bytes:
        """The whole file. Raises `NotStored`."""

    def stat(self, name: str) -> Stored:
        """What is known of a file. Raises `NotStored`."""

    def stream(self, name: str, start: int, length: int) -> Iterator[bytes]:
        """`length` bytes from `start`, in pieces. Raises `NotStored`, before the first piece."""

    def delete(self, names: Iterable[str]) -> None:
        """Remove files; those that are not there are no error."""

    def list(self) -> Iterator[Stored]:
        """Every file, in no order."""
