"""Signals that the main thread waits for, in the order in which they arrive.

The supervisor and the job worker use it, in their main threads.
"""

import signal
import socket

#: `next` returns this when a child has written it to `write_fd`, to ask for the embedded cache. No
#: signal has this number.
CACHE_REQUESTED = 255


class Signals:
    """Receives the given signals, in the order in which they arrive. For the main thread only.

    A thread that waits for a lock is not woken by a signal that the kernel delivers to another
    thread, and of two signals at once the kernel may deliver both to another thread. So Python
    writes the number of each signal to a socket, in whichever thread it arrives
    (`signal.set_wakeup_fd`).
    """

    def __init__(self, *numbers: signal.Signals) -> None:
        self._reads, self._writes = socket.socketpair()
        self._writes.setblocking(False)
        signal.set_wakeup_fd(self._writes.fileno(), warn_on_full_buffer=False)
        for number in numbers:
            signal.signal(number, lambda *_: None)

    @property
    def write_fd(self) -> int:
        """A file descriptor that children inherit, so that they can write `CACHE_REQUESTED`."""
        return self._writes.fileno()

    def next(self, timeout_s: float | None = None) -> int:
        """The next signal's number; 0 if none arrives in time."""
        self._reads.settimeout(None if timeout_s is None else max(timeout_s, 0.001))
        try:
            return self._reads.recv(1)[0]
        except TimeoutError:
            return 0
