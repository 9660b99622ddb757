"""A load generator: sends requests to a farm by bare sockets, and judges each answer.

`overload` has one `Generator`, and calls it in the event loop of its only thread. `plan_measuring`
sends by `Exchange` too.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.workloads.pages import SIMPLE
from tests.support.farm_process import Farm

#: Longer than any deadline of the farm: what has not been answered by then never is.
ANSWER_TIMEOUT_S = 90.0


class Exchange(asyncio.Protocol):
    """One request on a connection of its own; `answered` when the farm has closed it."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._received: list[bytes] = []
        self.answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received.append(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.answered.done():
            return
        if exc is None or self._received:
            self.answered.set_result(b"".join(self._received))
        else:
            self.answered.set_exception(exc)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[bytes, bytes]
    body: bytes

    @classmethod
    def parse(cls, data: bytes) -> "Answer":
        """Raises `ValueError` for what is no whole HTTP answer."""
        head, found, body = data.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(b":") for line in lines)
        }
        if not found or int(headers.get(b"content-length", b"-1")) != len(body):
            raise ValueError("cut off")
        return cls(int(first.split()[1]), headers, body)

    @property
    def code(self) -> str:
        """The error's code; raises `ValueError` if it is not an error of the contract's shape."""
        error = json.loads(self.body)
        if error["success"] is not False or not error["error"] or not error["requestId"]:
            raise ValueError("not the contract's shape")
        return str(error["code"])


def judge_render(answer: Answer) -> str:
    """`right`, a code of the contract, or what is wrong, which has a blank in it."""
    if answer.status == 200:
        return "right" if not SIMPLE.problem(answer.body) else "wrong image"
    code = answer.code
    if answer.status == 503 and int(answer.headers.get(b"retry-after", b"0")) < 1:
        return f"{code} without Retry-After"
    return code


def judge_ok(answer: Answer) -> str:
    return "right" if answer.status == 200 else answer.code


def judge_unknown_job(answer: Answer) -> str:
    right = answer.status == 404 and answer.code == "not_found"
    return "right" if right else f"wrong status {answer.status}"


@dataclass
class Books:
    """Seconds that each outcome took, from before its connection was made until its end."""

    times: dict[str, list[float]] = field(default_factory=dict)
    retry_after_s: Counter[int] = field(default_factory=Counter)

    def note(self, outcome: str, seconds: float) -> None:
        self.times.setdefault(outcome, []).append(seconds)

    def count(self, outcome: str) -> int:
        return len(self.times.get(outcome, ()))

    @property
    def faults(self) -> dict[str, int]:
        """Outcomes that may not be, and how often they were."""
        return {what: len(times) for what, times in self.times.items() if " " in what}


class Generator:
    """Sends to one farm."""

    def __init__(self, farm: Farm) -> None:
        self._port = farm.port
        body = json.dumps(SIMPLE.body("")).encode()
        self._render = self._head("POST", "/render") + (
            b"Content-Type: application/json\r\nAccept: image/png\r\nContent-Length: %d\r\n\r\n%b"
            % (len(body), body)
        )

    def _head(self, method: str, path: str) -> bytes:
        host = f"127.0.0.1:{self._port}"
        return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n".encode()

    async def render(self, books: Books) -> str:
        return await self._send(self._render, judge_render, books)

    async def get(self, path: str, judge: Callable[[Answer], str], books: Books) -> str:
        return await self._send(self._head("GET", path) + b"\r\n", judge, books)

    async def _send(self, request: bytes, judge: Callable[[Answer], str], books: Books) -> str:
        loop = asyncio.get_running_loop()
        began = time.monotonic()
        transport = None
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                transport, exchange = await loop.create_connection(
                    lambda: Exchange(request), "127.0.0.1", self._port
                )
                data = await exchange.answered
            seconds = time.monotonic() - began
            answer = Answer.parse(data)
            outcome = judge(answer)
            if outcome == "busy":
                books.retry_after_s[int(answer.headers[b"retry-after"])] += 1
        except TimeoutError:
            outcome, seconds = "no answer", time.monotonic() - began
        except OSError as exc:
            outcome, seconds = f"connection: {type(exc).__name__}", time.monotonic() - began
        except (ValueError, KeyError, TypeError) as exc:
            outcome = f"not of the contract: {exc}"
        finally:
            if transport is not None:
                transport.abort()
        books.note(outcome, seconds)
        return outcome
