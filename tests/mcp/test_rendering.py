"""What renders for the tools, where it is a farm elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from io import BytesIO
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest

from farm.errors import InvalidRequest, Unauthorized
from farm.mcp.rendering import RemoteFarm
from farm.render import Engine
from farm.settings import Settings
from tests.conftest import MakeApp
from tests.support.images import LIME, opened
from tests.support.quiet import serving

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

KEY = "an-api-key-0123456789"


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url(engine: Engine, make_app: MakeApp) -> Iterator[str]:
    """Of a farm that has an API key."""
    app = make_app(engine, Settings.model_validate({"api_keys": f"me:{KEY}"}))
    with served(app) as address:
        yield address


@contextmanager
def served(app: WSGIApplication) -> Iterator[str]:
    def whole(environ: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        # This server's input does not end where the body does.
        length = int(environ["CONTENT_LENGTH"] or 0)
        environ["wsgi.input"] = BytesIO(environ["wsgi.input"].read(length))
        return app(environ, start)

    server = make_server("127.0.0.1", 0, whole, Server, Quiet)
    with serving(server):
        yield f"http://127.0.0.1:{server.server_port}"


def test_a_farm_renders_and_tells_of_the_page(url: str) -> None:
    page = "<title>Tests</title><body style='background:lime'><img src='http://10.9.8.7/'>"
    fields = {"html": page, "options": {"width": 60, "height": 40}, "report": True}
    rendered = RemoteFarm(url, KEY).render(fields, Future())
    assert (rendered.format, rendered.content_type) == ("png", "image/png")
    assert (rendered.width, rendered.height) == (60, 40)
    assert opened(rendered.data).getpixel((50, 30)) == LIME
    assert rendered.facts["title"] == "Tests"
    assert rendered.facts["blocked"][0]["host"] == "10.9.8.7"
    assert rendered.facts["report"]["requests"]["count"] >= 1


def test_a_farms_errors_are_its_own(url: str) -> None:
    with pytest.raises(InvalidRequest, match=r"options.width: must be an integer from 1"):
        RemoteFarm(url, KEY).render({"html": "x", "options": {"width": 0}}, Future())
    with pytest.raises(Unauthorized):
        RemoteFarm(url, "a-wrong-key-0123456789").render({"html": "x"}, Future())
