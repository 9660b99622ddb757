"""The ends of a pipe that carries messages, each of which ends with a zero byte.

`pipe` uses them, in the loop of the browser's thread. Nothing here is thread-safe.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable

import structlog

log = structlog.get_logger()

_READ_BYTES = 1 << 20


class Reader:
    """Reads whole messages from a descriptor, which it owns."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        fd: int,
        on_message: Callable[[bytes], None],
        on_end: Callable[[], None],
    ) -> None:
        self._loop, self._fd = loop, fd
        self._on_message, self._on_end = on_message, on_end
        self._parts: list[bytes] = []
        os.set_blocking(fd, False)
        loop.add_reader(fd, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._fd, _READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._on_end()
            return
        *whole, rest = data.split(b"\0")
        if whole and self._parts:
            whole[0] = b"".join([*self._parts, whole[0]])
            self._parts.clear()
        if rest:
            self._parts.append(rest)
        for message in whole:
            try:
                self._on_message(message)
            except Exception:
                log.exception("a message of the browser's pipe was not understood")

    def close(self) -> None:
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1


class Writer:
    """Writes messages to a descriptor, which it owns. Never waits for the other end."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, fd: int, on_end: Callable[[], None]
    ) -> None:
        self._loop, self._fd, self._on_end = loop, fd, on_end
        self._left: deque[memoryview] = deque()
        os.set_blocking(fd, False)

    def write(self, data: bytes) -> None:
        """Write now what the pipe has room for, and the rest when the other end has read."""
        if self._fd < 0:
            return
        self._left.append(memoryview(data + b"\0"))
        if len(self._left) == 1:
            self._write_some()
            if self._left:
                self._loop.add_writer(self._fd, self._write_more)

    def _write_more(self) -> None:
        self._write_some()
        if not self._left and self._fd >= 0:
            self._loop.remove_writer(self._fd)

    def _write_some(self) -> None:
        while self._left:
            try:
                written = os.write(self._fd, self._left[0])
            except BlockingIOError:
                return
            except OSError:
                self._left.clear()
                # Not at once: the caller is in the middle of a step.
                self._loop.call_soon(self._on_end)
                return
            if written == len(self._left[0]):
                self._left.popleft()
            else:
                self._left[0] = self._left[0][written:]

    def close(self) -> None:
        if self._fd >= 0:
            self._left.clear()
            self._loop.remove_writer(self._fd)
            os.close(self._fd)
            self._fd = -1
