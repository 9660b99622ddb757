"""The folder in which the processes of an instance share their figures; each has its own files.

gunicorn's main process calls `share` when it loads its configuration. `prometheus_client` reads
`PROMETHEUS_MULTIPROC_DIR` at its first import, so this module must run before that, and does not
import it. Without the folder, a process has figures of its own only, as `farm worker` does.

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
    """Make a folder for this process and its children, unless the environment names one already.

    The process that made the folder removes it at exit. If that process has become another program
    by `exec`, the program calls this function again, and removes it. That process is the parent of
    all processes of the instance, and ends last.
    """
    own = f"{_PREFIX}{os.getpid()}-"
    if VARIABLE not in os.environ:
        _sweep()
        os.environ[VARIABLE] = tempfile.mkdtemp(prefix=own)
    path = os.environ[VARIABLE]
    if Path(path).name.startswith(own):
        atexit.register(_remove, path, os.getpid())


def _sweep() -> None:
    """Remove the folders that killed processes have left."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        pid = left.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(left, ignore_errors=True)


def _remove(path: str, owner: int) -> None:
    if os.getpid() == owner:  # not in a fork of the owner
        shutil.rmtree(path, ignore_errors=True)
