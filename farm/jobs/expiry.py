"""Removing inputs and files whose job is gone.

A record expires by itself; its file cannot. So the storage is swept: what was last changed more
than `FARM_JOB_TTL_S` ago and has no record goes, and what a dead writer left goes with it. Every
process of the farm has a `Sweeper`, and a lock in Redis lets one of them sweep at a time.
"""

import re
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import redis
import structlog

from farm.errors import StorageUnavailable
from farm.job import FILES, INPUTS
from farm.jobs.record import record_key
from farm.logs import first_line
from farm.storage import Storage

log = structlog.get_logger()

#: What the farm puts into a storage. Whatever else is in a bucket is not the farm's to remove.
_NAME = re.compile(rf"(?:{INPUTS}|{FILES})([0-9a-f-]{{36}})(#\d+)?")
#: A file goes within a minute of its record, and within a tenth of a short life.
_MAX_INTERVAL_S = 60.0
_MIN_INTERVAL_S = 1.0
#: A process looks this often in an interval, and the lock lasts for all looks but one. So two
#: sweeps are never further apart than an interval, whichever process made the last one and ended.
_LOOKS = 4
_NAMES_AT_ONCE = 500
_STOP_TIMEOUT_S = 1.0
#: What the storage held before it was last swept, in bytes: for all instances' metrics.
STORED_KEY = "farm:stored-bytes"


def discard(storage: Storage, name: str) -> None:
    """Remove what nobody needs any more; what cannot be removed now, a sweep removes."""
    with suppress(StorageUnavailable):
        storage.delete([name])


class Sweeper:
    """Sweeps a storage now and then, in a thread of its own.

    `job_ttl_s`: how long a record is kept after its job ended. `lock_name`: the same for all who
    sweep the same storage.
    """

    def __init__(
        self, storage: Storage, client: redis.Redis, job_ttl_s: int, lock_name: str
    ) -> None:
        self._storage = storage
        self._client = client
        self._ttl = timedelta(seconds=job_ttl_s)
        self._lock_key = f"farm:sweep:{lock_name}"
        self._interval_s = min(max(job_ttl_s / 10, _MIN_INTERVAL_S), _MAX_INTERVAL_S)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)
        self._failing = False

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a sweep that hangs is left to end with the process."""
        self._stopping.set()
        self._thread.join(_STOP_TIMEOUT_S)

    def sweep(self) -> int:
        """Remove what is old and has no record; how many that were.

        Raises `StorageUnavailable` or `redis.RedisError`, and then has removed nothing of which
        Redis could not be asked.
        """
        oldest = self._now() - self._ttl
        held, old = 0, []
        for stored in self._storage.list():
            held += stored.size
            if stored.modified < oldest:
                old.append(stored.name)
        removed = 0
        for first in range(0, len(old), _NAMES_AT_ONCE):
            expired = self._expired(old[first : first + _NAMES_AT_ONCE])
            self._storage.delete(expired)
            removed += len(expired)
        with suppress(redis.RedisError):  # full, perhaps: then all the more is to be removed
            self._client.set(STORED_KEY, held)
        return removed

    def _expired(self, old: list[str]) -> list[str]:
        matches = [match for match in map(_NAME.fullmatch, old) if match]
        with self._client.pipeline(transaction=False) as pipeline:
            for match in matches:
                pipeline.exists(record_key(match[1]))
            recorded = pipeline.execute()
        # A leftover has nobody who writes it, even if its job lives.
        return [m[0] for m, kept in zip(matches, recorded, strict=True) if m[2] or not kept]

    def _now(self) -> datetime:
        """By Redis's clock, which is the same for all machines."""
        seconds, microseconds = self._client.time()
        return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=microseconds)

    def _run(self) -> None:
        while not self._stopping.wait(self._interval_s / _LOOKS):
            try:
                if self._is_our_turn():
                    removed = self.sweep()
                    self._failing = False
                    if removed:
                        log.info("expired files removed", count=removed)
            except Exception as exc:
                # Whatever it was, files must go on being removed.
                if not self._failing:
                    log.warning("expired files not removed", cause=first_line(exc.__cause__ or exc))
                self._failing = True

    def _is_our_turn(self) -> bool:
        held_ms = int(self._interval_s * 1000 * (_LOOKS - 1) / _LOOKS)
        return bool(self._client.set(self._lock_key, 1, nx=True, px=held_ms))
