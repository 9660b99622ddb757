"""Measures the memory of a browser's processes, for less than a hundredth of a core.

The keeper's thread uses it. PSS counts a memory page that n processes share as 1/n in each
(proc_pid_smaps(5)), so the sum over a process tree is what the tree holds. Reading PSS takes the
kernel milliseconds for each process. Reading RSS costs nothing, and RSS is never less than PSS. So
PSS is read only if RSS is over the limit, or now and then for the metrics. A pause a hundred times
as long as the reading follows. The pause ends early if the RSS of the known processes grows far
beyond the limit.
"""

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from farm.processes import has_argument

#: The share of a core that measuring may take.
_MAX_SHARE = 0.01
#: If a tree holds so many times its limit, a process is killed at once: replacing the browser would
#: take too long.
_FAR_BEYOND = 1.5
#: The RSS must have grown by this factor since the last look to end the pause.
_GROWTH = 1.1
#: How often the PSS of a tree within its limit is read.
_REPORT_S = 15.0
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Excess:
    """A process tree over its limit, in bytes, and its renderer process that holds the most."""

    tree_bytes: int
    largest: psutil.Process | None
    largest_bytes: int
    #: What the GPU process holds.
    gpu_bytes: int
    #: The tree is so far beyond its limit that a process must be killed now.
    is_far_beyond: bool


class MemoryWatch:
    """Looks at one process tree after another, as often as the cost allows. For one thread."""

    def __init__(self, limit_bytes: int) -> None:
        #: What the tree held at the last measurement.
        self.held_bytes = 0
        self._limit = limit_bytes
        self._next = 0.0
        #: Of the last look: the process ids and the resident bytes.
        self._pids: list[int] = []
        self._resident = 0
        self._report_due = 0.0

    def look(self, root: psutil.Process) -> Excess | None:
        """None if the tree is within its limit, or if it is too soon to look again."""
        started = time.monotonic()
        if started < self._next and not self._has_jumped():
            return None
        try:
            excess = self._measure(root)
        finally:
            ended = time.monotonic()
            self._next = ended + (ended - started) / _MAX_SHARE
        if excess is not None and excess.is_far_beyond:
            self._next = ended  # a process is killed now, and another may take its place
        return excess

    def _has_jumped(self) -> bool:
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
    """The RSS of a process; 0 if it is gone."""
    return _statm(pid)[1] * _PAGE_BYTES


def proportional_bytes(pid: int) -> int:
    """The PSS of a process, or its unshared memory if PSS may not be read; 0 if it is gone.

    A sandboxed process shows its PSS to root only.
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
    """Memory pages: all, resident, and of the resident ones the shared (proc_pid_statm(5))."""
    try:
        size, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text().split()
    except (OSError, ValueError):
        return 0, 0, 0
    return int(size), int(resident), int(shared)
