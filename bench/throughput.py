"""Throughput beside a bare Playwright loop, a minute of overload, and what killing things costs.

`python -m bench.throughput [--seconds 10] [--rounds 3] [--overload 60] [--chaos]` starts a farm of
its own on a free port of 127.0.0.1 and prints a table in Markdown for each part.
"""

import asyncio
import itertools
import statistics
import struct
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import click
import psutil
import requests
from playwright.async_api import async_playwright

from farm.render.chromium import find_chromium
from farm.settings import Settings
from tests.farm_process import Farm, running_farm

#: About 1 KB, as in the published comparisons of such services.
HTML = (
    "<!doctype html><body style='font-family: sans-serif; background: #f4f6fb'><h1>Hello</h1>"
    + "<p>Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod.</p>" * 11
)
SIZE = (1280, 720)


def is_right(png: bytes) -> bool:
    """A PNG of the right size; its pixels are the tests' business."""
    return png[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", png[16:24]) == SIZE


@dataclass
class Ledger:
    """What came back: `ok`, `wrong`, a code, or what broke the connection; and when."""

    started: float = field(default_factory=time.monotonic)
    answers: Counter[str] = field(default_factory=Counter)
    #: Moment and seconds of every right answer.
    right: list[tuple[float, float]] = field(default_factory=list)
    slowest_s: float = 0.0

    def note(self, outcome: str, began: float) -> None:
        now = time.monotonic()
        self.answers[outcome] += 1
        self.slowest_s = max(self.slowest_s, now - began)
        if outcome == "ok":
            self.right.append((now, now - began))

    def summary(self) -> tuple[float, float, float]:
        """Right answers a second, and the median and 95th percentile of their milliseconds."""
        seconds = time.monotonic() - self.started
        latencies = sorted(latency for _, latency in self.right)
        p95 = latencies[int(len(latencies) * 0.95)]
        return len(self.right) / seconds, statistics.median(latencies) * 1000, p95 * 1000


def once(farm: Farm, session: requests.Session) -> str:
    """One request, as one word."""
    try:
        response = session.post(
            farm.url + "/render", json={"html": HTML}, headers={"Accept": "image/png"}, timeout=90
        )
    except requests.RequestException as exc:
        return type(exc).__name__
    if response.status_code == 200:
        return "ok" if is_right(response.content) else "wrong"
    code = str(response.json()["code"])
    if response.status_code == 503 and int(response.headers.get("Retry-After", 0)) < 1:
        return f"{code} without Retry-After"
    return code


def load(
    farm: Farm, clients: int, seconds: float, meanwhile: Callable[[Ledger], None] | None = None
) -> Ledger:
    ledger = Ledger()
    end = ledger.started + seconds

    def client() -> None:
        with requests.Session() as session:
            while (began := time.monotonic()) < end:
                outcome = once(farm, session)
                ledger.note(outcome, began)
                if outcome == "busy":
                    time.sleep(0.05)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    if meanwhile is not None:
        meanwhile(ledger)
    for thread in threads:
        thread.join()
    return ledger


def bare_loop(clients: int, seconds: float) -> Ledger:
    """Playwright as its manual shows it: one browser, a context for each render, no server."""

    async def main() -> Ledger:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(**_launch_options())
            ledger = Ledger()

            async def client() -> None:
                while (began := time.monotonic()) < ledger.started + seconds:
                    context = await browser.new_context(
                        viewport={"width": SIZE[0], "height": SIZE[1]}
                    )
                    page = await context.new_page()
                    await page.set_content(HTML)
                    png = await page.screenshot()
                    ledger.note("ok" if is_right(png) else "wrong", began)
                    await context.close()

            await asyncio.gather(*(client() for _ in range(clients)))
            await browser.close()
            return ledger

    return asyncio.run(main())


def _launch_options() -> dict[str, object]:
    chromium = find_chromium(Settings())
    # The sandbox costs nothing that shows; root cannot have it without the farm's launcher.
    return {"executable_path": chromium.path, "chromium_sandbox": chromium.user is None}


def resources(farm: Farm) -> str:
    """Processes and their memory (PSS: shared pages divided among those who share them)."""
    tree = [psutil.Process(farm.process.pid), *farm.tree()]
    pss = sum(process.memory_full_info().pss for process in tree if process.is_running())
    files = sum(process.num_fds() for process in tree if process.is_running())
    return f"{len(tree)} processes, {pss >> 20} MiB, {files} open files"


def compare(farm: Farm, seconds: float, rounds: int) -> None:
    print("| clients | what | right/s | p50 ms | p95 ms |\n|---|---|---|---|---|")
    for clients in (1, 8):
        figures: dict[str, list[tuple[float, float, float]]] = {"farm": [], "bare loop": []}
        for _ in range(rounds):
            figures["farm"].append(load(farm, clients, seconds).summary())
            figures["bare loop"].append(bare_loop(clients, seconds).summary())
        for what, runs in figures.items():
            rate, p50, p95 = (statistics.median(values) for values in zip(*runs, strict=True))
            print(f"| {clients} | {what} | {rate:.1f} | {p50:.0f} | {p95:.0f} |", flush=True)


def overload(farm: Farm, seconds: float) -> None:
    before = resources(farm)
    ledger = load(farm, 64, seconds)
    rate, p50, p95 = ledger.summary()
    print(f"\n64 clients for {seconds:.0f} s: {dict(ledger.answers)}")
    print(
        f"{rate:.1f} right/s, p50 {p50:.0f} ms, p95 {p95:.0f} ms, slowest {ledger.slowest_s:.1f} s"
    )
    time.sleep(3)
    print(f"before: {before}\nafter:  {resources(farm)}", flush=True)


def chaos(farm: Farm) -> None:
    victims: dict[str, Callable[[], psutil.Process]] = {
        "Chromium": lambda: farm.chromiums()[0],
        "driver": lambda: farm.drivers()[0],
        "worker": lambda: farm.workers()[0],
    }
    print("\n| killed under 64 clients | answers | slowest s | longest s without a right answer |")
    print("|---|---|---|---|")
    for name, find in victims.items():
        killed = [0.0]

        def kill(_: Ledger, find=find, killed=killed) -> None:
            time.sleep(5)
            victim = find()
            killed[0] = time.monotonic()
            victim.kill()

        ledger = load(farm, 64, 15, kill)
        moments = [at for at, _ in ledger.right if at >= killed[0] - 1]
        outage = max(later - sooner for sooner, later in itertools.pairwise(moments))
        print(
            f"| {name} | {dict(ledger.answers)} | {ledger.slowest_s:.1f} | {outage:.2f} |",
            flush=True,
        )
    print(f"at the end: {resources(farm)}")


@click.command()
@click.option("--seconds", default=10.0, help="Length of each round.")
@click.option("--rounds", default=3, help="Rounds, the two interleaved; medians are shown.")
@click.option("--overload", "overload_s", default=0.0, help="Seconds of 64 clients in a loop.")
@click.option("--chaos", "with_chaos", is_flag=True, help="Kill Chromium, driver and worker.")
@click.option("--workers", default=1, help="Worker processes of the farm.")
def main(seconds: float, rounds: int, overload_s: float, with_chaos: bool, workers: int) -> None:
    """Measure a farm that is started for it."""
    with tempfile.TemporaryDirectory() as folder:
        with running_farm(Path(folder) / "log", workers=workers) as farm:
            load(farm, 4, 3)
            if rounds:
                compare(farm, seconds, rounds)
            if overload_s:
                overload(farm, overload_s)
            if with_chaos:
                chaos(farm)


if __name__ == "__main__":
    main()
