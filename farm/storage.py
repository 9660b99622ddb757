"""Stores jobs' inputs and rendered files in a directory or an object store.

Request threads, job threads and the sweep of expired files use it. `Storage` is the interface that
the rest of the farm knows. `ObjectStorage` implements it with obstore (local directory, S3, Google
Cloud Storage, Azure), and `farm.jobs.redis_storage` with the queue's own Redis.

Names are `inputs/{jobId}` and `files/{jobId}`.
"""

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url

from farm.errors import StorageUnavailable
from farm.job import INPUTS

if TYPE_CHECKING:
    from obstore import GetResult, ObjectMeta
    from obstore.store import ClientConfig, ObjectStore

_PIECE_BYTES = 1 << 20
#: The share of a disk that inputs must leave free: results, and a Redis with its data there, need
#: it.
_RESERVED = 0.05
_MAX_RESERVED_BYTES = 1 << 30
#: obstore writes a file under its name and this suffix until it is complete. It refuses such names
#: in calls.
_STAGING = re.compile(r"#\d+$")
#: obstore retries no longer than this. Its default, three minutes, is longer than a request waits.
_RETRY_TIMEOUT = timedelta(seconds=10)
_CLIENT_OPTIONS = {
    "connect_timeout": "3s",
    # The longest silence, and also the longest upload: 52 MB at 21 Mbit/s.
    "read_timeout": "20s",
    # A download is as slow as its reader. `FARM_DOWNLOAD_DEADLINE_S` ends it, after an hour at
    # most.
    "timeout": "1h",
}
#: Client options passed to obstore replace those of the environment, so these are read here.
_CLIENT_VARIABLES = (
    *_CLIENT_OPTIONS,
    "allow_http",
    "allow_invalid_certificates",
    "proxy_url",
    "proxy_ca_certificate",
    "proxy_excludes",
)
_VARIABLE_PREFIXES = {"s3": "AWS_", "gs": "GOOGLE_", "az": "AZURE_"}


class NotStored(Exception):
    """There is no file of that name, or no longer."""


@dataclass(frozen=True)
class Stored:
    """A stored file: its size in bytes, its last change (UTC), and its ETag with quotes."""

    name: str
    size: int
    modified: datetime
    etag: str


class Storage(Protocol):
    """Whole files by name. Every method raises `StorageUnavailable` when the storage fails."""

    def put(self, name: str, data: bytes) -> None:
        """Store a file, replacing any of that name. Readers see all of the old or the new file."""

    def read(self, name: str) -> bytes:
        """The whole file. Raises `NotStored`."""

    def stat(self, name: str) -> Stored:
        """The file's facts. Raises `NotStored`."""

    def stream(self, name: str, start: int, length: int) -> Iterator[bytes]:
        """`length` bytes from `start`, in pieces. Raises `NotStored` before the first piece."""

    def delete(self, names: Iterable[str]) -> None:
        """Remove files. Missing files are no error."""

    def list(self) -> Iterator[Stored]:
        """Every file, in no particular order."""


class ObjectStorage:
    """A `Storage` on obstore: `file:///dir`, `s3://bucket/prefix`, `gs://…` or `az://…`.

    The directory is created if it is missing. obstore reads a cloud's credentials, endpoint and
    region from the environment (`AWS_…`, `GOOGLE_…`, `AZURE_…`).

    obstore starts threads at its first call, and a fork does not copy threads: a child that is
    forked after that call hangs in its own first call. So each process makes its storage after its
    fork.
    """

    def __init__(self, url: str) -> None:
        """Raises `StorageUnavailable` if the URL or directory cannot be used. Does not connect."""
        self._root: Path | None = None
        with _translated():
            if urlsplit(url).scheme == "file":
                self._root = _made_directory(url)
            self._store = LocalStore(self._root) if self._root else _cloud_store(url)

    def put(self, name: str, data: bytes) -> None:
        with _translated():
            if self._root is not None:
                self._prepare(self._root, name)
            # In one request: the parts of an interrupted multipart upload would stay in the bucket,
            # unlisted.
            obstore.put(self._store, name, data, use_multipart=False)

    def _prepare(self, root: Path, name: str) -> None:
        # obstore would create it readable for everyone.
        (root / name).parent.mkdir(mode=0o700, exist_ok=True)
        if name.startswith(INPUTS):
            disk = shutil.disk_usage(root)
            if disk.free < min(disk.total * _RESERVED, _MAX_RESERVED_BYTES):
                raise StorageUnavailable(
                    "The disk of the jobs' files is nearly full; try again in a while.",
                    retry_after_s=10,
                )

    def read(self, name: str) -> bytes:
        with _translated(name):
            return bytes(obstore.get(self._store, name).bytes())

    def stat(self, name: str) -> Stored:
        with _translated(name):
            return _stored(obstore.head(self._store, name))

    def stream(self, name: str, start: int, length: int) -> Iterator[bytes]:
        with _translated(name):
            # obstore supports no empty ranges, and its error for a range past the end is
            # unspecific.
            end = min(start + length, obstore.head(self._store, name)["size"])
            if start >= end:
                return iter(())
            found = obstore.get(self._store, name, options={"range": (start, end)})
        return _pieces(found)

    def delete(self, names: Iterable[str]) -> None:
        names = list(names)
        if self._root is not None:
            for name in filter(_STAGING.search, names):
                with _translated():
                    (self._root / name).unlink(missing_ok=True)
            names = [name for name in names if not _STAGING.search(name)]
        with _translated():
            try:
                obstore.delete(self._store, names)
            except FileNotFoundError:
                # Except on S3, one missing name ends the deletion of all.
                for name in names:
                    with suppress(FileNotFoundError):
                        obstore.delete(self._store, name)

    def list(self) -> Iterator[Stored]:
        """Every file, and unfinished files that a dead writer has left (`files/{jobId}#1`)."""
        with _translated():
            for found in obstore.list(self._store, chunk_size=1000):
                yield from map(_stored, found)
            if self._root is not None:
                yield from _leftovers(self._root)


@contextmanager
def _translated(name: str | None = None) -> Iterator[None]:
    """Translate obstore's errors to `StorageUnavailable`, or to `NotStored` if a name is given."""
    try:
        yield
    except FileNotFoundError as exc:
        if name is not None:
            raise NotStored(name) from exc
        # The bucket is missing.
        raise StorageUnavailable() from exc
    except (BaseError, OSError, ValueError) as exc:
        raise StorageUnavailable() from exc


def _made_directory(url: str) -> Path:
    parts = urlsplit(url)
    root = Path(unquote(parts.path))
    if parts.netloc not in ("", "localhost") or not root.is_absolute():
        raise ValueError(f"not a URL such as file:///dir: {url}")
    # obstore would create it readable for everyone.
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    return root


def _cloud_store(url: str) -> "ObjectStore":
    prefix = _VARIABLE_PREFIXES.get(urlsplit(url).scheme, "")
    variables = {name: os.environ.get(f"{prefix}{name.upper()}") for name in _CLIENT_VARIABLES}
    options = _CLIENT_OPTIONS | {name: value for name, value in variables.items() if value}
    return from_url(
        url,
        client_options=cast("ClientConfig", options),
        retry_config={"retry_timeout": _RETRY_TIMEOUT},
    )


def _stored(meta: "ObjectMeta") -> Stored:
    size, modified, etag = meta["size"], meta["last_modified"], meta["e_tag"]
    if etag is None:
        etag = f"{size:x}-{modified.timestamp():.6f}"
    if not etag.endswith('"'):
        # Azure's listings give ETags without quotes.
        etag = f'"{etag}"'
    return Stored(meta["path"], size, modified, etag)


def _pieces(found: "GetResult") -> Iterator[bytes]:
    with _translated():
        for piece in found.stream(_PIECE_BYTES):
            yield bytes(piece)


def _leftovers(root: Path) -> Iterator[Stored]:
    for path in root.rglob("*#*"):
        if not _STAGING.search(path.name):
            continue
        # Its writer may still run, and may have completed the file by now.
        with suppress(FileNotFoundError):
            status = path.stat()
            yield _stored(
                {
                    "path": path.relative_to(root).as_posix(),
                    "size": status.st_size,
                    "last_modified": datetime.fromtimestamp(status.st_mtime, UTC),
                    "e_tag": None,
                    "version": None,
                }
            )
