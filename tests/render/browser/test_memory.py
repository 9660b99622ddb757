"""What a tree of processes holds, and how often it is read."""

import itertools
import math
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from farm.render.browser.memory import MemoryWatch, proportional_bytes, resident_bytes

_HOLD = "import sys; kept = b'x' * 100_000_000; print(flush=True); sys.stdin.read()"


@contextmanager
def holding_100_mb() -> Iterator[psutil.Process]:
    command = [sys.executable, "-c", _HOLD]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        yield psutil.Process(child.pid)
        child.kill()


def test_pss_is_at_most_rss() -> None:
    with holding_100_mb() as process:
        assert 100_000_000 <= proportional_bytes(process.pid) <= resident_bytes(process.pid)


def test_a_tree_within_its_limit_is_no_excess() -> None:
    with holding_100_mb() as process:
        assert MemoryWatch(1 << 30).look(process) is None


_HOLD_BELOW = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"


def test_a_tree_over_its_limit_is_reported_with_its_children() -> None:
    command = [sys.executable, "-c", _HOLD_BELOW, _HOLD]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        excess = MemoryWatch(100_000_000).look(psutil.Process(parent.pid))
        assert parent.stdin is not None
        parent.stdin.close()
        assert excess is not None
        assert excess.tree_bytes >= 100_000_000
        assert excess.largest is None, "none of them is a page's"


def test_a_jump_far_beyond_the_limit_is_reported_at_once() -> None:
    grow = "import sys; input(); kept = b'x' * 300_000_000; print(flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", grow]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        process, watch = psutil.Process(child.pid), MemoryWatch(100_000_000)
        assert watch.look(process) is None
        watch._next = math.inf  # the pause, however long
        assert watch.look(process) is None
        child.stdin.write(b"\n")
        child.stdin.flush()
        child.stdout.readline()
        excess = watch.look(process)
        child.stdin.close()
    assert excess is not None
    assert excess.is_far_beyond


def test_looking_takes_less_than_a_hundredth_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = itertools.count()  # each look at the clock takes a second
    monkeypatch.setattr("time.monotonic", lambda: float(next(ticks)))
    with holding_100_mb() as child:
        # Beyond its limit, but not far.
        watch = MemoryWatch(resident_bytes(child.pid) * 3 // 4)
        looks = [watch.look(child) is not None for _ in range(1000)]
    assert looks[0]
    assert 1 < sum(looks) <= 10


def test_a_process_that_is_gone_holds_nothing() -> None:
    with holding_100_mb() as process:
        pass
    assert (resident_bytes(process.pid), proportional_bytes(process.pid)) == (0, 0)
