"""What a browser's processes hold in memory, read for less than a hundredth of a core.

PSS counts a page that n processes share as 1/n in each (proc_pid_smaps(5)), so a tree's sum is what
the tree holds. Reading it takes the kernel milliseconds a process; RSS is free, and never less. So
PSS is read only where RSS is over the limit, or now and then for the metrics, and after it there is
a pause a hundred times as long.
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
#: How often PSS is read of a tree that is within its limit.
_REPORT_S = 15.0
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Excess:
    """A tree over its limit, in bytes, and the page's process in it that holds the most."""

    tree_bytes: int
    largest: psutil.Process | None
    largest_bytes: int


class MemoryWatch:
    """Looks at one tree after another, as often as it may; for one thread."""

    def __init__(self, limit_bytes: int) -> None:
        #: What the tree held when it was last measured.
        self.held_bytes = 0
        self._limit = limit_bytes
        self._next = 0.0
        self._report_due = 0.0

    def look(self, root: psutil.Process) -> Excess | None:
        """None if the tree is within the limit, or it is too soon to look again."""
        started = time.monotonic()
        if started < self._next:
            return None
        try:
            return self._measure(root)
        finally:
            ended = time.monotonic()
            self._next = ended + (ended - started) / _MAX_SHARE

    def _measure(self, root: psutil.Process) -> Excess | None:
        processes = [root]
        with suppress(psutil.Error):
            processes += root.children(recursive=True)
        resident = sum(resident_bytes(process.pid) for process in processes)
        if resident <= self._limit and time.monotonic() < self._report_due:
            return None
        self._report_due = time.monotonic() + _REPORT_S
        held = {process: proportional_bytes(process.pid) for process in processes}
        self.held_bytes = sum(held.values())
        if self.held_bytes <= self._limit:
            return None
        pages = [process for process in processes if has_argument(process, "--type=renderer")]
        largest = max(pages, key=lambda process: held[process], default=None)
        return Excess(self.held_bytes, largest, held[largest] if largest else 0)


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
