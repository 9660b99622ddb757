"""Sends requests to a farm within a deadline, and retries those that may succeed later.

`Farm` calls `Transport`, from any thread.
"""

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
#: Parses an answer from its headers and the pieces of its body.
Reader = Callable[[Mapping[str, str], Iterator[bytes]], Answer]

#: Statuses of requests that may succeed later: too many requests, a proxy that cannot reach the
#: farm, a farm that is busy or starting.
_RETRIED = (429, 502, 503)
#: The first pause without `Retry-After`, and the longest. The pause doubles with each try.
_PAUSE_S, _MAX_PAUSE_S = 0.2, 5.0
_PIECE_BYTES = 1 << 16
_MAX_ERROR_BYTES = 1 << 20
#: The number of connections that are kept open, so that as many threads need no new ones.
_KEPT_CONNECTIONS = 32


class Transport:
    """A connection pool to one farm. Threads may share it."""

    def __init__(self, url: str, key: str | None, deadline_s: float, connect_s: float) -> None:
        self._url = url
        self._deadline_s = deadline_s
        self._connect_s = connect_s
        self._session = requests.Session()
        # Needed without a key too: otherwise requests would look for a password in ~/.netrc.
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
        """Send a request, and retry it until the deadline. Raises `FarmError`.

        `deadline_s`: this call's deadline, in place of the client's.
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
                # requests would limit the time for sending plain bytes to the connect time-out.
                data=None if body is None else _Body(body, until),
                headers={"Accept": "application/json", **headers},
                timeout=(min(left_s, self._connect_s), left_s),
                stream=True,
                # A farm never redirects, and a redirected POST would become a GET.
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
        except OSError as exc:  # of a file of certificates, which requests reads
            raise Unreachable(
                "The certificates that REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names cannot be read."
            ) from exc

    def _pieces(self, response: requests.Response, until: float) -> Iterator[bytes]:
        """The pieces of the body as they arrive. Raises `DeadlinePassed`.

        `iter_content` would wait for full pieces, and each byte would restart its time-out.
        """
        while piece := response.raw.read1(_PIECE_BYTES, decode_content=True):
            if time.monotonic() >= until:
                raise DeadlinePassed
            yield piece


class _Body(io.BytesIO):
    """A body that raises `DeadlinePassed` after the deadline. The time-out of requests is for each
    piece only.
    """

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
    """The beginning of an error's body, up to the greatest length that a farm's error has."""
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
    # Every `RequestException` is an `OSError`. Any other `OSError` is about a file on this machine.
    has_bad_file = isinstance(cause, OSError) and not isinstance(cause, requests.RequestException)
    return error.status in _RETRIED and not has_bad_certificate and not has_bad_file


def _pause_s(error: FarmError, tries: int) -> float:
    """The pause before the next try: random, and never shorter than the farm's `Retry-After`."""
    if after_s := getattr(error, "retry_after_s", None):
        return float(after_s) * random.uniform(1, 1.25)
    return min(_PAUSE_S * 2.0**tries, _MAX_PAUSE_S) * random.uniform(0.5, 1)
