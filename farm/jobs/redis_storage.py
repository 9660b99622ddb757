"""Stores the jobs' inputs and files in the queue's Redis.

It is for farms whose machines share neither a disk nor a bucket. Any thread calls `RedisStorage`.
A file is a string under `farm:blob:{name}`. The hash `farm:blobs` has an entry for each file,
`size modified sha256`, and the size of all files under `total`. The size is in bytes, and the time
in microseconds since 1970 by Redis's clock, so that all machines agree. A script changes a file,
its entry and the total atomically.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import cast

import redis

from farm.errors import StorageUnavailable
from farm.job import INPUTS
from farm.storage import NotStored, Stored

_INDEX = "farm:blobs"
_TOTAL = "total"
_PIECE_BYTES = 1 << 20
#: The number of names in one deletion. Redis serves no other client meanwhile (500: 2 ms).
_NAMES_AT_ONCE = 500
_EPOCH = datetime.fromtimestamp(0, UTC)

#: KEYS: the file, the index. ARGV: name, data, sha256, the most bytes that all files may have.
_PUT = """
local entry = redis.call('HGET', KEYS[2], ARGV[1])
local grown = #ARGV[2] - (entry and tonumber(string.match(entry, '^%d+')) or 0)
local total = tonumber(redis.call('HGET', KEYS[2], 'total') or 0)
if grown > 0 and total + grown > tonumber(ARGV[4]) then
  return 0
end
local now = redis.call('TIME')
redis.call('SET', KEYS[1], ARGV[2])
redis.call('HSET', KEYS[2], ARGV[1],
           string.format('%d %d%06d %s', #ARGV[2], now[1], now[2], ARGV[3]))
redis.call('HINCRBY', KEYS[2], 'total', grown)
return 1
"""

#: KEYS: the index, the files. ARGV: the files' names. A full Redis refuses a script whose first
#: write needs memory, so the script removes the entry before it changes the total.
_DELETE = """
for i, name in ipairs(ARGV) do
  local entry = redis.call('HGET', KEYS[1], name)
  redis.call('UNLINK', KEYS[i + 1])
  if entry then
    redis.call('HDEL', KEYS[1], name)
    redis.call('HINCRBY', KEYS[1], 'total', '-' .. string.match(entry, '^%d+'))
  end
end
"""


class RedisStorage:
    """A `Storage` in Redis that holds at most `budget_bytes`.

    Inputs may use three quarters of them. The rest is for results, so that accepted jobs can still
    complete. A file that does not fit is refused with `StorageUnavailable`.

    The client's socket time-out must be long enough to send 52 MB.
    """

    def __init__(self, client: redis.Redis, budget_bytes: int) -> None:
        self._client = client
        self._budget_bytes = budget_bytes
        self._put = client.register_script(_PUT)
        self._delete = client.register_script(_DELETE)

    def put(self, name: str, data: bytes) -> None:
        budget = self._budget_bytes * 3 // 4 if name.startswith(INPUTS) else self._budget_bytes
        sha256 = hashlib.sha256(data).hexdigest()
        with _translated():
            fits = self._put(keys=[_key(name), _INDEX], args=[name, data, sha256, budget])
        if not fits:
            raise _full()

    def read(self, name: str) -> bytes:
        with _translated():
            data = cast("bytes | None", self._client.get(_key(name)))
        if data is None:
            raise NotStored(name)
        return data

    def stat(self, name: str) -> Stored:
        with _translated(), self._client.pipeline() as pipeline:
            pipeline.hget(_INDEX, name)
            pipeline.strlen(_key(name))
            entry, length = pipeline.execute()
        stored = _stored(name, entry) if entry else None
        # A Redis that evicts keys may have lost the entry or the file.
        if stored is None or stored.size != length:
            raise NotStored(name)
        return stored

    def stream(self, name: str, start: int, length: int) -> Iterator[bytes]:
        stored = self.stat(name)
        return self._pieces(stored, start, min(start + length, stored.size))

    def _pieces(self, stored: Stored, start: int, end: int) -> Iterator[bytes]:
        for offset in range(start, end, _PIECE_BYTES):
            last = min(offset + _PIECE_BYTES, end) - 1
            with _translated(), self._client.pipeline() as pipeline:
                pipeline.hget(_INDEX, stored.name)
                pipeline.getrange(_key(stored.name), offset, last)
                entry, piece = pipeline.execute()
            if not entry or _stored(stored.name, entry) != stored or len(piece) <= last - offset:
                # The file was replaced or removed while it was sent.
                raise StorageUnavailable()
            yield piece

    def delete(self, names: Iterable[str]) -> None:
        names = list(names)
        for first in range(0, len(names), _NAMES_AT_ONCE):
            some = names[first : first + _NAMES_AT_ONCE]
            with _translated():
                self._delete(keys=[_INDEX, *map(_key, some)], args=some)

    def list(self) -> Iterator[Stored]:
        with _translated():
            for name, entry in self._client.hscan_iter(_INDEX, count=500):
                if name.decode() != _TOTAL:
                    yield _stored(name.decode(), entry)

    def total_bytes(self) -> int:
        """The size of all files in bytes. Raises `StorageUnavailable`."""
        with _translated():
            return int(cast("bytes | None", self._client.hget(_INDEX, _TOTAL)) or 0)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except redis.exceptions.OutOfMemoryError as exc:
        raise _full() from exc
    except redis.exceptions.RedisError as exc:
        raise StorageUnavailable() from exc


def _full() -> StorageUnavailable:
    return StorageUnavailable(
        "The storage of the jobs' files is full; try again in a while.", retry_after_s=10
    )


def _key(name: str) -> str:
    return f"farm:blob:{name}"


def _stored(name: str, entry: bytes) -> Stored:
    size, modified_us, sha256 = entry.decode().split()
    modified = _EPOCH + timedelta(microseconds=int(modified_us))
    return Stored(name, int(size), modified, f'"{sha256}"')
