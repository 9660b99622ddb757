"""What a tree of processes holds and uses: memory, open files, processes, zombies, CPU."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psutil

from tests.support.farm_process import is_browser, runs


@dataclass(frozen=True)
class Reading:
    """One look at a tree.

    `memory_mib` is PSS: what n processes share counts as 1/n in each. `zombies` had been dead
    at the look before this one too; every process is a zombie for a moment. `browsers` are the
    main processes of Chromium. `cpu_s` is what it has used since it began, the dead included.
    """

    memory_mib: float
    files: int
    processes: int
    zombies: int
    browsers: int
    cpu_s: float = 0.0


class Tree:
    """A process and all below it, also those that lose their parent later; for one thread."""

    def __init__(self, root: psutil.Process) -> None:
        self._root = root
        self._known: set[psutil.Process] = {root}
        self._dead: set[psutil.Process] = set()

    def read(self) -> Reading:
        """Look at it; a process that ends meanwhile counts as far as it was read."""
        with suppress(psutil.Error):
            self._known.update(self._root.children(recursive=True))
        self._known = {process for process in self._known if process.is_running()}
        total: Counter[str] = Counter()
        pss_bytes = 0
        cpu_s = 0.0
        dead = set()
        for process in self._known:
            with suppress(psutil.Error):
                if process.status() == psutil.STATUS_ZOMBIE:
                    if process.ppid() != 1:  # else they are the machine's to reap
                        dead.add(process)
                    continue
                total["processes"] += 1
                total["browsers"] += is_browser(process)
                total["files"] += process.num_fds()
                # A child's time is its parent's once it has been reaped.
                cpu_s += sum(process.cpu_times()[:4])
                pss_bytes += process.memory_full_info().pss
        zombies, self._dead = len(dead & self._dead), dead
        return Reading(
            memory_mib=round(pss_bytes / 2**20, 1),
            files=total["files"],
            processes=total["processes"],
            zombies=zombies,
            browsers=total["browsers"],
            cpu_s=round(cpu_s, 2),
        )

    def survivors(self, timeout_s: float) -> list[psutil.Process]:
        """Those of it that still run after so long."""
        end = time.monotonic() + timeout_s
        # `psutil.wait_procs` fails where a process's number belongs to a thread by now.
        while (running := [each for each in self._known if runs(each)]) and time.monotonic() < end:
            time.sleep(0.05)
        return running


#: Moments by `time.monotonic()`, and what was seen then.
Samples = list[tuple[float, Reading]]


@contextmanager
def sampling(root: psutil.Process, every_s: float = 1.0) -> Iterator[Samples]:
    """Look at a tree now, once in so many seconds, and at the end."""
    tree = Tree(root)
    samples: Samples = []
    over = threading.Event()

    def sample() -> None:
        while True:
            samples.append((time.monotonic(), tree.read()))
            if over.wait(every_s):
                break
        samples.append((time.monotonic(), tree.read()))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        over.set()
        thread.join()
