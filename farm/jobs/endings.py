"""Wakes request threads that wait for the end of a job.

Each process has one subscription to Redis's channel of ended jobs, whatever the number of waiting
threads. The thread `endings` reads it.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import redis
import structlog

from farm.jobs.record import ENDED_CHANNEL

log = structlog.get_logger()

#: How often a waiting thread also reads the job's record, since messages are lost while Redis is
#: gone.
_LOOK_S = 2.0
_RECONNECT_S = 1.0
#: How long the thread `endings` waits for a message before it checks whether it must stop.
_MESSAGE_S = 1.0


class Endings:
    """The waiting threads of one process. The first of them starts the subscription."""

    def __init__(self, client: redis.Redis, at_once: int) -> None:
        """`at_once`: how many threads may wait at the same time."""
        self._client = client
        self._places = threading.BoundedSemaphore(at_once) if at_once else None
        self._lock = threading.Lock()
        self._waiting: defaultdict[str, set[threading.Event]] = defaultdict(set)
        self._listener: threading.Thread | None = None
        self._closing = threading.Event()

    def wait(self, job_id: str, seconds: float, has_ended: Callable[[], bool]) -> None:
        """Return when the job has ended or after `seconds`; at once if too many threads wait.

        `has_ended` reads the job's state. Its exceptions are passed on.
        """
        if has_ended() or self._places is None or not self._places.acquire(blocking=False):
            return
        try:
            with self._notified(job_id) as ended:
                until = time.monotonic() + seconds
                while not has_ended() and (left_s := until - time.monotonic()) > 0:
                    ended.wait(min(left_s, _LOOK_S))
                    ended.clear()
        finally:
            self._places.release()

    def close(self) -> None:
        """End the subscription. Threads that wait still read the job's record from time to time."""
        self._closing.set()

    @contextmanager
    def _notified(self, job_id: str) -> Iterator[threading.Event]:
        ended = threading.Event()
        with self._lock:
            self._waiting[job_id].add(ended)
            if self._listener is None:
                self._listener = threading.Thread(target=self._listen, name="endings", daemon=True)
                self._listener.start()
        try:
            yield ended
        finally:
            with self._lock:
                self._waiting[job_id].discard(ended)
                if not self._waiting[job_id]:
                    del self._waiting[job_id]

    def _listen(self) -> None:
        while not self._closing.is_set():
            try:
                with self._client.pubsub(  # type: ignore[no-untyped-call]
                    ignore_subscribe_messages=True
                ) as pubsub:
                    pubsub.subscribe(ENDED_CHANNEL)
                    while not self._closing.is_set():
                        message = pubsub.get_message(timeout=_MESSAGE_S)
                        if message is not None:
                            self._wake(message["data"].decode())
            except redis.RedisError as exc:
                if not self._closing.wait(_RECONNECT_S):
                    log.debug("not told of ended jobs", cause=type(exc).__name__)

    def _wake(self, job_id: str) -> None:
        with self._lock:
            for ended in self._waiting.get(job_id, ()):
                ended.set()
