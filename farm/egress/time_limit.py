"""A time limit for a request that the farm itself sends through a port of the proxy.

The threads that download files and send webhooks use it.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from farm.egress.child import Port


@contextmanager
def closed_after(seconds: float, port: Port) -> Iterator[Callable[[], bool]]:
    """Close the port after so many seconds; yields a function that says whether that has happened.

    A library's timeout counts for each read. Closing the port ends all reads at once.
    """
    late = threading.Event()

    def close() -> None:
        late.set()
        port.close()

    timer = threading.Timer(seconds, close)
    timer.daemon = True
    timer.start()
    try:
        yield late.is_set
    finally:
        timer.cancel()
