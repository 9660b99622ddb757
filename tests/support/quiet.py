"""The server of the tests' sites, which prints nothing."""

from http.server import ThreadingHTTPServer


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Browsers hang up when their page is closed; that is no news."""
