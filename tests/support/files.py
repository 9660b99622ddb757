"""How many files this process may open."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def files_left(count: int) -> Iterator[None]:
    """Let this process open no more than `count` files; with 0, not even if it closes one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # The bound is on a descriptor's number, so the free ones below it are taken first.
    held = [os.dup(0)]
    highest = max(int(entry.name) for entry in os.scandir("/proc/self/fd"))
    while held[-1] < highest:
        held.append(os.dup(0))
    # Other threads may close a file meanwhile, but none of the standard streams.
    resource.setrlimit(resource.RLIMIT_NOFILE, (held[-1] + 1 + count if count else 3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for number in held:
            os.close(number)
