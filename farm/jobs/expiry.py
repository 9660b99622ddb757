"""Removes inputs and files whose job has expired.

Redis expires a job's record, and a sweep removes its files from the storage: those that were last
changed more than `FARM_JOB_TTL_S` ago and have no record, and what a killed writer left. Every
process of the farm has a `Sweeper`, which runs in the thread `sweeper`. A lock in Redis lets one
process sweep at a time.
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

#: Names of the farm's files. A sweep leaves all other files of a bucket.
_NAME = re.compile(rf"(?:{INPUTS}|{FILES})([0-9a-f-]{{36}})(#\d+)?")
#: The longest interval between sweeps. It is a tenth of `FARM_JOB_TTL_S` if that is shorter.
_MAX_INTERVAL_S = 60.0
_MIN_INTERVAL_S = 1.0
#: How often each process tries the lock in an interval. The lock lasts for all tries but one. So
#: the next sweep is due within an interval even if the process that made the last one has ended.
_LOOKS = 4
_NAMES_AT_ONCE = 500
_STOP_TIMEOUT_S = 1.0
#: Redis key: the bytes in the storage before the last sweep, for the metrics of all instances.
STORED_KEY = "farm:stored-bytes"


def discard(storage: Storage, name: str) -> None:
    """Remove a file that is no longer needed. If that fails, a later sweep removes it."""
    with suppress(StorageUnavailable):
        storage.delete([name])


class Sweeper:
    """Sweeps a storage at intervals, in a thread of its own.

    `job_ttl_s`: how long a record is kept after its job has ended. `lock_name`: the same in all
    processes that sweep the same storage.
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
        """End the thread. A sweep that hangs ends with the process."""
        self._stopping.set()
        self._thread.join(_STOP_TIMEOUT_S)

    def sweep(self) -> int:
        """Remove old files that have no record. Returns the number of removed files.

        Raises `StorageUnavailable` or `redis.RedisError`. No file is removed unless Redis has said
        that it has no record.
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
        with suppress(redis.RedisError):  # Redis may be full, and the sweep frees memory
            self._client.set(STORED_KEY, held)
        return removed

    def _expired(self, old: list[str]) -> list[str]:
        matches = [match for match in map(_NAME.fullmatch, old) if match]
        with self._client.pipeline(transaction=False) as pipeline:
            for match in matches:
                pipeline.exists(record_key(match[1]))
            recorded = pipeline.execute()
        # A name with a suffix (`m[2]`) is what a killed writer left. No process completes it, even
        # if its job has a record.
        return [m[0] for m, kept in zip(matches, recorded, strict=True) if m[2] or not kept]

    def _now(self) -> datetime:
        """The time by Redis's clock, which is the same for all machines."""
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
                # The thread must survive any error, so that files are removed later.
                if not self._failing:
                    log.warning("expired files not removed", cause=first_line(exc.__cause__ or exc))
                self._failing = True

    def _is_our_turn(self) -> bool:
        held_ms = int(self._interval_s * 1000 * (_LOOKS - 1) / _LOOKS)
        return bool(self._client.set(self._lock_key, 1, nx=True, px=held_ms))
