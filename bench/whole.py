"""All measurements of the whole bench, one after the other: a farm, and what it is compared with.

`bench.__main__` calls `measure` in its only thread, and reports what the `Bench` has found.
"""

import asyncio
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.contenders.contender import (
    BARE_LOOP,
    BY_KEY,
    LIMIT,
    WARM_UP_S,
    Contender,
    Server,
    peers,
    server,
)
from bench.contenders.instances import nginx_program, running_farms, running_nginx
from bench.measures import cache, crowd, jobs, overload
from bench.measures.soak_run import Run as Soak
from bench.report.figures import Figures
from bench.report.goals import SCALED, Extra
from bench.workloads.pages import COMPLEX, LONG_URL, SIMPLE, SLOW_URL, Workload
from bench.workloads.site import running_site
from farm.settings import Settings
from tests.support.farm_process import Farm, log_lines, running_farm
from tests.support.site import SITES

#: What locust or the limit takes to be there and to go.
_AROUND_S = 2.2


@dataclass(frozen=True)
class Effort:
    """How much of everything. Rounds are of one length, side by side in turn."""

    rounds: int
    seconds: float
    at_once: tuple[int, ...]
    jobs: int
    overload_s: float
    #: 0: none, since a short soak says nothing.
    soak_renders: int
    scaled_s: float
    #: Pairs of renders that tell what a miss of the cache costs.
    misses: int


WHOLE = Effort(3, 6, (2, 4, 8, 16, 32, 50), 150, 60, 3000, 30, 200)
QUICK = Effort(1, 2, (50,), 30, 6, 0, 8, 30)


class Bench:
    def __init__(self, effort: Effort, progress: Callable[[str], None], site_url: str) -> None:
        self.figures = Figures()
        self.extra = Extra()
        self._effort = effort
        self._progress = progress
        self._site_url = site_url

    def side_by_side(
        self, contenders: list[Contender], work: Workload, levels: tuple[int, ...]
    ) -> None:
        """Rounds of all contenders in turn, for each number of clients."""
        effort = self._effort
        for clients in levels:
            runs: dict[str, list[Any]] = {each.name: [] for each in contenders}
            for number in range(effort.rounds):
                for each in contenders:
                    who = f"{each.name}, {work.name}, {clients} at once"
                    self._progress(f"{who} (round {number + 1} of {effort.rounds})")
                    runs[each.name].append(each.run(work, self._site_url, clients, effort.seconds))
            for found in runs.values():
                self.figures.add(found)

    def alone(self, farm: Contender, work: Workload, levels: tuple[int, ...]) -> None:
        """The farm by itself, once, where there is no figure yet."""
        for clients in levels:
            if self.figures.find(farm.name, work.name, clients) is None:
                self._progress(f"{farm.name}, {work.name}, {clients} at once")
                run = farm.run(work, self._site_url, clients, self._effort.seconds + 2)
                self.figures.add([run])

    def sizes(self, farm: Farm) -> None:
        """Bytes of one file of each work."""
        for work in (SIMPLE, COMPLEX, SLOW_URL):
            figure = self.figures.find("farm", work.name, 1)
            if figure is not None:
                body, accept = work.body(self._site_url), {"Accept": "image/png"}
                figure.bytes = len(farm.post(work.route, body, headers=accept).content)

    def jobs(self, farm: Farm) -> None:
        self._progress("jobs, and the same renders at once")
        rates = jobs.measure(farm, self._effort.jobs, self._effort.rounds)
        at_once, as_jobs = (statistics.median(rates[way]) for way in ("at once", "as jobs"))
        self.extra.jobs_ratio = as_jobs / at_once

    def cache(self, farm: Farm) -> None:
        self._progress("what is found again, and what it costs to look")
        self.extra.cache = cache.measure(farm, self._effort.seconds, self._effort.misses)

    def crowd(self, farm: Farm) -> None:
        self._progress("more and more clients at once")
        self.extra.crowd = crowd.measure(farm, self._effort.seconds)

    def overload(self, farm: Farm) -> None:
        self._progress("eight times as much as fits")
        seconds = self._effort.overload_s
        self.extra.overload = asyncio.run(overload.measure(farm, seconds, min(15, seconds), 8))

    def scaled(self) -> None:
        """One instance and three behind nginx, whose pages mostly wait."""
        self._progress("three instances behind nginx")
        if nginx_program() is None:
            print(
                "\nP9 is not measured: it needs nginx (on Debian, package nginx).", file=sys.stderr
            )
            return
        with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
            folder = Path(name)
            folder.chmod(0o755)  # Chromium may run as another user
            given = {"pages_per_browser": 4, "egress_allow": SITES}
            farms = stack.enter_context(running_farms(3, folder, **given))
            sides = (farms[:1], farms)
            for (contender, clients), side in zip(SCALED, sides, strict=True):
                front = stack.enter_context(running_nginx(side))
                self._progress(f"{contender} behind nginx, {clients} at once")
                # All that runs here: instances that are not asked cost next to nothing.
                each = Server(contender, front, psutil.Process())
                runs = [each.run(LONG_URL, self._site_url, clients, self._effort.scaled_s)]
                self.figures.add(runs)

    def soak(self, folder: Path) -> None:
        self._progress(f"{self._effort.soak_renders:,} renders of a mix, watched")
        path = folder / "soak.json"
        # A process of its own: it changes where temporary files lie.
        count = str(self._effort.soak_renders)
        command = [
            sys.executable,
            "-m",
            "bench.measures.soak",
            "--renders",
            count,
            "--json",
            str(path),
        ]
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.extra.soak = Soak.load(path)


def expected_s(effort: Effort, contenders: int) -> float:
    """Seconds that the whole will take, about."""
    one = effort.seconds + WARM_UP_S + _AROUND_S
    # Four levels of simple HTML, complex, URL; the first also with isolation by key.
    steps = effort.rounds * (contenders * 6 + 4)
    steps += 2 * len(effort.at_once)
    others = effort.overload_s * 1.5 + effort.soak_renders / 13 + 2 * effort.scaled_s
    others += (6 + 15) * (effort.seconds + 2) + effort.misses * 2 / 12
    return steps * one + others + effort.jobs * effort.rounds * 2 / 18 + 45


@contextmanager
def fresh_farm(**settings: object) -> Iterator[Farm]:
    """A farm with its defaults but for these, which may reach the site."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # Chromium may run as another user
        count = Settings().worker_count
        with running_farm(folder / "log", count, egress_allow=SITES, **settings) as farm:
            yield farm


def measure(
    effort: Effort, with_peers: bool, progress: Callable[[str], None], folder: Path
) -> tuple[Bench, str]:
    """All of it, into `folder`; returns the version of the browser too."""
    with ExitStack() as stack:
        bench = Bench(effort, progress, stack.enter_context(running_site()))
        progress("starting the farm")
        with fresh_farm() as farm, ExitStack() as beside:
            us = server(farm)
            others = beside.enter_context(peers(progress)) if with_peers else []
            version = log_lines(farm.log_path, "browser up")[0]["version"]
            # A farm that is asked for nothing costs next to nothing.
            by_key = server(beside.enter_context(fresh_farm(isolation="key")), BY_KEY)
            for each in (us, by_key):
                each.run(SIMPLE, "", 4, 3)  # warm
            bench.side_by_side([us, by_key, LIMIT, BARE_LOOP, *others], SIMPLE, (1, 4, 8, 16))
            bench.side_by_side([us, LIMIT, BARE_LOOP, *others], COMPLEX, (4,))
            bench.side_by_side([us, LIMIT, BARE_LOOP, *others], SLOW_URL, (32,))
            beside.close()
            for work in (SIMPLE, SLOW_URL):
                bench.alone(us, work, (1, *effort.at_once))
            bench.alone(us, COMPLEX, (1, 16))
            bench.sizes(farm)
            bench.jobs(farm)
        with fresh_farm() as farm:
            bench.crowd(farm)
            bench.cache(farm)
        with fresh_farm() as farm:
            bench.overload(farm)
        bench.scaled()
        if effort.soak_renders:
            bench.soak(folder)
    return bench, f"Chromium {version}"
