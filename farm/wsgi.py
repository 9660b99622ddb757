"""Builds the application of a gunicorn worker: `farm.wsgi:create()`.

It is a composition root. gunicorn calls it in each worker's main thread, after the fork.
"""

import sys

import falcon
import structlog

from farm import logs
from farm.cache import CachedRenderer
from farm.downloading import Downloader
from farm.errors import StartError
from farm.jobs import broker
from farm.jobs.files import open_swept_storage
from farm.jobs.queue import RedisJobQueue
from farm.metrics.figures import EngineWatch
from farm.rates import RateLimiter
from farm.render import Engine
from farm.settings import Settings
from farm.web import Gate, create_app

log = structlog.get_logger()

#: gunicorn stops all workers and itself if a worker exits with this code
#: (`Arbiter.APP_LOAD_ERROR`).
_STOP_ALL = 4

#: The settings of gunicorn's main process, which workers inherit by the fork. So a file of keys
#: that has become invalid does not prevent the start of a worker.
settings: Settings | None = None

#: The worker asks the gate whether to read a body.
gate: Gate | None = None

_engine: Engine | None = None
_renderer: CachedRenderer | None = None
_queue: RedisJobQueue | None = None


def create() -> falcon.App[falcon.Request, falcon.Response]:
    """Build the worker's application, and start its engine and its sweep of expired files."""
    global _engine, _renderer, _queue, gate
    own = settings or Settings.from_environment()
    logs.configure(own)
    _engine = Engine(own)
    _engine.start()
    engine = _engine
    EngineWatch(lambda: engine.status).start()
    client = broker.connect(own.queue_url)
    storage = open_swept_storage(own, client)
    _queue = RedisJobQueue(client, storage, own)
    rates = RateLimiter(own.rate_limit, own.queue_url) if own.rate_limit else None
    _renderer = CachedRenderer.over(_engine, own)
    downloader = Downloader(engine.open_port, own.render_deadline_s)
    app = create_app(_renderer, _queue, storage, own, rates, downloader)
    gate = app.gate
    return app


def wait_started(first: bool) -> None:
    """Wait for the engine's browser.

    `first`: the worker is one of those that gunicorn starts first. If it gets no browser, the farm
    stops with a sentence. A later worker keeps trying, and `/health` reports it meanwhile.
    """
    assert _engine is not None
    try:
        _engine.wait_started()
    except StartError as exc:
        log.critical("no browser", cause=str(exc))
        if first:
            _engine.close()
            sys.exit(_STOP_ALL)


def close() -> None:
    """Close the cache, the engine with its Chromium, and the queue, when the worker exits."""
    if _renderer is not None:
        _renderer.close()
    if _engine is not None:
        _engine.close()
    if _queue is not None:
        _queue.close()
