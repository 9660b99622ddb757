"""How the tests' small servers run: in a thread, and without a word."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from socketserver import BaseServer

#: A server notices so soon that it is to end. By default half a second, which each test would wait.
_POLL_S = 0.02


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Browsers hang up when their page is closed; that is no news."""


@contextmanager
def serving(server: BaseServer) -> Iterator[None]:
    """The server answers from a thread; it is closed at the end."""
    thread = threading.Thread(target=server.serve_forever, args=(_POLL_S,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
