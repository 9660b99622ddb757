"""The Redis that keeps rendered files, as a renderer sees it: gone or slow, it has nothing.

It evicts (`allkeys-lru`), so everything in it may be gone at any time, locks too: then something is
rendered twice. Each call ends in time by `FARM_CACHE_TIMEOUT_MS` (`link` says how), and after three
failures in a row it is not asked for a second, so that a dead one costs next to nothing.

    render-farm:file:{key}   a file, see `value`
    render-farm:lock:{key}   the token of the process that renders it
    render-farm:waited:{key} that another one waits for it
    render-farm:end:{token}  a stream with an entry once it has ended, for those who wait
"""

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import structlog

from farm.cache.link import connect
from farm.cache.scripts import ENTER, FINISH, RENEW
from farm.cache.value import Stored, decode
from farm.formats import Format

log = structlog.get_logger()

T = TypeVar("T")

#: After how many failures in a row, and for how long, the server is not asked. One alone may be a
#: busy machine's: if all that is kept were rendered for a second, it would be busier yet.
_FAILURES = 3
_AGAIN_S = 1.0
#: How long one wait for another process's render takes, so that a dead server is found out.
_BLOCK_S = 0.5
#: A lock lives for so long unless it is renewed: if its owner is killed, others wait no longer.
LOCK_MS = 2000
_END_MS = 5000
#: For how long a file waits for the embedded server to start; and when that is asked for again.
_START_S = 2.0
_RING_AGAIN_S = 10.0
_LOOK_S = 0.01


@dataclass(frozen=True)
class Entry:
    """What is found by a process that would render: a file, or whose turn it is."""

    stored: Stored | None
    #: The token of whoever renders it; None: that was not asked.
    holder: bytes | None
    #: What the lock was asked for with.
    token: str

    @property
    def is_mine(self) -> bool:
        return self.holder == self.token.encode()


class Store:
    """For all threads of a process. To be made after the fork."""

    def __init__(
        self,
        url: str,
        formats: Mapping[str, Format],
        ring: Callable[[], None] | None = None,
        socket: Path | None = None,
        timeout_s: float = 0.05,
    ) -> None:
        """`ring`: asks for a server to be started, which then listens on `socket`.

        `timeout_s`: what a call may take.
        """
        self._formats = formats
        self._ring = ring
        self._socket = socket
        self._client = connect(url, timeout_s, timeout_s)
        self._waiting = connect(url, timeout_s, _BLOCK_S + timeout_s)
        self._lock = threading.Lock()
        #: Whether calls are answered; None: there was none.
        self._is_up: bool | None = None
        self._failures = 0
        self._has_worked = False
        self._closed = False
        self._ask_from = 0.0
        self._ring_from = 0.0
        self._starting_until = 0.0

    @property
    def state(self) -> str:
        """`up`, `down`, or `idle`: nobody has asked for it yet."""
        if self._is_up is None:
            return "up" if self._is_there else "idle"
        return "up" if self._is_up else "down"

    @property
    def may_have(self) -> bool:
        """Whether anything may have been kept."""
        return self._is_up or (self._is_up is None and self._is_there)

    @property
    def _is_there(self) -> bool:
        return self._socket is None or self._socket.exists()

    def enter(self, key: str, anyway: bool = False) -> Entry | None:
        """The file; or, if there is none, whose turn it is, the lock being taken if nobody has it.

        All in one round trip. `anyway`: the lock is taken even if there is a file, since the one
        that was there did not do. None: the server does not answer.
        """
        # Another one each time: who waits for one would else be told of the end of an older lock.
        token = secrets.token_hex(8)
        keys = (_file(key), _lock(key), _waited(key))
        arguments = (token, LOCK_MS, int(anyway))
        answer = self._call(lambda: self._client.eval(ENTER, len(keys), *keys, *arguments))
        if answer is None:
            return None
        value, left_ms, holder = cast("list[Any]", answer)
        return Entry(self._decoded(key, value, left_ms), holder, token)

    def renew(self, held: Mapping[str, str]) -> None:
        """Locks: their keys, by the tokens that they were taken with."""

        def renew() -> list[Any]:
            with self._client.pipeline(transaction=False) as pipe:
                for token, key in held.items():
                    pipe.eval(RENEW, 1, _lock(key), token, LOCK_MS)
                return pipe.execute()

        self._call(renew)

    def finish(
        self, key: str, token: str | None, value: bytes | None, ttl_ms: int, anew: bool = False
    ) -> bool | None:
        """Keep a file if there is one, let go of the lock and tell those who wait.

        `anew`: it was rendered for who wants nothing older, so that what is kept, or is under way
        under a lock, does not count any more. Whether the file is kept; None: the server does not
        answer. A file waits for one that is being started.
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
        """Return when the render of that token has ended, after half a second, or before."""
        block_ms = int(min(seconds, _BLOCK_S) * 1000)
        if block_ms > 0:
            stream = _end(holder.decode(errors="replace"))
            if not self._call(lambda: self._waiting.xread({stream: "0"}, block=block_ms) or True):
                time.sleep(min(seconds, _LOOK_S))  # whoever waits asks again at once

    def close(self) -> None:
        """Nothing is kept or found from now on."""
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
        """What the server answers; None: nothing, or it is not asked now."""
        if self._closed or not self._may_ask():
            return None
        try:
            answer = call()
        except Exception as exc:  # whatever is wrong with a cache, pages are rendered
            self._note_failure(exc)
            return None
        self._note_answer()
        return answer

    def _may_ask(self) -> bool:
        """One call a second tries a server that has failed; the others do without."""
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
            if self._ring is not None and not self._has_worked:
                if now >= self._ring_from:
                    self._ring_from, self._starting_until = now + _RING_AGAIN_S, now + _START_S
                    self._ring()
                if now < self._starting_until:
                    return
            self._failures += 1
            if self._failures < _FAILURES:
                return
            was_up, self._is_up = self._is_up is not False, False
            self._ask_from = now + _AGAIN_S
        if was_up:
            # Its words may have the server's URL in them.
            log.warning("rendered files are not kept for now", cause=type(exc).__name__)


def _file(key: str) -> str:
    return f"render-farm:file:{key}"


def _lock(key: str) -> str:
    return f"render-farm:lock:{key}"


def _waited(key: str) -> str:
    return f"render-farm:waited:{key}"


def _end(token: str) -> str:
    return f"render-farm:end:{token}"
