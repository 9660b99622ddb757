"""Signals as the main thread waits for them."""

import signal
import socket

#: What `next` returns when a process has written it to the `bell`; no signal has this number.
RUNG = 255


class Signals:
    """The given signals, in the order in which they come; for the main thread.

    What waits for a lock is not woken by a signal that another thread was given, and when two come
    at once, the kernel may give both to another. So Python writes each one's number to a socket, in
    whichever thread it comes (`signal.set_wakeup_fd`).
    """

    def __init__(self, *numbers: signal.Signals) -> None:
        self._reads, self._writes = socket.socketpair()
        self._writes.setblocking(False)
        signal.set_wakeup_fd(self._writes.fileno(), warn_on_full_buffer=False)
        for number in numbers:
            signal.signal(number, lambda *_: None)

    @property
    def bell(self) -> int:
        """The file descriptor that children may be given, to write `RUNG` to it."""
        return self._writes.fileno()

    def next(self, timeout_s: float | None = None) -> int:
        """The one that came next; 0 if none came in time."""
        self._reads.settimeout(None if timeout_s is None else max(timeout_s, 0.001))
        try:
            return self._reads.recv(1)[0]
        except TimeoutError:
            return 0
