"""Keeps rendered files in Redis. If Redis is down or slow, the store behaves as if it were empty.

The threads that wait for renders call it. Redis evicts keys (`allkeys-lru`), so every key may be
missing at any time. If a lock is missing, a page is rendered twice. `FARM_CACHE_TIMEOUT_MS` bounds
each call (see `connection`). After three failures in a row, Redis is not asked for a second. So a
Redis that is down costs requests almost no time.

    render-farm:file:{key}    a file, see `value`
    render-farm:lock:{key}    the token of the process that renders it
    render-farm:waited:{key}  exists if another process waits for that render
    render-farm:end:{token}   a stream that gets an entry when that render ends
"""

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import structlog

from farm.cache.connection import connect
from farm.cache.scripts import FIND_OR_LOCK, FINISH, RENEW
from farm.cache.value import Stored, decode
from farm.formats import Format

log = structlog.get_logger()

T = TypeVar("T")

#: After so many failures in a row, Redis is not asked for `_AGAIN_S`. A single failure may be due
#: to a busy machine; rendering every kept file for a second would make it busier.
_FAILURES = 3
_AGAIN_S = 1.0
#: The longest single wait for another process's render, so that a dead Redis is noticed.
_BLOCK_S = 0.5
#: A lock expires after this time unless it is renewed. So if its owner is killed, other processes
#: wait no longer than this.
LOCK_MS = 2000
_END_MS = 5000
#: The time for which a file waits until the embedded Valkey has started, and the interval between
#: two requests to start it.
_START_S = 2.0
_REQUEST_AGAIN_S = 10.0
_LOOK_S = 0.01


@dataclass(frozen=True)
class Entry:
    """What `Store.find_or_lock` finds: a kept file, or the owner of the lock."""

    stored: Stored | None
    #: The token of the lock's owner, which renders the file. None: the lock was not looked up.
    holder: bytes | None
    #: The token with which this process asked for the lock.
    token: str

    @property
    def is_mine(self) -> bool:
        return self.holder == self.token.encode()


class Store:
    """Thread-safe. Each process makes its own store, after its fork."""

    def __init__(
        self,
        url: str,
        formats: Mapping[str, Format],
        request_server: Callable[[], None] | None = None,
        socket: Path | None = None,
        timeout_s: float = 0.05,
    ) -> None:
        """`request_server` asks the supervisor to start the server that listens on `socket`.

        `timeout_s` bounds each call.
        """
        self._formats = formats
        self._request_server = request_server
        self._socket = socket
        self._client = connect(url, timeout_s, timeout_s)
        self._waiting = connect(url, timeout_s, _BLOCK_S + timeout_s)
        self._lock = threading.Lock()
        #: Whether Redis answers; None before the first call.
        self._is_up: bool | None = None
        self._failures = 0
        self._has_worked = False
        self._closed = False
        self._ask_from = 0.0
        self._request_from = 0.0
        self._starting_until = 0.0

    @property
    def state(self) -> str:
        """`up`, `down`, or `idle` (the embedded server has not been requested yet)."""
        if self._is_up is None:
            return "up" if self._is_there else "idle"
        return "up" if self._is_up else "down"

    @property
    def may_have(self) -> bool:
        """Whether the store may have files."""
        return self._is_up or (self._is_up is None and self._is_there)

    @property
    def _is_there(self) -> bool:
        return self._socket is None or self._socket.exists()

    def find_or_lock(self, key: str, anyway: bool = False) -> Entry | None:
        """The file; if there is none, take the lock unless another process holds it.

        This takes one round trip. `anyway`: take the lock even if there is a file, since the file
        was not acceptable. None: Redis does not answer.
        """
        # A new token for each call. Otherwise a waiting process could see the end of an older lock.
        token = secrets.token_hex(8)
        keys = (_file(key), _lock(key), _waited(key))
        arguments = (token, LOCK_MS, int(anyway))
        answer = self._call(lambda: self._client.eval(FIND_OR_LOCK, len(keys), *keys, *arguments))
        if answer is None:
            return None
        value, left_ms, holder = cast("list[Any]", answer)
        return Entry(self._decoded(key, value, left_ms), holder, token)

    def renew(self, held: Mapping[str, str]) -> None:
        """Renew locks. `held` has the key of each lock by its token."""

        def renew() -> list[Any]:
            with self._client.pipeline(transaction=False) as pipe:
                for token, key in held.items():
                    pipe.eval(RENEW, 1, _lock(key), token, LOCK_MS)
                return pipe.execute()

        self._call(renew)

    def finish(
        self, key: str, token: str | None, value: bytes | None, ttl_ms: int, anew: bool = False
    ) -> bool | None:
        """Keep the file if there is one, release the lock and wake the waiting processes.

        Returns whether the file is kept, or None if Redis does not answer. `anew`: the file was
        rendered for a request that accepts no older file. It replaces the kept file, and running
        renders of the same key lose their lock. If the embedded server is starting, the call waits
        for it with the file.
        """
        keys = (_file(key), _lock(key), _waited(key), _end(token or ""))
        kept_ms = 0 if value is None else ttl_ms
        arguments = (token or "", kept_ms, value or b"", _END_MS, int(anew))
        while (
            done := self._call(lambda: self._client.eval(FINISH, len(keys), *keys, *arguments))
        ) is None and (value is not None and time.monotonic() < self._starting_until):
            time.sleep(_LOOK_S)
        return None if done is None else done == 1

    def wait_end(self, holder: bytes, seconds: float) -> None:
        """Wait until the render with that token ends, for half a second at most.

        May return earlier.
        """
        block_ms = int(min(seconds, _BLOCK_S) * 1000)
        if block_ms > 0:
            stream = _end(holder.decode(errors="replace"))
            if not self._call(lambda: self._waiting.xread({stream: "0"}, block=block_ms) or True):
                time.sleep(min(seconds, _LOOK_S))  # the caller asks again at once

    def close(self) -> None:
        """Disconnect. From now on the store neither keeps nor finds files."""
        self._closed = True
        for client in (self._client, self._waiting):
            client.connection_pool.disconnect(inuse_connections=False)

    def _decoded(self, key: str, value: object, left_ms: object) -> Stored | None:
        if not (isinstance(value, bytes) and isinstance(left_ms, int)):
            return None
        stored = decode(key, value, left_ms, self._formats)
        if stored is None:
            log.warning("what was kept is not understood", bytes=len(value))
        return stored

    def _call(self, call: Callable[[], T]) -> T | None:
        """Redis's answer; None if it fails, or is not asked because it has failed before."""
        if self._closed or not self._may_ask():
            return None
        try:
            answer = call()
        except Exception as exc:  # no fault of the cache may prevent a render
            self._note_failure(exc)
            return None
        self._note_answer()
        return answer

    def _may_ask(self) -> bool:
        """Whether to ask Redis. After failures, only one call a second asks it."""
        if self._is_up is not False:
            return True
        with self._lock:
            now = time.monotonic()
            if now < self._ask_from:
                return False
            self._ask_from = now + _AGAIN_S
            return True

    def _note_answer(self) -> None:
        if self._is_up and not self._failures:
            return
        with self._lock:
            was_down, self._is_up, self._has_worked = self._is_up is False, True, True
            self._failures = 0
        if was_down:
            log.info("rendered files are kept again")

    def _note_failure(self, exc: Exception) -> None:
        with self._lock:
            now = time.monotonic()
            if self._request_server is not None and not self._has_worked:
                if now >= self._request_from:
                    self._request_from = now + _REQUEST_AGAIN_S
                    self._starting_until = now + _START_S
                    self._request_server()
                if now < self._starting_until:
                    return
            self._failures += 1
            if self._failures < _FAILURES:
                return
            was_up, self._is_up = self._is_up is not False, False
            self._ask_from = now + _AGAIN_S
        if was_up:
            # The exception's message may contain the server's URL, so it is not logged.
            log.warning("rendered files are not kept for now", cause=type(exc).__name__)


def _file(key: str) -> str:
    return f"render-farm:file:{key}"


def _lock(key: str) -> str:
    return f"render-farm:lock:{key}"


def _waited(key: str) -> str:
    return f"render-farm:waited:{key}"


def _end(token: str) -> str:
    return f"render-farm:end:{token}"
