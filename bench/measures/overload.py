"""Eight times what a farm can do: `python -m bench.measures.overload [--seconds 60]`.

A farm with its defaults first shows its peak: clients in a loop, each waiting for its answer. Then
requests arrive at a fixed rate of eight times that peak, each on a connection of its own, whether
or not others were answered; beside them `/health`, `/status` and the state of an unknown job are
asked for twice a second. Prints tables in Markdown; fails only if an answer is wrong, or is none of
the contract's.

The load generator shares the farm's cores, so it is one thread of bare sockets, and what it takes
of them is printed. Its own lateness is in the times it measures.
"""

import asyncio
import json
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import click

from bench.measures.answers import percentile
from bench.workloads.pages import SIMPLE
from farm.settings import Settings
from tests.support.farm_process import Farm, running_farm

#: A closed loop of so many keeps every page of the defaults busy, and a few in line.
PEAK_CLIENTS = 16
PROBE_EVERY_S = 0.5
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


async def closed_loop(generator: Generator, clients: int, seconds: float) -> Books:
    books = Books()
    end = time.monotonic() + seconds

    async def client() -> None:
        while time.monotonic() < end:
            await generator.render(books)

    await asyncio.gather(*(client() for _ in range(clients)))
    return books


@dataclass
class Overload:
    """What came of it. `in_time` right answers came while requests were being sent."""

    rate: float
    seconds: float
    #: Renders a second that the farm did before, without overload.
    peak: float = 0.0
    sent: int = 0
    in_time: int = 0
    #: Share of one core that the generator took.
    cpu: float = 0.0
    #: Seconds by which requests were sent after their time.
    late_s: list[float] = field(default_factory=list)
    renders: Books = field(default_factory=Books)
    probes: dict[str, Books] = field(default_factory=dict)
    #: Answers that may not be, and how often they were.
    faults: list[dict[str, int]] = field(default_factory=list)

    @property
    def accepted(self) -> float:
        """Right answers a second, while requests were being sent."""
        return self.in_time / self.seconds

    @property
    def refused_s(self) -> list[float]:
        return self.renders.times.get("busy", [])


async def open_loop(generator: Generator, rate: float, seconds: float) -> Overload:
    result = Overload(rate, seconds)
    started, cpu = time.monotonic(), time.process_time()
    end = started + seconds

    async def one() -> None:
        outcome = await generator.render(result.renders)
        result.in_time += outcome == "right" and time.monotonic() <= end

    async def probe(what: str, path: str, judge: Callable[[Answer], str]) -> None:
        books = result.probes[what] = Books()
        async with asyncio.TaskGroup() as asked:
            while time.monotonic() < end:
                asked.create_task(generator.get(path, judge, books))
                await asyncio.sleep(PROBE_EVERY_S)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(probe("GET /health", "/health", judge_ok))
        tasks.create_task(probe("GET /status", "/status", judge_ok))
        unknown = f"/render-async/{uuid.uuid4()}"
        tasks.create_task(probe("GET /render-async/{unknown}", unknown, judge_unknown_job))
        for result.sent in range(1, int(rate * seconds) + 1):
            due = started + (result.sent - 1) / rate
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            result.late_s.append(time.monotonic() - due)
            tasks.create_task(one())
        await asyncio.sleep(max(0.0, end - time.monotonic()))
        result.cpu = (time.process_time() - cpu) / (time.monotonic() - started)
    return result


def times_row(what: str, times: list[float]) -> str:
    figures = [percentile(times, share) * 1000 for share in (0.5, 0.95, 0.99, 1)]
    return f"| {what} | {len(times)} | " + " | ".join(f"{ms:.0f}" for ms in figures) + " |"


def report(result: Overload) -> None:
    books, peak = result.renders, result.peak
    refused = result.refused_s
    waits = sorted(books.retry_after_s)
    others = {w: len(t) for w, t in books.times.items() if w not in ("right", "busy")}
    print("| overload | |\n|---|---|")
    print(f"| peak, {PEAK_CLIENTS} clients in a loop | {peak:.1f} renders/s |")
    print(f"| offered | {result.rate:.0f} requests/s for {result.seconds:.0f} s: {result.sent} |")
    print(f"| accepted | {books.count('right')}, {result.accepted:.1f} renders/s |")
    print(f"| of the peak (goal: at least 0.90) | {result.accepted / peak:.2f} |")
    span = f", `Retry-After` {waits[0]} to {waits[-1]} s" if waits else ""
    print(f"| refused as busy | {len(refused)}{span} |")
    print(f"| other answers (goal: none) | {others or 'none'} |")
    print(f"| refused within, p99 (goal: 100 ms) | {percentile(refused, 0.99) * 1000:.0f} ms |")
    print(f"| the generator's CPU | {result.cpu:.0%} of a core |")
    print(f"| the generator's lateness, p99 | {percentile(result.late_s, 0.99) * 1000:.0f} ms |")
    print("\n| from connecting to the end of the answer, ms | n | p50 | p95 | p99 | max |")
    print("|---|---|---|---|---|---|")
    print(times_row("refused as busy", refused))
    print(times_row("rendered", books.times.get("right", [])))
    for what, probe in result.probes.items():
        print(times_row(what, [s for times in probe.times.values() for s in times]))
        if set(probe.times) - {"right"}:
            print(f"| … of them | { ({w: len(t) for w, t in probe.times.items()}) } | | | | |")


async def measure(farm: Farm, seconds: float, peak_s: float, factor: float) -> Overload:
    """Raises `RuntimeError` if not one render of the peak was right."""
    generator = Generator(farm)
    await closed_loop(generator, 4, min(3.0, peak_s))
    began = time.monotonic()
    before = await closed_loop(generator, PEAK_CLIENTS, peak_s)
    peak = before.count("right") / (time.monotonic() - began)
    if not peak:
        raise RuntimeError(f"There is no peak: {before.faults or list(before.times)}")
    result = await open_loop(generator, factor * peak, seconds)
    result.peak = peak
    result.faults = [
        books.faults for books in (before, result.renders, *result.probes.values()) if books.faults
    ]
    return result


@click.command()
@click.option("--seconds", default=60.0, show_default=True, help="Length of the overload.")
@click.option("--peak-seconds", default=15.0, show_default=True, help="Time to find the peak in.")
@click.option("--factor", default=8.0, show_default=True, help="Offered, in peaks.")
def main(seconds: float, peak_seconds: float, factor: float) -> None:
    """Measure a farm that is started for it."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_farm(Path(folder) / "log", workers=Settings().worker_count) as farm,
    ):
        result = asyncio.run(measure(farm, seconds, peak_seconds, factor))
    report(result)
    if result.faults:
        print(f"\nWrong, or none of the contract's: {result.faults}")
    sys.exit(1 if result.faults else 0)


if __name__ == "__main__":
    main()
