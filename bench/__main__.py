"""The whole bench: `python -m bench [--quick] [--peers]`, or `make bench QUICK=1 PEERS=1`.

Starts a farm, a slow site, and what they are measured beside, and writes `report.md`, its pictures
and `results.json` into `bench/results/<date>/`. Nothing else should run on the machine meanwhile.
"""

import json
import sys
import time
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from bench.report import plots
from bench.report.figures import machine
from bench.report.goals import goals
from bench.report.report import report
from bench.report.soak_plot import plot as plot_soak
from bench.whole import QUICK, WHOLE, Bench, expected_s, measure

RESULTS = Path(__file__).with_name("results")


class Progress:
    """A line on stderr: what runs, and how long it has to go."""

    def __init__(self, total_s: float) -> None:
        self._total_s = total_s
        self._began = time.monotonic()

    def __call__(self, what: str) -> None:
        passed = time.monotonic() - self._began
        left = max(0.0, self._total_s - passed) / 60
        line = f"[{passed // 60:2.0f}:{passed % 60:02.0f}, {left:4.1f} min to go] {what}"
        if sys.stderr.isatty():
            print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)


def write(bench: Bench, folder: Path, about: dict[str, Any]) -> None:
    reached = goals(bench.figures, bench.extra)
    pictures = plots.draw(bench.figures, folder)
    if bench.extra.soak is not None:
        plot_soak(bench.extra.soak, folder / "memory.svg")
        pictures.append(("memory.svg", "Memory over time"))
    (folder / "report.md").write_text(report(bench.figures, reached, bench.extra, pictures, about))
    results = {
        **about,
        "goals": [asdict(goal) | {"met": goal.met} for goal in reached],
        "figures": [asdict(figure) for figure in bench.figures.all],
    }
    text = json.dumps(results, separators=(",", ":"), ensure_ascii=False)
    (folder / "results.json").write_text(text.replace('{"contender"', '\n{"contender"') + "\n")
    (folder / "soak.json").unlink(missing_ok=True)


@click.command()
@click.option("--quick", is_flag=True, help="A look at everything in under three minutes.")
@click.option("--peers", "with_peers", is_flag=True, help="Beside other services; needs node, npm.")
def main(quick: bool, with_peers: bool) -> None:
    effort = QUICK if quick else WHOLE
    now = datetime.now().astimezone()
    folder = RESULTS / f"{now:%Y-%m-%d-%H%M}"
    folder.mkdir(parents=True, exist_ok=True)
    progress = Progress(expected_s(effort, 5 if with_peers else 3))
    bench, browser = measure(effort, with_peers, progress, folder)
    about = {
        "date": f"{now:%Y-%m-%d}",
        "command": "make bench" + " QUICK=1" * quick + " PEERS=1" * with_peers,
        "rounds": effort.rounds,
        "seconds": effort.seconds,
        "browser": browser,
        "machine": machine(),
    }
    write(bench, folder, about)
    progress(f"done: {folder / 'report.md'}\n")


if __name__ == "__main__":
    main()
