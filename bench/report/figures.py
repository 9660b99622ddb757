"""What was measured, as it is kept in `results.json`."""

import platform
import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

import farm
from bench.contenders.contender import Run
from farm.render.browser.chromium import find_chromium
from farm.settings import Settings


@dataclass
class Figure:
    """One contender, one work, so many clients: the median of the rounds.

    `latencies_ms` are those of all rounds, sorted.
    """

    contender: str
    work: str
    clients: int
    rate: float
    p50_ms: float
    p95_ms: float
    cpu_ms: float
    peak_mib: float
    bytes: float = 0.0
    wrong: list[str] = field(default_factory=list)
    latencies_ms: list[float] = field(default_factory=list, repr=False)


def figure(runs: list[Run]) -> Figure:
    """Of rounds of the same."""
    first = runs[0]

    def median(values: list[float]) -> float:
        return round(statistics.median(values), 2)

    return Figure(
        contender=first.contender,
        work=first.work,
        clients=first.clients,
        rate=median([run.answers.rate for run in runs]),
        p50_ms=median([run.answers.p50 for run in runs]),
        p95_ms=median([run.answers.p95 for run in runs]),
        cpu_ms=median([run.cpu_ms for run in runs]),
        peak_mib=max(run.peak_mib for run in runs),
        wrong=[problem for run in runs for problem in run.answers.problems],
        latencies_ms=sorted(round(ms, 1) for run in runs for ms in run.answers.right),
    )


class Figures:
    """All of a bench, in the order in which they were measured."""

    def __init__(self) -> None:
        self.all: list[Figure] = []

    def add(self, runs: list[Run]) -> None:
        self.all.append(figure(runs))

    def find(self, contender: str, work: str, clients: int) -> Figure | None:
        wanted = (contender, work, clients)
        for each in self.all:
            if (each.contender, each.work, each.clients) == wanted:
                return each
        return None

    def of(self, contender: str, work: str) -> list[Figure]:
        """By the number of clients."""
        found = [f for f in self.all if (f.contender, f.work) == (contender, work)]
        return sorted(found, key=lambda figure: figure.clients)

    def contenders(self, work: str) -> list[str]:
        return list(dict.fromkeys(f.contender for f in self.all if f.work == work))


def machine() -> dict[str, Any]:
    """What it was measured on."""
    cpu = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    chromium = find_chromium(Settings())
    return {
        "farm": farm.__version__,
        "cpu": cpu,
        "cores": len(psutil.Process().cpu_affinity() or ()),
        "memoryGib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "chromium": chromium.path,
    }
