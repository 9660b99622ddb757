"""Whether a farm grows: `python -m bench.measures.soak [--renders 10000] [--plot docs/soak.svg]`.

Eight clients have a farm with its defaults render a mix of pages: HTML to PNG and WebP, large
pages, PDFs, pages of a site, and some that must fail. Every answer is looked at. Once a second the
whole tree of processes is, too. For each thousand renders the peaks are printed in Markdown;
from the third thousand on each must be within 5 % of the second's, since the first warms up.

Fails if one is not, if an answer is wrong, if a zombie stays for a second, and if the farm, told to
stop, leaves a process, a browser's profile or anything else in its folder for temporary files.
"""

import itertools
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import click
import psutil
import requests

from bench.contenders.tree import Tree
from bench.measures.soak_run import MEASURES, TOLERANCE, Run, Sample, change
from bench.report.soak_plot import plot
from bench.workloads.mix import Work, work
from farm.settings import Settings
from tests.support.farm_process import Farm, running_farm
from tests.support.site import SITES, running_site

CLIENTS = 8
SAMPLE_EVERY_S = 1.0
#: Lines of the farm's log that are printed with wrong answers.
_MAX_WARNINGS = 30


class Clients:
    """Threads that send the mix, each request when the one before was answered."""

    def __init__(self, farm: Farm, site_url: str, run: Run) -> None:
        self._farm = farm
        self._site_url = site_url
        self._run = run
        self._numbers = iter(range(run.renders))
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._client) for _ in range(CLIENTS)]
        self.answered = 0

    def run(self) -> None:
        for thread in self._threads:
            thread.start()
        for thread in self._threads:
            thread.join()

    def _client(self) -> None:
        with requests.Session() as session:
            while True:
                with self._lock:
                    number = next(self._numbers, None)
                if number is None:
                    return
                item = work(number, self._site_url)
                problem = self._ask(session, item)
                with self._lock:
                    self.answered += 1
                    self._run.answers[item.name] += 1
                    if problem:
                        self._run.wrong.append(f"render {number:,} ({item.name}): {problem}")
                    if self.answered % self._run.block == 0:
                        print(f"{self.answered:,} renders", file=sys.stderr, flush=True)

    def _ask(self, session: requests.Session, item: Work) -> str:
        """What is wrong with the answer; empty if nothing is."""
        try:
            response = session.post(
                self._farm.url + item.path,
                json=item.body,
                headers={"Accept": item.accept},
                timeout=120,
            )
            return item.problem(response)
        except Exception as exc:  # whatever it is, it is no right answer
            return f"{type(exc).__name__}: {exc}"


@contextmanager
def sampling(farm: Farm, clients: Clients, run: Run) -> Iterator[Tree]:
    """Look at the farm's processes once a second meanwhile."""
    tree = Tree(psutil.Process(farm.process.pid))
    over = threading.Event()
    started = time.monotonic()

    def sample() -> None:
        for count in itertools.count(1):
            renders, seconds = clients.answered, round(time.monotonic() - started, 2)
            run.samples.append(Sample(renders, seconds, tree.read()))
            if over.wait(max(0.0, started + count * SAMPLE_EVERY_S - time.monotonic())):
                return

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield tree
    finally:
        over.set()
        thread.join()
        run.seconds = time.monotonic() - started


def soak(renders: int, settings: dict[str, str]) -> Run:
    """A whole run, on a farm and a site that are started for it."""
    run = Run(renders)
    with tempfile.TemporaryDirectory() as name, running_site() as site:
        folder = Path(name)
        folder.chmod(0o755)  # Chromium may run as another user
        temporary = folder / "tmp"
        temporary.mkdir()
        temporary.chmod(0o1777)
        os.environ["TMPDIR"] = str(temporary)  # the farm's, so that what is left there is its own
        given = {"egress_allow": SITES, **settings}
        workers = int(given.pop("workers", Settings().worker_count))
        with running_farm(folder / "log", workers, **given) as farm:
            clients = Clients(farm, site.url, run)
            with sampling(farm, clients, run) as tree:
                clients.run()
            if status := farm.stop():
                run.left_over.append(f"the farm ended with status {status}")
            run.left_over += [f"process {p.pid} ({p.name()})" for p in tree.survivors(3)]
            if run.wrong:
                run.warnings = warnings(folder / "log")
            run.left_over += [f"{path.name} in TMPDIR" for path in temporary.iterdir()]
    return run


def warnings(log_path: Path) -> list[str]:
    """The farm's log without what it says of requests: what is more than information."""
    lines = log_path.read_text().splitlines()
    return [line for line in lines if '"level": "info"' not in line]


def report(run: Run) -> bool:
    """Print it; whether all is well."""
    print(f"\n{run.renders:,} renders in {run.seconds:.0f} s: {dict(run.answers)}\n")
    peaks = {measure: run.peaks(measure) for measure in MEASURES}
    print("| peak up to render | " + " | ".join(MEASURES.values()) + " | browsers |")
    print("|---" * (len(MEASURES) + 2) + "|")
    browsers = run.peaks("browsers")
    for place, count in enumerate(browsers):
        row = [f"{p[place]:,.0f} ({change(p, p[place])})" for p in peaks.values()]
        upto = min((place + 1) * run.block, run.renders)
        print(f"| {upto:,} | " + " | ".join(row) + f" | {count:.0f} |")
    strays, without = run.strays(), run.strays(with_handovers=False)
    print(f"\nZombies: {run.zombies}. Wrong answers: {len(run.wrong)} {run.wrong[:5]}")
    for line in run.warnings[:_MAX_WARNINGS]:
        print(f"The farm's log: {line}")
    print(f"Left over: {'; '.join(run.left_over) or 'nothing'}.")
    named = f"Not within {TOLERANCE:.0%} of the second row"
    print(f"{named}: {'; '.join(strays) or 'nothing'}.")
    if strays != without:
        print(f"{named}, while no browser was replaced: {'; '.join(without) or 'nothing'}.")
    return not (strays or run.zombies or run.wrong or run.left_over)


@click.command()
@click.option("--renders", default=10_000, show_default=True)
@click.option("--plot", "svg", type=click.Path(path_type=Path), help="An SVG to draw.")
@click.option("--json", "saved", type=click.Path(path_type=Path), help="A file for the samples.")
@click.option(
    "--from",
    "loaded",
    type=click.Path(exists=True, path_type=Path),
    help="Samples of an earlier run, to report and draw again.",
)
@click.option(
    "--set", "given", multiple=True, help="A setting of the farm's: recycle_after_renders=1000."
)
def main(
    renders: int, svg: Path | None, saved: Path | None, loaded: Path | None, given: tuple[str, ...]
) -> None:
    """Measure a farm that is started for it."""
    if svg and not find_spec("matplotlib"):
        raise click.ClickException("--plot needs matplotlib: .venv/bin/pip install -e '.[bench]'")
    settings = dict(setting.split("=", 1) for setting in given)
    run = Run.load(loaded) if loaded else soak(renders, settings)
    if saved:
        run.save(saved)
    if svg:
        plot(run, svg)
    sys.exit(0 if report(run) else 1)


if __name__ == "__main__":
    main()
