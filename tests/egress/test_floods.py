"""A site that floods its render holds up no other."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from farm.render import Engine
from tests.conftest import request_for
from tests.support.farm_process import wait_until
from tests.support.images import opened
from tests.support.site import Site

_HEAD = b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\n"
_CHUNKED = (_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n" * 2_000)
_UNTIL_END = (_HEAD + b"\r\n", b"a" * 10_000)
#: Takes all that comes, and has not loaded before it has an image.
_PAGE = """
<script>
  const take = async (url) => { for await (const piece of (await fetch(url)).body); };
  for (const url of URLS) take(url);
</script>
<img src=SLOW>
"""
LIME = (0, 255, 0)


class Flood:
    """Answers without an end, as fast as they are taken; `sending` of them now."""

    def __init__(self, server: socket.socket, first: bytes, again: bytes) -> None:
        self.port = server.getsockname()[1]
        self.sending = 0
        self.pieces = 0
        self._server = server
        self._first, self._again = first, again

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                browser, _ = self._server.accept()
                threading.Thread(target=self._answer, args=(browser,), daemon=True).start()

    def _answer(self, browser: socket.socket) -> None:
        with browser, suppress(OSError):
            browser.recv(65_536)
            browser.sendall(self._first)
            self.sending += 1
            try:
                while True:
                    browser.sendall(self._again)
                    self.pieces += 1
            finally:
                self.sending -= 1


@contextmanager
def flooding(first: bytes, again: bytes) -> Iterator[Flood]:
    server = socket.create_server(("", 0), backlog=100)
    flood = Flood(server, first, again)
    threading.Thread(target=flood.serve, daemon=True).start()
    try:
        yield flood
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("answer", [_CHUNKED, _UNTIL_END], ids=["chunks of one byte", "bytes"])
def test_another_render_gets_its_page_during_a_flood(
    make_engine: Callable[..., Engine], site: Site, answer: tuple[bytes, bytes]
) -> None:
    # The flood is to last for as long as the test: nothing may end the render that takes it.
    engine = make_engine(egress_max_bytes=10**12, render_deadline_s=580, settle_max_s=580)
    proxy = engine.egress_pid
    with flooding(*answer) as flood:
        # A browser has six connections to a host.
        hosts = [f"127.0.0.{n}:{flood.port}" for n in range(11, 16)]
        urls = [f"http://{host}/{n}" for n in range(6) for host in hosts]
        html = _PAGE.replace("URLS", json.dumps(urls)).replace("SLOW", f"{site.url}/slow.svg")
        engine.begin(request_for(engine, html))
        wait_until(lambda: flood.sending >= 20, 100)
        for _ in range(3):
            flood.pieces = 0
            result = engine.render(request_for(engine, url=site.url, width=50, height=50))
            assert opened(result.data).getpixel((25, 45)) == LIME
            wait_until(lambda: flood.pieces, 150)
        assert flood.sending >= 20
    assert engine.egress_pid == proxy
