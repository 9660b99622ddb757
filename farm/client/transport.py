"""Requests to a farm: within a deadline, sent again where that may help."""

import io
import random
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import requests
import urllib3
from requests.adapters import HTTPAdapter

import farm
from farm.client.errors import DeadlinePassed, Unreachable, error_of
from farm.errors import FarmError, InvalidUrl

Answer = TypeVar("Answer")
#: Makes an answer of its headers and the pieces of its body.
Reader = Callable[[Mapping[str, str], Iterator[bytes]], Answer]

#: The same request may succeed later: too many requests, a proxy that lost its farm, no place.
_RETRIED = (429, 502, 503)
#: Without `Retry-After`: the first pause, twice as long each time, and the longest.
_PAUSE_S, _MAX_PAUSE_S = 0.2, 5.0
_PIECE_BYTES = 1 << 16
_MAX_ERROR_BYTES = 1 << 20
#: Connections that are kept, so that so many threads need no new ones.
_KEPT_CONNECTIONS = 32


class Transport:
    """A connection pool to one farm. Threads may share it."""

    def __init__(self, url: str, key: str | None, deadline_s: float, connect_s: float) -> None:
        self._url = url
        self._deadline_s = deadline_s
        self._connect_s = connect_s
        self._session = requests.Session()
        # Also without a key: requests would else look for one in ~/.netrc.
        self._session.auth = _Key(key)
        self._session.headers["User-Agent"] = f"render-farm-client/{farm.__version__}"
        adapter = HTTPAdapter(pool_maxsize=_KEPT_CONNECTIONS)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def close(self) -> None:
        self._session.close()

    def send(
        self,
        method: str,
        path: str,
        read: Reader[Answer],
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        deadline_s: float | None = None,
    ) -> Answer:
        """Send until there is an answer, or no time for another try. Raises `FarmError`.

        `deadline_s`: of this call, in place of the client's own.
        """
        until = time.monotonic() + (self._deadline_s if deadline_s is None else deadline_s)
        gone_since: float | None = None
        tries = 0
        while True:
            try:
                return self._send_once(method, path, read, body, headers or {}, until)
            except FarmError as exc:
                now, end = time.monotonic(), until
                if isinstance(exc, Unreachable):
                    gone_since = now if gone_since is None else gone_since
                    end = min(until, gone_since + self._connect_s)
                else:
                    gone_since = None
                pause_s = _pause_s(exc, tries)
                if not _may_help(exc) or now + pause_s >= end:
                    raise
            time.sleep(pause_s)
            tries += 1

    def _send_once(
        self,
        method: str,
        path: str,
        read: Reader[Answer],
        body: bytes | None,
        headers: Mapping[str, str],
        until: float,
    ) -> Answer:
        left_s = max(until - time.monotonic(), 0.001)
        try:
            with self._session.request(
                method,
                self._url + path,
                # Bytes would have to be sent within the time that connecting may take.
                data=None if body is None else _Body(body, until),
                headers={"Accept": "application/json", **headers},
                timeout=(min(left_s, self._connect_s), left_s),
                stream=True,
                # A farm redirects nowhere, and a POST that is redirected becomes a GET.
                allow_redirects=False,
            ) as response:
                pieces = self._pieces(response, until)
                if response.status_code < 300:
                    return read(response.headers, pieces)
                raise error_of(response.status_code, response.headers, _first(pieces))
        except requests.Timeout as exc:
            if isinstance(exc, requests.ConnectTimeout) and time.monotonic() < until:
                raise Unreachable(f"{self._url} does not accept connections.") from exc
            raise DeadlinePassed from exc
        except requests.exceptions.SSLError as exc:
            raise Unreachable(
                f"{self._url} has no certificate that is trusted, or does not speak TLS; http:// "
                "is for a farm without TLS."
            ) from exc
        except (requests.exceptions.ProxyError, requests.exceptions.InvalidProxyURL) as exc:
            raise Unreachable(
                f"{self._url} cannot be reached through the proxy that HTTP_PROXY, HTTPS_PROXY or "
                "ALL_PROXY names; NO_PROXY lists hosts that need none."
            ) from exc
        except requests.exceptions.InvalidURL as exc:
            raise InvalidUrl(
                f"{self._url}, or the URL of a proxy in HTTP_PROXY, HTTPS_PROXY or ALL_PROXY, is "
                "not valid."
            ) from exc
        except (requests.RequestException, urllib3.exceptions.HTTPError) as exc:
            if time.monotonic() >= until:
                raise DeadlinePassed from exc
            raise Unreachable(
                f"{self._url} cannot be reached, or the connection broke; is a farm running there?"
            ) from exc
        except OSError as exc:  # of a file: requests reads the certificates that it names
            raise Unreachable(
                "The certificates that REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names cannot be read."
            ) from exc

    def _pieces(self, response: requests.Response, until: float) -> Iterator[bytes]:
        """The body as it arrives.

        `iter_content` would wait until a piece is full, and each byte would begin its time anew.
        """
        while piece := response.raw.read1(_PIECE_BYTES, decode_content=True):
            if time.monotonic() >= until:
                raise DeadlinePassed
            yield piece


class _Body(io.BytesIO):
    """A body that is sent no longer than until the deadline: each piece has a time of its own."""

    def __init__(self, body: bytes, until: float) -> None:
        super().__init__(body)
        self._until = until

    def read(self, size: int | None = -1, /) -> bytes:
        if time.monotonic() >= self._until:
            raise DeadlinePassed
        return super().read(size)


class _Key(requests.auth.AuthBase):
    def __init__(self, key: str | None) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._key is not None:
            request.headers["Authorization"] = f"Bearer {self._key}"
        return request


def _first(pieces: Iterator[bytes]) -> bytes:
    """Of the body of an error as much as a farm's may have."""
    body = bytearray()
    for piece in pieces:
        body += piece
        if len(body) >= _MAX_ERROR_BYTES:
            break
    return bytes(body)


def _may_help(error: FarmError) -> bool:
    """Whether the same request may succeed when it is sent again."""
    cause = error.__cause__
    has_bad_certificate = isinstance(cause, requests.exceptions.SSLError)
    # Every `RequestException` is an `OSError`; any other one is of a file on this machine.
    has_bad_file = isinstance(cause, OSError) and not isinstance(cause, requests.RequestException)
    return error.status in _RETRIED and not has_bad_certificate and not has_bad_file


def _pause_s(error: FarmError, tries: int) -> float:
    """Never shorter than what the farm asks for. No two clients come back at the same moment."""
    if after_s := getattr(error, "retry_after_s", None):
        return float(after_s) * random.uniform(1, 1.25)
    return min(_PAUSE_S * 2.0**tries, _MAX_PAUSE_S) * random.uniform(0.5, 1)
