"""What `farm plan` predicts, held against a farm: `python -m bench.measures.plan [--quick]`.

First it measures what a render of each kind takes on this machine. Then it sends five loads to
farms behind nginx: two mixes, each within and beyond what a farm can do, and a third to three
instances that share the machine's cores. The simulation has the same requests, and the kinds as
measured with all that runs beside the farm. A virtual machine's speed may change within minutes, so
the processor time is measured again right before and after each load, and the mean is taken.

Prints both in Markdown; fails if a prediction misses its goal. `--kinds` only prints the kinds,
whose figures are those of `farm/plan/kinds.py`. It wants a machine where nothing else runs; it
takes 13 minutes, with `--quick` four.
"""

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import click
import psutil

from bench.measures.plan_measuring import (
    WORKS,
    Calibrated,
    Loop,
    Sender,
    calibrate,
    deployed,
    play,
)
from bench.report.figures import machine
from bench.workloads.site import running_site
from farm.machine import usable_cores
from farm.plan.fleet import Balanced
from farm.plan.kinds import Mix
from farm.plan.machine import MachineType
from farm.plan.simulation import Load, Outcome, Simulation

SEED = 1
#: How far a prediction may be off: of the rate and of p95, relatively; of refusals, absolutely.
RATE_GOAL, P95_GOAL, REFUSED_GOAL = 0.10, 0.20, 0.05


@dataclass(frozen=True)
class Case:
    """`factor`: the load by what the cores, or the pages, can do."""

    name: str
    mix: dict[str, float]
    factor: float
    instances: int = 1
    pages: int = 32
    max_waiting: int = 32
    retries: int = 0

    @property
    def settings(self) -> dict[str, int]:
        return {"pages_per_browser": self.pages, "max_waiting": self.max_waiting}

    def type_(self, cores: float) -> MachineType:
        return MachineType(cores, self.pages, self.max_waiting, workers=1)


_HTML = {"simple": 75.0, "complex": 25.0}
_URLS = {"simple": 50.0, "complex": 10.0, "url": 40.0}
CASES = (
    Case("HTML, within", _HTML, 0.6),
    Case("HTML, beyond", _HTML, 1.6),
    Case("HTML and URLs, within", _URLS, 0.6),
    Case("HTML and URLs, beyond, refused clients try once more", _URLS, 1.6, retries=1),
    Case(
        "three instances of four pages, slow URLs, beyond",
        {"simple": 30.0, "long": 70.0},
        1.4,
        instances=3,
        pages=4,
        max_waiting=4,
    ),
)


@dataclass(frozen=True)
class Lengths:
    """How much is measured.

    Of each kind: `alone` renders one at a time, `loop_s` in loops, and `again_s` in a loop before
    and after each load that has it. Of each load: `warm_up_s`, which do not count, and `load_s`.
    """

    alone: int
    loop_s: float
    again_s: float
    warm_up_s: float
    load_s: float


FULL, QUICK = Lengths(25, 12, 6, 10, 60), Lengths(4, 4, 2, 3, 10)


@dataclass(frozen=True)
class Comparison:
    case: Case
    rate: float
    predicted: Outcome
    measured: Outcome

    @property
    def rate_error(self) -> float:
        return self.predicted.rate / self.measured.rate - 1

    @property
    def p95_error(self) -> float:
        return self.predicted.p95_s / self.measured.p95_s - 1

    @property
    def refused_error(self) -> float:
        return self.predicted.refused_share - self.measured.refused_share

    @property
    def is_met(self) -> bool:
        return (
            abs(self.rate_error) <= RATE_GOAL
            and abs(self.p95_error) <= P95_GOAL
            and abs(self.refused_error) <= REFUSED_GOAL
        )


def capacity(case: Case, mix: Mix, type_: MachineType) -> float:
    """Renders a second that keep all cores, or all pages, at work."""
    busy_s = mix.mean("work_ms") / 1000
    pages = min(case.pages, type_.at_once) * case.instances
    return min(type_.cores / busy_s, pages / (busy_s + mix.mean("waiting_ms") / 1000))


def compare(
    case: Case, found: dict[str, Calibrated], site_url: str, folder: Path, lengths: Lengths
) -> Comparison:
    type_ = case.type_(usable_cores())
    with deployed(folder, case.instances, **case.settings) as url:
        sender = Sender(url, site_url)
        loops = {kind: Loop(sender, kind) for kind in case.mix}

        def mix_now() -> Mix:
            for loop in loops.values():
                asyncio.run(loop.run([], lengths.again_s))
            shares = case.mix.items()
            return Mix(
                {found[kind].all.taking(loops[kind].all_ms): share for kind, share in shares}
            )

        mix = mix_now()
        rate = case.factor * capacity(case, mix, type_)
        load = Load(rate, lengths.load_s, mix, retries=case.retries, warm_up_s=lengths.warm_up_s)
        measured = asyncio.run(play(sender, load, SEED))
        load = replace(load, mix=mix_now())
    simulation = Simulation(
        lambda clock, random_: Balanced(clock, type_, case.instances, random_, share_cores=True),
        load,
        SEED,
    )
    return Comparison(case, rate, simulation.run(), measured)


def measure_kinds(site_url: str, folder: Path, lengths: Lengths) -> dict[str, Calibrated]:
    """On one instance without spare contexts: under load, a farm makes none either."""
    found = {}
    with deployed(folder, 1, spare_contexts=0) as url:
        # `farm serve` is gunicorn's master where it starts no Redis.
        own = psutil.Process().children()
        farms = [process for process in own if process.cmdline()[1:3] == ["-m", "gunicorn"]]
        sender = Sender(url, site_url)
        for kind in WORKS:
            print(f"measuring {kind}", file=sys.stderr)
            found[kind] = asyncio.run(calibrate(sender, kind, farms, lengths.alone, lengths.loop_s))
    return found


def kinds_table(found: dict[str, Calibrated]) -> Iterator[str]:
    yield "| kind | core ms to its answer | after it | ms of waiting | KB | with all beside it |"
    yield "|---|---|---|---|---|---|"
    for name, each in found.items():
        farm = each.farm
        yield (
            f"| {name} | {farm.cpu_ms:.0f} | {farm.closing_ms:.0f} | {farm.waiting_ms:.0f} "
            f"| {farm.file_bytes / 1000:.0f} | {each.all.work_ms / farm.work_ms:.2f} |"
        )


HEAD = """
Predicted / measured:

| load | offered, a second | renders a second | p95, s | refused | |
|---|---|---|---|---|---|"""


def row(each: Comparison) -> str:
    predicted, measured = each.predicted, each.measured
    failed = f"; {measured.failed} failed" if measured.failed else ""
    return (
        f"| {each.case.name} | {each.rate:.1f} "
        f"| {predicted.rate:.1f} / {measured.rate:.1f} ({each.rate_error:+.0%}) "
        f"| {predicted.p95_s:.2f} / {measured.p95_s:.2f} ({each.p95_error:+.0%}) "
        f"| {predicted.refused_share:.1%} / {measured.refused_share:.1%} "
        f"({100 * each.refused_error:+.1f}{failed}) | {'met' if each.is_met else '**missed**'} |"
    )


@click.command()
@click.option("--quick", is_flag=True, help="Shorter, and so less exact.")
@click.option("--kinds", "only_kinds", is_flag=True, help="Measure the kinds of pages only.")
def main(quick: bool, only_kinds: bool) -> None:
    lengths, is_met = QUICK if quick else FULL, True
    about = machine()
    with tempfile.TemporaryDirectory() as name, running_site() as site_url:
        folder = Path(name)
        folder.chmod(0o755)  # Chromium may run as another user
        print(f"{about['cores']} cores ({about['cpu']}), {about['system']}\n", flush=True)
        found = measure_kinds(site_url, folder / "kinds", lengths)
        print("\n".join(kinds_table(found)), flush=True)
        if only_kinds:
            return
        print(HEAD, flush=True)
        for number, case in enumerate(CASES):
            compared = compare(case, found, site_url, folder / str(number), lengths)
            is_met = is_met and compared.is_met
            print(row(compared), flush=True)
    sys.exit(0 if is_met else 1)


if __name__ == "__main__":
    main()
