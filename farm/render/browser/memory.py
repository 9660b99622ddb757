"""What a browser's processes hold in memory, read for less than a hundredth of a core.

PSS counts a page that n processes share as 1/n in each (proc_pid_smaps(5)), so a tree's sum is what
the tree holds. Reading it takes the kernel milliseconds a process; RSS is free, and never less. So
PSS is read only where RSS is over the limit, or now and then for the metrics, and after it there is
a pause a hundred times as long. The pause ends where the RSS of the processes that are known has
grown far beyond the limit.
"""

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from farm.processes import has_argument

#: Of a core.
_MAX_SHARE = 0.01
#: Of the limit: beyond it the tree does not wait to be replaced.
_FAR_BEYOND = 1.5
#: By how much the RSS must have grown since the last look for there to be news.
_GROWTH = 1.1
#: How often PSS is read of a tree that is within its limit.
_REPORT_S = 15.0
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Excess:
    """A tree over its limit, in bytes, and the page's process in it that holds the most."""

    tree_bytes: int
    largest: psutil.Process | None
    largest_bytes: int
    #: What the GPU process holds.
    gpu_bytes: int
    #: It is so far beyond its limit that something must end now.
    is_far_beyond: bool


class MemoryWatch:
    """Looks at one tree after another, as often as it may; for one thread."""

    def __init__(self, limit_bytes: int) -> None:
        #: What the tree held when it was last measured.
        self.held_bytes = 0
        self._limit = limit_bytes
        self._next = 0.0
        #: Of the last look: the processes, and the bytes that were resident.
        self._pids: list[int] = []
        self._resident = 0
        self._report_due = 0.0

    def look(self, root: psutil.Process) -> Excess | None:
        """None if the tree is within the limit, or it is too soon to look again."""
        started = time.monotonic()
        if started < self._next and not self._has_leapt():
            return None
        try:
            excess = self._measure(root)
        finally:
            ended = time.monotonic()
            self._next = ended + (ended - started) / _MAX_SHARE
        if excess is not None and excess.is_far_beyond:
            self._next = ended  # a process is ended for it, and another takes its place
        return excess

    def _has_leapt(self) -> bool:
        resident = sum(map(resident_bytes, self._pids))
        return resident > max(_FAR_BEYOND * self._limit, _GROWTH * self._resident)

    def _measure(self, root: psutil.Process) -> Excess | None:
        processes = [root]
        with suppress(psutil.Error):
            processes += root.children(recursive=True)
        self._pids = [process.pid for process in processes]
        resident = self._resident = sum(map(resident_bytes, self._pids))
        if resident <= self._limit and time.monotonic() < self._report_due:
            return None
        self._report_due = time.monotonic() + _REPORT_S
        held = {process: proportional_bytes(process.pid) for process in processes}
        self.held_bytes = sum(held.values())
        if self.held_bytes <= self._limit:
            return None
        pages = [process for process in processes if has_argument(process, "--type=renderer")]
        largest = max(pages, key=lambda process: held[process], default=None)
        gpu = [process for process in processes if has_argument(process, "--type=gpu-process")]
        return Excess(
            self.held_bytes,
            largest,
            held[largest] if largest else 0,
            gpu_bytes=sum(held[process] for process in gpu),
            is_far_beyond=self.held_bytes > _FAR_BEYOND * self._limit,
        )


def resident_bytes(pid: int) -> int:
    """RSS of a process; 0 for one that is gone."""
    return _statm(pid)[1] * _PAGE_BYTES


def proportional_bytes(pid: int) -> int:
    """PSS of a process; where it may not be read, what it shares with nobody; 0 if it is gone.

    A sandboxed process shows its own to root only.
    """
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    _, resident, shared = _statm(pid)
    return (resident - shared) * _PAGE_BYTES


def _statm(pid: int) -> tuple[int, int, int]:
    """Pages: all, resident, and of these shared (proc_pid_statm(5))."""
    try:
        size, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text().split()
    except (OSError, ValueError):
        return 0, 0, 0
    return int(size), int(resident), int(shared)
