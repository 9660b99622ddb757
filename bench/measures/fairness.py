"""What a caller with a lot to do costs another one: `python -m bench.measures.fairness`.

One farm, one gunicorn worker and one `farm worker` of concurrency 4, two API keys. Measured are

- jobs: how long bob's 10 jobs take from their submission to the last file, alone on half of the
  cores, and on all of them while anna has 1,000 jobs in the queue;
- renders at once: how long bob's 20 renders take, one after the other, alone on half of the cores,
  and on all of them while anna has 50 clients that ask without a pause.

The goal is twice the time alone on half of the machine. Bob is measured alone before and after, so
that what else the machine does shows. How many of Anna's are done meanwhile does not depend on
that: with turns, it is about as many as Bob's. Prints a table in Markdown.
"""

import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import click
import psutil
import requests

from bench.workloads.pages import SIMPLE
from tests.support.farm_process import Farm, running_farm, wait_until

_KEYS = {name: f"{name}s-key-0123456789abcdef" for name in ("anna", "bob")}
_GOAL = 2.0


class Caller:
    """Requests with a key; one connection for each thread."""

    def __init__(self, farm: Farm, name: str) -> None:
        self._url = farm.url
        self._headers = {"X-Api-Key": _KEYS[name]}
        self._local = threading.local()

    def ask(self, method: str, path: str, body: object = None) -> requests.Response:
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
        session: requests.Session = self._local.session
        return session.request(
            method, self._url + path, json=body, headers=self._headers, timeout=600
        )

    def submit(self, count: int) -> list[str]:
        with ThreadPoolExecutor(8) as pool:
            answers = pool.map(
                lambda _: self.ask("POST", "/render-async", SIMPLE.body("")), range(count)
            )
            return [answer.json()["jobId"] for answer in answers]

    def do_jobs(self, count: int) -> float:
        """Seconds from the first submission until the last of the jobs has its file."""
        began = time.monotonic()
        for job_id in self.submit(count):
            url = f"/render-async/{job_id}?wait=30"
            while self.ask("GET", url).json()["status"] != "completed":
                pass
        return time.monotonic() - began

    def render(self, count: int) -> float:
        """Seconds for so many renders, one after the other."""
        began = time.monotonic()
        for _ in range(count):
            while (answer := self.ask("POST", "/render", SIMPLE.body(""))).status_code == 503:
                print(f"refused: {answer.json()['code']}", file=sys.stderr)
                time.sleep(int(answer.headers["Retry-After"]))
            answer.raise_for_status()
        return time.monotonic() - began

    def cancel(self, job_ids: list[str]) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda job_id: self.ask("DELETE", f"/render-async/{job_id}"), job_ids))


@contextmanager
def half_the_machine(farm: Farm) -> Iterator[None]:
    """The farm has half of the cores."""
    cores = sorted(os.sched_getaffinity(0))
    _pin(farm, cores[: max(1, len(cores) // 2)])
    try:
        yield
    finally:
        _pin(farm, cores)


def _pin(farm: Farm, cores: list[int]) -> None:
    for process in farm.tree():
        with suppress(psutil.Error):
            for thread in process.threads():
                with suppress(ProcessLookupError):
                    os.sched_setaffinity(thread.id, cores)


@contextmanager
def many_jobs(farm: Farm, count: int) -> Iterator[None]:
    """Anna has so many jobs in the queue, less what is done of them meanwhile."""
    anna = Caller(farm, "anna")
    ids = anna.submit(count)
    try:
        yield
        left = sum(
            anna.ask("GET", f"/render-async/{job_id}").json()["status"] == "pending"
            for job_id in ids[-20:]
        )
        assert left == 20, "anna's jobs were done too soon for this to say anything"
    finally:
        anna.cancel(ids)


@contextmanager
def many_clients(farm: Farm, count: int) -> Iterator[None]:
    """Anna has so many clients that ask again as soon as they are answered."""
    anna = Caller(farm, "anna")
    stopping = threading.Event()

    def ask() -> None:
        while not stopping.is_set():
            if anna.ask("POST", "/render", SIMPLE.body("")).status_code == 503:
                stopping.wait(0.2)

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        status = Caller(farm, "bob")
        wait_until(lambda: status.ask("GET", "/status").json()["use"]["waiting"] > 0)
        yield
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


@dataclass
class Result:
    """Seconds of each round alone before, beside Anna and alone afterwards; what Anna had done."""

    before: list[float] = field(default_factory=list)
    beside: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)
    annas: list[int] = field(default_factory=list)


def measure(farm: Farm, rounds: int, jobs: int, clients: int) -> dict[str, Result]:
    """Of jobs and of renders at once."""
    bob = Caller(farm, "bob")
    bob.do_jobs(10), bob.render(10)
    results = {}
    ways: dict[str, tuple[Callable[[], float], Callable[[], AbstractContextManager[None]]]] = {
        "10 jobs": (lambda: bob.do_jobs(10), lambda: many_jobs(farm, jobs)),
        "20 renders": (lambda: bob.render(20), lambda: many_clients(farm, clients)),
    }
    for what, (do, beside) in ways.items():
        result = results[what] = Result()
        with half_the_machine(farm):
            result.before = [do() for _ in range(rounds)]
        with beside():
            for _ in range(rounds):
                had = _done(farm)
                result.beside.append(do())
                result.annas.append(_done(farm) - had)
        with half_the_machine(farm):
            result.after = [do() for _ in range(rounds)]
    return results


def _done(farm: Farm) -> int:
    """How many renders and jobs of Anna's the log tells of."""
    lines = farm.log_lines("render") + farm.log_lines("job")
    return sum(
        line.get("caller") == "anna" and line["outcome"] in ("ok", "completed") for line in lines
    )


@click.command()
@click.option("--rounds", default=5, show_default=True)
@click.option("--jobs", default=1000, show_default=True)
@click.option("--clients", default=50, show_default=True)
@click.option("--pages", default=16, show_default=True, help="FARM_PAGES_PER_BROWSER.")
def main(rounds: int, jobs: int, clients: int, pages: int) -> None:
    keys = ",".join(f"{name}:{key}" for name, key in _KEYS.items())
    settings = {
        "api_keys": keys,
        "job_concurrency": 4,
        "pages_per_browser": pages,
        "max_waiting": 64 - pages,
    }
    with (
        tempfile.TemporaryDirectory() as name,
        running_farm(Path(name) / "log", 1, **settings) as farm,
    ):
        results = measure(farm, rounds, jobs, clients)
    print(f"Seconds beside {jobs:,} jobs and {clients} clients of Anna's, medians of {rounds}:\n")
    print(
        "| Bob's | alone on half of the cores: before, after | beside Anna | times | goal "
        "| Anna's meanwhile |"
    )
    print("|---|---|---|---|---|---|")
    for what, each in results.items():
        times = statistics.median(each.beside) / statistics.median(each.before + each.after)
        met = "met" if times <= _GOAL else "missed"
        alone = f"{statistics.median(each.before):.2f}, {statistics.median(each.after):.2f}"
        beside, annas = statistics.median(each.beside), statistics.median(each.annas)
        print(f"| {what} | {alone} | {beside:.2f} | {times:.2f} | {met} | {annas:g} |")


if __name__ == "__main__":
    main()
