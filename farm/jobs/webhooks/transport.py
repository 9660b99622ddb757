"""Makes one try to send a webhook: an HTTP request through the farm's egress proxy.

`sender` calls `Transport.send` in a thread for each try. As for a page, the proxy resolves the
receiver's name, checks its addresses against the policy, and connects to one of them.
Redirects are not followed. The reason of a failure is one of a few fixed phrases: the library's
messages contain the URL, which is a secret.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import requests
import structlog

from farm.egress import Port, closed_after
from farm.errors import FarmError, StorageUnavailable
from farm.jobs.webhooks import signing
from farm.jobs.webhooks.message import Bytes, StoredFile, compose
from farm.jobs.webhooks.outbox import Parcel
from farm.storage import NotStored, Storage

log = structlog.get_logger()

#: The proxy runs on this machine, but its process may be busy.
_CONNECT_TIMEOUT_S = 5.0
#: How much of the answer's body is read, so that the receiver can finish sending it. The body is
#: not used.
_ANSWER_BYTES = 16_384
_GONE = 410

NO_FILE = "the file has expired"
BROKEN_OFF = "the connection was broken off"


@dataclass(frozen=True)
class Outcome:
    """`status`: the answer's. `reason`: why there is no answer. `ends_it`: do not try again."""

    status: int | None = None
    reason: str | None = None
    ends_it: bool = False

    @property
    def delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class Transport:
    def __init__(
        self,
        open_port: Callable[[], Port],
        storage: Storage,
        keys: Sequence[bytes],
        timeout_s: float,
    ) -> None:
        """`open_port` opens a port of the egress proxy, and raises `BrowserUnavailable`.

        `keys`: the keys of the signatures.
        """
        self._open_port = open_port
        self._storage = storage
        self._keys = keys
        self._timeout_s = timeout_s

    def send(self, parcel: Parcel) -> Outcome:
        """Send the message within the time-out. Every failure is an `Outcome`; raises nothing."""
        try:
            port = self._open_port()
        except FarmError:
            return Outcome(reason="the farm's egress proxy is being started again")
        try:
            with closed_after(self._timeout_s, port) as is_late:
                try:
                    return self._send(parcel, port)
                except NotStored:
                    return Outcome(reason=NO_FILE, ends_it=True)
                except StorageUnavailable:
                    return Outcome(reason="the storage of the jobs' files cannot be used")
                except Exception as exc:
                    if is_late() or isinstance(exc, requests.Timeout):
                        return Outcome(reason=f"no answer within {self._timeout_s:g} s")
                    return _failure(port, exc)
        finally:
            port.close()

    def _send(self, parcel: Parcel, port: Port) -> Outcome:
        began = time.monotonic()
        message = compose(parcel, self._storage)
        body = _InTime(message.body, began + self._timeout_s)
        timestamp_s = parcel.taken.now_ms // 1000
        signed = signing.headers(self._keys, parcel.delivery.id, timestamp_s, body)
        with requests.Session() as session:
            # Do not use a proxy, password or certificate that the environment names.
            session.trust_env = False
            session.headers.clear()
            with session.request(
                parcel.target.method,
                parcel.target.url,
                headers=message.headers | signed | {"Connection": "close"},
                data=body,
                timeout=(_CONNECT_TIMEOUT_S, self._timeout_s),
                allow_redirects=False,
                proxies={"http": port.url, "https": port.url},
                stream=True,
            ) as answer:
                with suppress(Exception):
                    answer.raw.read(_ANSWER_BYTES)
                return Outcome(answer.status_code, ends_it=answer.status_code == _GONE)


class _InTime:
    """A body whose iteration raises `TimeoutError` after `end`, a time by `time.monotonic()`."""

    def __init__(self, body: Bytes | StoredFile, end: float) -> None:
        self._body = body
        self._end = end

    def __len__(self) -> int:
        return len(self._body)

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._body:
            if time.monotonic() > self._end:
                raise TimeoutError
            yield piece


def _failure(port: Port, exc: Exception) -> Outcome:
    notes = port.notes
    if refusals := [note for note in notes if note.refused]:
        return Outcome(reason=f"refused by the egress policy: {refusals[0].reason}", ends_it=True)
    if isinstance(exc, requests.exceptions.SSLError):
        is_unknown = "CERTIFICATE_VERIFY_FAILED" in str(exc)
        return Outcome(
            reason="its certificate is not valid" if is_unknown else "TLS with it failed"
        )
    if not isinstance(exc, requests.RequestException | OSError):
        # A defect of the farm. The exception's message may contain the URL.
        log.error("webhook not sent", cause=type(exc).__name__)
        return Outcome(reason="it could not be sent")
    return Outcome(reason=notes[-1].reason if notes else BROKEN_OFF)
