"""Eight times what a farm can do: `python -m bench.measures.overload [--seconds 60]`.

A farm with its defaults first shows its peak: clients in a loop, each waiting for its answer. Then
requests arrive at a fixed rate of eight times that peak, each on a connection of its own, whether
or not others were answered; beside them `/health`, `/status` and the state of an unknown job are
asked for twice a second. Prints tables in Markdown; fails only if an answer is wrong, or is none of
the contract's.

The load generator (`generator`) shares the farm's cores, so it is one thread of bare sockets, and
what it takes of them is printed. Its own lateness is in the times it measures.
"""

import asyncio
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import click

from bench.measures.answers import percentile
from bench.measures.generator import Answer, Books, Generator, judge_ok, judge_unknown_job
from farm.settings import Settings
from tests.support.farm_process import Farm, running_farm

#: A closed loop of so many keeps every page of the defaults busy, and a few in line.
PEAK_CLIENTS = 16
PROBE_EVERY_S = 0.5


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
