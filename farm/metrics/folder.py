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

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def share() -> str:
    """Have this process and those it starts share a folder; one that is set already is kept."""
    if VARIABLE not in os.environ:
        os.environ[VARIABLE] = tempfile.mkdtemp(prefix="render-farm-metrics-")
    return os.environ[VARIABLE]


def remove_at_exit(path: str) -> None:
    """Remove the folder when this process ends: not a fork of it, nor what takes its place."""
    owner = os.getpid()

    def remove() -> None:
        if os.getpid() == owner:
            shutil.rmtree(path, ignore_errors=True)

    atexit.register(remove)
