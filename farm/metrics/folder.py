"""The folder in which an instance's processes share their figures, a file of each process's own.

`prometheus_client` decides by `PROMETHEUS_MULTIPROC_DIR` when it is first imported, so this module,
which must come before it, does not import it. Without a folder a process has its figures to itself,
which is right for `farm worker` alone.

Source: https://prometheus.github.io/client_python/multiprocess/
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import psutil

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_PREFIX = "render-farm-metrics-"


def share() -> None:
    """Have this process and those it starts share a folder; one that is set already is kept.

    The process that made it removes it when it ends, or the program that took its place and calls
    this again: the last of the instance's processes to end, which has the others end before.
    """
    own = f"{_PREFIX}{os.getpid()}-"
    if VARIABLE not in os.environ:
        _sweep()
        os.environ[VARIABLE] = tempfile.mkdtemp(prefix=own)
    path = os.environ[VARIABLE]
    if Path(path).name.startswith(own):
        atexit.register(_remove, path, os.getpid())


def _sweep() -> None:
    """Remove what killed processes have left."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        pid = left.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(left, ignore_errors=True)


def _remove(path: str, owner: int) -> None:
    if os.getpid() == owner:  # and not a fork of it
        shutil.rmtree(path, ignore_errors=True)
