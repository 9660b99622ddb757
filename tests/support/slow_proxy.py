"""A TCP proxy on loopback whose answers may come late, or not at all."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_PIECE_BYTES = 65_536


class SlowProxy:
    """Between clients and a server's Unix socket; what it does may be changed at any time."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        #: How late each piece of an answer is.
        self.delay_s = 0.0
        self._away = False
        self._connections: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def leave(self) -> None:
        """Cut every connection, and each new one at once."""
        self._away = True
        self._cut()

    def come_back(self) -> None:
        self._away = False

    def close(self) -> None:
        self._away = True
        # Closed alone, it would go on accepting in the thread.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._cut()

    def _cut(self) -> None:
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server:
            if self._away:
                return
            both = {client, server}
            self._connections |= both
            with suppress(OSError):
                server.connect(self._path)
                asking = threading.Thread(target=_pass_on, args=(client, server), daemon=True)
                asking.start()
                self._answer(server, client)
                asking.join()
            self._connections -= both

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        never = threading.Event()
        with suppress(OSError):
            while piece := server.recv(_PIECE_BYTES):
                never.wait(self.delay_s)
                client.sendall(piece)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(_PIECE_BYTES):
            target.sendall(piece)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


@contextmanager
def slow_proxy(path: str) -> Iterator[SlowProxy]:
    """In front of the Unix socket `path`."""
    proxy = SlowProxy(path)
    try:
        yield proxy
    finally:
        proxy.close()
