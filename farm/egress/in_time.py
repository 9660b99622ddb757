"""A bound on all that a port is used for."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from farm.egress.egress import Port


@contextmanager
def closed_after(seconds: float, port: Port) -> Iterator[Callable[[], bool]]:
    """Timeouts count for each read; the port, once closed, ends all of them.

    Yields whether that has happened.
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
