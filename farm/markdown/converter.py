"""Converts Markdown in a few child processes, which are reused, and killed if they take too long.

Any thread may call `Converter`. The parser and the highlighters are Python code and regular
expressions. In the farm's own process they would hold up its other threads, such as the browser's,
and nothing could interrupt them.
"""

import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress

import structlog

from farm.errors import Busy, InternalError, OutputTooLarge, RenderTimeout
from farm.markdown.process import (
    DOCUMENT,
    HEAD,
    MAX_DOCUMENT_BYTES,
    PART,
    TOO_LARGE,
    WITH_MARGINS,
    WITHOUT_MARGINS,
    receive,
    send,
)

log = structlog.get_logger()

#: The time that one document may take; enough for some megabytes.
MAX_S = 10.0
#: Documents that are converted concurrently.
_MAX_PROCESSES = 2
#: Documents that may wait for a process.
_MAX_WAITING = 16
_BUSY = "Too much Markdown is being converted; try again in a moment."
#: The environment variables that a process inherits.
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "PYTHONPATH", "PYTHONHOME")


class Converter:
    """Thread-safe. Starts processes when they are needed, and reuses them."""

    def __init__(self, max_s: float = MAX_S) -> None:
        self._max_s = max_s
        self._turns = threading.BoundedSemaphore(_MAX_PROCESSES)
        self._places = threading.BoundedSemaphore(_MAX_PROCESSES + _MAX_WAITING)
        self._lock = threading.Lock()
        self._idle: list[_Process] = []
        self._closed = False

    def convert(self, markdown: str, within_s: float, has_margins: bool = True) -> str:
        """The HTML document, within so many seconds.

        `has_margins`: the document sets margins for paper, which override those of the request.
        Raises `Busy` if no process was free in time or too many callers wait for one,
        `RenderTimeout`, and `OutputTooLarge`.
        """
        return self._convert(markdown, within_s, WITH_MARGINS if has_margins else WITHOUT_MARGINS)

    def convert_part(self, markdown: str, within_s: float) -> str:
        """HTML for the body of a document, without a stylesheet. Raises as `convert` does."""
        return self._convert(markdown, within_s, PART)

    def _convert(self, markdown: str, within_s: float, asked: int) -> str:
        if not self._places.acquire(blocking=False):
            raise Busy(_BUSY)
        try:
            return self._convert_in_turn(markdown, within_s, asked)
        finally:
            self._places.release()

    def _convert_in_turn(self, markdown: str, within_s: float, asked: int) -> str:
        end = time.monotonic() + within_s
        if not self._turns.acquire(timeout=within_s):
            raise Busy(_BUSY)
        try:
            process = self._take()
            try:
                until = min(end, time.monotonic() + self._max_s)
                document = process.convert(markdown, until, asked)
            except BaseException:
                process.kill()
                raise
            self._put_back(process)
            return document
        finally:
            self._turns.release()

    def close(self) -> None:
        """End the idle processes. A busy one ends when it has finished its document."""
        with self._lock:
            self._closed = True
            while self._idle:
                self._idle.pop().kill()

    def _take(self) -> "_Process":
        with self._lock:
            while self._idle:
                process = self._idle.pop()
                if process.is_alive:
                    return process
                process.kill()
        return _Process()

    def _put_back(self, process: "_Process") -> None:
        with self._lock:
            if self._closed:
                process.kill()
            else:
                self._idle.append(process)


class _Process:
    def __init__(self) -> None:
        self._sock, theirs = socket.socketpair()
        with theirs:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "farm.markdown", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            )

    @property
    def is_alive(self) -> bool:
        return self._child.poll() is None

    def convert(self, markdown: str, end: float, asked: int) -> str:
        try:
            self._sock.settimeout(max(0.001, end - time.monotonic()))
            send(self._sock, asked, markdown.encode())
            kind, length = HEAD.unpack(self._receive(HEAD.size, end))
            data = self._receive(length, end)
        except TimeoutError as exc:
            raise RenderTimeout("The Markdown could not be converted in time.") from exc
        except (OSError, EOFError) as exc:
            log.error("markdown process died", exit=self._child.poll())
            raise InternalError() from exc
        if kind == TOO_LARGE:
            raise OutputTooLarge(
                f"The Markdown becomes more than {MAX_DOCUMENT_BYTES:,} bytes of HTML, or takes "
                "too much memory."
            )
        if kind != DOCUMENT:
            log.error("markdown not converted", cause=data.decode(errors="replace"))
            raise InternalError()
        return data.decode()

    def _receive(self, count: int, end: float) -> bytearray:
        come = bytearray()
        while len(come) < count:
            self._sock.settimeout(max(0.001, end - time.monotonic()))
            come += receive(self._sock, min(count - len(come), 1 << 20))
        return come

    def kill(self) -> None:
        self._sock.close()
        self._child.kill()
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(2)
