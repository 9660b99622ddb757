"""The metrics, and the functions that count. Any thread may call them.

Requests, renders, jobs and webhooks are counted when they end. `EngineWatch` reads the state of an
engine once a second.
"""

import threading
import time
from collections import Counter as Count
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from farm.errors import FarmError, InternalError, UrlRefused
from farm.logs import first_line
from farm.renderer import CONTEXT_END_CAUSES, EngineStatus, RenderCancelled
from farm.request import RenderResult

log = structlog.get_logger()

P = ParamSpec("P")

#: The figures of this process. With a shared folder, `exposition` reads the folder instead.
REGISTRY = CollectorRegistry()

#: Upper bounds in seconds: from a refusal, which takes milliseconds, to beyond the render deadline.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60)
#: The interval between two looks at an engine.
_LOOK_S = 1.0


def _counter(name: str, text: str, *labels: str) -> Counter:
    return Counter(f"farm_{name}", text, labels, registry=REGISTRY)


def _gauge(name: str, text: str) -> Gauge:
    return Gauge(f"farm_{name}", text, registry=REGISTRY, multiprocess_mode="livesum")


def _histogram(name: str, text: str, label: str) -> Histogram:
    return Histogram(f"farm_{name}", text, [label], registry=REGISTRY, buckets=_BUCKETS)


REQUESTS = _counter(
    "http_requests", "HTTP requests that were answered.", "route", "method", "status"
)
REQUEST_SECONDS = _histogram(
    "http_request_seconds", "Until an answer is ready to be sent.", "route"
)
RENDERS = _counter("renders", "Renders that ended.", "route", "format", "outcome", "code")
RENDER_SECONDS = _histogram("render_seconds", "Whole renders, failed ones included.", "route")
STEP_SECONDS = _histogram("render_step_seconds", "The steps of completed renders.", "step")
REFUSALS = _counter("egress_refusals", "Addresses that the egress policy kept pages from.")
CACHE_REQUESTS = _counter(
    "cache_requests", "Answers to requests that ask for the cache.", "outcome"
)
LINKS = _counter("links", "Requests for links whose signature was right.", "key")
JOBS = _counter("jobs", "Jobs that ended.", "outcome")
WEBHOOKS = _counter("webhooks", "Tries to deliver a webhook, by what became of it.", "outcome")

RESTARTS = _counter("browser_restarts", "Browsers started because one was lost.", "cause")
RECYCLES = _counter("browser_recycles", "Browsers replaced in time.")
RETRIES = _counter("render_retries", "Renders that were tried once more.")
GPU_ENDS = _counter("gpu_process_ends", "GPU processes that were lost or ended.", "cause")
CONTEXT_ENDS = _counter("kept_context_ends", "Contexts of callers that were given up.", "cause")
LATE_PAGES = _counter("late_pages", "Late pages that were ended, by how hard it was.", "step")

BROWSERS_UP = _gauge("browsers_up", "Browsers that take renders.")
PAGES = _gauge("pages", "Pages that may be rendered at the same time.")
PAGES_IN_USE = _gauge("pages_in_use", "Pages that are being rendered.")
LINE_MAX = _gauge("line_max", "Renders that may wait for a page.")
LINE_LENGTH = _gauge("line_length", "Renders that wait for a page.")
SPARES = _gauge("spares", "Contexts made ahead.")
KEPT_CONTEXTS = _gauge("kept_contexts", "Contexts that belong to a caller (FARM_ISOLATION=key).")
BROWSER_MEMORY = _gauge("browser_memory_bytes", "Memory of the browsers' processes (PSS).")

# Create each series with 0, so that rates include the first event, and alerts find the series.
for _outcome in ("completed", "failed", "cancelled"):
    JOBS.labels(_outcome)
for _outcome in ("delivered", "retried", "failed", "expired"):
    WEBHOOKS.labels(_outcome)
for _outcome in ("hit", "miss", "joined", "off"):
    CACHE_REQUESTS.labels(_outcome)
for _cause in ("died", "killed"):
    RESTARTS.labels(_cause)
    GPU_ENDS.labels(_cause)
for _cause in CONTEXT_END_CAUSES:
    CONTEXT_ENDS.labels(_cause)
for _route in ("render", "render-url", "job"):
    RENDERS.labels(_route, "", "failed", InternalError.code)
for _rung in ("closed", "killed", "browserKilled", "driverKilled"):
    LATE_PAGES.labels(_rung)


def _never_raises(count: Callable[P, None]) -> Callable[P, None]:
    """Log errors of a counting function instead of raising them, such as those of a full disk.

    So a fault of the metrics never prevents an answer.
    """

    @wraps(count)
    def counted(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            count(*args, **kwargs)
        except Exception as exc:
            log.error("not counted", cause=first_line(exc))

    return counted


class RenderFigures:
    """The facts about a running render that are needed to count it."""

    def __init__(self) -> None:
        self.format = ""
        #: Whether the file was rendered for this request, and not found in the cache or joined.
        self.is_own = True

    @_never_raises
    def completed(self, result: RenderResult) -> None:
        if result.cache is not None:
            CACHE_REQUESTS.labels(result.cache.outcome).inc()
            self.is_own = result.cache.outcome in ("miss", "off")
            if not self.is_own:
                return
        for step in ("waiting", "loading", "settling", "capturing"):
            STEP_SECONDS.labels(step).observe(getattr(result.timings, f"{step}_ms") / 1000)
        REFUSALS.inc(len(result.refusals))


@contextmanager
def render(route: str) -> Iterator[RenderFigures]:
    """Count and time the render in the `with`. `route` is `render`, `render-url` or `job`.

    A result that came from the cache or from another request's render is not counted as a render.
    """
    figures = RenderFigures()
    started = time.perf_counter()
    outcome, code = "failed", InternalError.code
    try:
        yield figures
        outcome, code = "completed", ""
    except FarmError as exc:
        code = exc.code
        raise
    except RenderCancelled:
        outcome, code = "cancelled", ""
        raise
    finally:
        if figures.is_own:
            _ended(route, figures.format, outcome, code, time.perf_counter() - started)


@_never_raises
def _ended(route: str, format_: str, outcome: str, code: str, seconds: float) -> None:
    RENDERS.labels(route, format_, outcome, code).inc()
    RENDER_SECONDS.labels(route).observe(seconds)
    if code == UrlRefused.code:
        REFUSALS.inc()


@_never_raises
def request(route: str, method: str, status: str, seconds: float) -> None:
    """Count an HTTP request. `route`: the template of its path."""
    REQUESTS.labels(route, method, status).inc()
    REQUEST_SECONDS.labels(route).observe(seconds)


@_never_raises
def link_keys(names: Iterable[str]) -> None:
    """Create the series of each link key, so that an unused key has the value 0."""
    for name in names:
        LINKS.labels(name)


@_never_raises
def link(key: str) -> None:
    """Count a request for a link. `key`: the name of the key that has signed it."""
    LINKS.labels(key).inc()


@_never_raises
def job(outcome: str) -> None:
    """Count the end of a job: `completed`, `failed` or `cancelled`."""
    JOBS.labels(outcome).inc()


@_never_raises
def webhook(outcome: str) -> None:
    """Count a try to deliver a webhook: `delivered`, `retried` (it will be retried) or `failed`.

    `expired`: the job's record expired before the delivery was over.
    """
    WEBHOOKS.labels(outcome).inc()


class EngineWatch:
    """Reads an engine's state every second, in a thread of its own, until the process ends."""

    def __init__(self, look: Callable[[], EngineStatus]) -> None:
        self._look = look
        self._seen: Count[tuple[Counter, tuple[str, ...]]] = Count()

    def start(self) -> None:
        threading.Thread(target=self._run, name="metrics", daemon=True).start()

    def look(self) -> None:
        status = self._look()
        BROWSERS_UP.set(status.up)
        PAGES.set(status.pages)
        PAGES_IN_USE.set(status.rendering)
        LINE_MAX.set(status.max_waiting)
        LINE_LENGTH.set(status.waiting)
        SPARES.set(status.spares)
        KEPT_CONTEXTS.set(status.kept_contexts)
        BROWSER_MEMORY.set(status.memory_bytes)
        self._advance(RECYCLES, status.browser_recycles)
        self._advance(RETRIES, status.retries)
        for cause, times in status.restart_causes.items():
            self._advance(RESTARTS, times, cause)
        for cause, times in status.gpu_ends.items():
            self._advance(GPU_ENDS, times, cause)
        for cause, times in status.context_ends.items():
            self._advance(CONTEXT_ENDS, times, cause)
        for step, times in status.late_pages.items():
            self._advance(LATE_PAGES, times, step)

    def _advance(self, counter: Counter, total: int, *labels: str) -> None:
        """Increase a counter by the growth of the engine's own count since the last look."""
        seen = self._seen[counter, labels]
        (counter.labels(*labels) if labels else counter).inc(total - seen)
        self._seen[counter, labels] = total

    def _run(self) -> None:
        while True:
            try:
                self.look()
            except Exception:
                log.exception("engine not looked at")
            time.sleep(_LOOK_S)
