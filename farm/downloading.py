"""Downloads files that a request names by URL, only through the farm's egress proxy.

Threads that handle requests call it. The proxy resolves each host, checks it against the policy,
and dials a checked address, as for a page. So it is safe to follow redirects. The bytes, the time
and the number of concurrent downloads are bounded.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import requests

from farm.egress import Port, closed_after
from farm.errors import Busy, NavigationFailed, OutputTooLarge, RenderTimeout, UrlRefused

#: The proxy is on this machine, but its process may be busy.
_CONNECT_TIMEOUT_S = 5.0
#: Concurrent downloads; each may hold as many bytes as a request's body.
_AT_ONCE = 4
_MAX_REDIRECTS = 10
_PIECE_BYTES = 1 << 16
_LATE = "The files could not be downloaded in time."
_BUSY = "Too many files are being downloaded; try again in a moment."
_USER_AGENT = "render-farm"


@dataclass(frozen=True)
class Downloaded:
    status: int
    #: By header name in lower case.
    headers: Mapping[str, str]
    data: bytes = field(repr=False)


class Downloader:
    """Thread-safe."""

    def __init__(self, open_port: Callable[[], Port], timeout_s: float) -> None:
        """`open_port` opens a port of the egress proxy. It may raise `BrowserUnavailable`."""
        self._open_port = open_port
        self._timeout_s = timeout_s
        self._turns = threading.BoundedSemaphore(_AT_ONCE)

    def end(self) -> float:
        """The deadline of downloads that start now, by the monotonic clock."""
        return time.monotonic() + self._timeout_s

    def get(
        self, url: str, headers: Mapping[str, str], max_bytes: int, end: float | None = None
    ) -> Downloaded:
        """Download a file; returns the answer whatever its status.

        The URL and the headers must be valid. `end` is a deadline from `end()`; several files of
        one request share it. Raises `UrlRefused`, `NavigationFailed`, `OutputTooLarge` for more
        than `max_bytes`, `RenderTimeout`, `Busy` and `BrowserUnavailable`.
        """
        end = self.end() if end is None else end
        if not self._turns.acquire(timeout=max(0.0, end - time.monotonic())):
            raise Busy(_BUSY)
        try:
            port = self._open_port()
            try:
                return self._get(port, url, headers, max_bytes, end - time.monotonic())
            finally:
                port.close()
        finally:
            self._turns.release()

    def _get(
        self, port: Port, url: str, headers: Mapping[str, str], max_bytes: int, within_s: float
    ) -> Downloaded:
        if within_s <= 0:
            raise RenderTimeout(_LATE)
        with closed_after(within_s, port) as is_late, requests.Session() as session:
            # Ignore proxies, passwords and certificates of the environment.
            session.trust_env = False
            session.max_redirects = _MAX_REDIRECTS
            session.headers.clear()
            try:
                with session.get(
                    url,
                    headers={"User-Agent": _USER_AGENT, "Accept": "*/*", **headers},
                    timeout=(_CONNECT_TIMEOUT_S, within_s),
                    proxies={"http": port.url, "https": port.url},
                    stream=True,
                ) as answer:
                    data = _read(answer, max_bytes)
                    names = {name.lower(): value for name, value in answer.headers.items()}
                    return Downloaded(answer.status_code, names, data)
            except (requests.RequestException, OSError, ValueError) as exc:
                # The library's messages contain the URL, which must not be logged.
                if is_late() or isinstance(exc, requests.Timeout):
                    raise RenderTimeout(_LATE) from None
                raise _failure(port) from None


def _read(answer: requests.Response, max_bytes: int) -> bytes:
    data = bytearray()
    for piece in answer.iter_content(_PIECE_BYTES):
        data += piece
        if len(data) > max_bytes:
            raise OutputTooLarge(f"The files have more than {max_bytes:,} bytes together.")
    return bytes(data)


def _failure(port: Port) -> UrlRefused | NavigationFailed:
    notes = port.notes
    if any(note.refused for note in notes):
        return UrlRefused()
    return NavigationFailed(notes[-1].reason if notes else "the connection was broken off")
