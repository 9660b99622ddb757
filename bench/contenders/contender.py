"""What is measured side by side: the farm, its peers, the limit and a bare Playwright loop.

Each is asked for the same work by so many clients in a loop, for so many seconds: servers by locust
in a process of its own, the others by `limit`. Their processes are looked at once a second
meanwhile, in the same way.
"""

import math
import signal
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench.contenders.servers import wait_for
from bench.contenders.tree import Samples, sampling
from bench.measures.answers import Answers
from bench.workloads.pages import Workload
from farm.render.browser.chromium import find_chromium
from farm.settings import Settings
from tests.support.farm_process import Farm, free_port

PEERS = Path(__file__).with_name("peers")
#: What comes before is not counted: clients begin, spares are used up, pages fill.
WARM_UP_S = 1.0


@dataclass
class Run:
    """One contender, one work, so many clients, once."""

    contender: str
    work: str
    clients: int
    answers: Answers
    samples: Samples = field(repr=False)

    @property
    def cpu_ms(self) -> float:
        """Milliseconds of CPU that its processes took for each right answer."""
        (first, before), (last, after) = self.samples[0], self.samples[-1]
        within = [each for each in self.answers.answers if first <= each.at <= last]
        right = sum(not each.problem for each in within)
        return (after.cpu_s - before.cpu_s) * 1000 / max(1, right)

    @property
    def peak_mib(self) -> float:
        return max(reading.memory_mib for _, reading in self.samples)


class Contender(ABC):
    name: str

    def run(self, work: Workload, site_url: str, clients: int, seconds: float) -> Run:
        """Raises `RuntimeError` if there is not one right answer."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "answers.json"
            command = self.command(work, site_url, clients, seconds + WARM_UP_S, path)
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            root = self.root or psutil.Process(process.pid)
            # The load has not begun yet: locust and the limit take a moment to be there.
            with sampling(root, min(1.0, seconds / 5)) as samples:
                printed, _ = process.communicate(timeout=seconds + 120)
            if not path.exists():
                raise RuntimeError(f"{self.name}: no answers. It printed:\n{printed}")
            answers = Answers.load(path)
        late = answers.began + WARM_UP_S
        within = [each for each in samples if late <= each[0] <= answers.ended] or samples[-2:]
        run = Run(self.name, work.name, clients, answers.since(late), within)
        if not run.answers.right:
            raise RuntimeError(f"{self.name}: nothing right: {run.answers.problems[:3] or printed}")
        return run

    @property
    @abstractmethod
    def root(self) -> psutil.Process | None:
        """Of its processes; None: what is run for each measurement."""

    @abstractmethod
    def command(
        self, work: Workload, site_url: str, clients: int, seconds: float, answers: Path
    ) -> list[str]:
        """Sends the load, and writes what came back."""


class Server(Contender):
    """Anything that speaks the farm's contract, as far as `/render` and `/render-url` go."""

    def __init__(self, name: str, url: str, root: psutil.Process) -> None:
        self.name = name
        self._url = url
        self._root = root

    @property
    def root(self) -> psutil.Process:
        return self._root

    def command(
        self, work: Workload, site_url: str, clients: int, seconds: float, answers: Path
    ) -> list[str]:
        return [
            *locust(self._url, "Work", clients, seconds, answers),
            *("--work", work.name, "--site", site_url),
        ]


def locust(url: str, users: str, clients: int, seconds: float, answers: Path) -> list[str]:
    """locust without its page: so many users of a class for so long."""
    file = str(Path(__file__).parents[1] / "locustfile.py")
    many = (
        "-u",
        str(clients),
        "-r",
        str(clients),
        "-t",
        f"{math.ceil(seconds)}s",
        "--stop-timeout",
        "0",
    )
    command = [sys.executable, "-m", "locust", "-f", file, "--headless", "-H", url, *many]
    return [*command, "--only-summary", "--answers", str(answers), users]


class Alone(Contender):
    """The limit, or the bare loop: a program that renders by itself."""

    def __init__(self, name: str, *options: str) -> None:
        self.name = name
        self._options = options

    @property
    def root(self) -> None:
        return None

    def command(
        self, work: Workload, site_url: str, clients: int, seconds: float, answers: Path
    ) -> list[str]:
        how = ("--work", work.name, "--clients", str(clients), "--seconds", str(seconds))
        command = [sys.executable, "-m", "bench.contenders.limit", *how, "--site", site_url]
        return [*command, "--answers", str(answers), *self._options]


#: The name of a farm whose contexts belong to callers.
BY_KEY = "farm, isolation by key"
LIMIT = Alone("limit")
BARE_LOOP = Alone("bare Playwright loop", "--playwright")


def server(farm: Farm, name: str = "farm") -> Server:
    return Server(name, farm.url, psutil.Process(farm.process.pid))


#: Program and pages at once. puppeteer-cluster is at its best with four for the CPU; the other is
#: given as many as the farm has.
_PEERS = {
    "puppeteer-cluster": ("puppeteer-cluster.js", "4"),
    "Express + Playwright": ("express-playwright.js", "16"),
}


@contextmanager
def peers(progress: Callable[[str], None]) -> Iterator[list[Server]]:
    """The peers while they are up; needs node and npm."""
    if not (PEERS / "node_modules").is_dir():
        progress("npm packages of the peers")
        npm = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(npm, cwd=PEERS, check=True, stdout=subprocess.DEVNULL)
    chromium = find_chromium(Settings()).path
    processes: list[subprocess.Popen[bytes]] = []
    try:
        servers = []
        for name, (program, pages) in _PEERS.items():
            port = free_port()
            process = subprocess.Popen(["node", PEERS / program, str(port), chromium, pages])
            processes.append(process)
            wait_for(f"http://127.0.0.1:{port}/health", process)
            servers.append(Server(name, f"http://127.0.0.1:{port}", psutil.Process(process.pid)))
        yield servers
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
            process.wait(20)
