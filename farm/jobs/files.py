"""Opens the storage of the jobs' inputs and files that the settings name."""

import hashlib
import socket

import redis

from farm.errors import StartError, StorageUnavailable
from farm.jobs import broker
from farm.jobs.expiry import Sweeper
from farm.jobs.redis_storage import RedisStorage
from farm.logs import first_line
from farm.settings import Settings
from farm.storage import ObjectStorage, Storage

#: The time-out of one call to Redis. 52 MB take 0.3 s on the same machine, 5 s at 100 Mbit/s.
_CALL_TIMEOUT_S = 10.0


def open_swept_storage(settings: Settings, client: redis.Redis) -> Storage:
    """Open the storage, and start a `Sweeper` that removes expired files. Raises `StartError`."""
    storage = open_storage(settings)
    Sweeper(storage, client, settings.job_ttl_s, _name(settings.files_url)).start()
    return storage


def open_storage(settings: Settings) -> Storage:
    """Open the storage for this process. A fork of the process must open it anew.

    Raises `StartError`.
    """
    try:
        if settings.files_url.startswith("redis:"):
            client = broker.connect(settings.queue_url, _CALL_TIMEOUT_S)
            return RedisStorage(client, settings.redis_storage_bytes)
        return ObjectStorage(settings.files_url)
    except StorageUnavailable as exc:
        cause = first_line(exc.__cause__ or exc)
        raise StartError(
            "The directory or bucket of FARM_STORAGE_URL (unset: in FARM_DATA_DIR) cannot be used: "
            f"{cause}."
        ) from exc


def _name(url: str) -> str:
    """A name for the storage, which is the same in all processes that share it."""
    machine = socket.gethostname() if url.startswith("file:") else ""
    return hashlib.sha256(f"{url} {machine}".encode()).hexdigest()[:16]
