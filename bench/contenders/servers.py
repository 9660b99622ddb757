"""Servers that are started for a measurement."""

import subprocess
import time
from urllib.request import urlopen

_START_TIMEOUT_S = 60.0


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until it answers. Raises `OSError` if its process has ended, or it takes too long."""
    end = time.monotonic() + _START_TIMEOUT_S
    while True:
        try:
            urlopen(url).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > end:
                raise
            time.sleep(0.05)
