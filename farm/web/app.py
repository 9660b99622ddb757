"""The WSGI application: its routes, and what holds for every answer."""

import re
import time
import uuid
from typing import Any

import falcon
import structlog

from farm.downloading import Downloader
from farm.errors import (
    FarmError,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    RangeNotSatisfiable,
    RateLimited,
    Unauthorized,
    Unavailable,
)
from farm.job import JobQueue
from farm.links import ROUTE as LINKS
from farm.links import without_payload
from farm.rates import RateLimiter
from farm.renderer import Renderer
from farm.request import HTML, URL
from farm.settings import Settings
from farm.storage import Storage
from farm.web import compat, playground
from farm.web.body import Bodies
from farm.web.callers import RATE_HEADERS, Callers
from farm.web.downloads import Downloads
from farm.web.gate import Gate
from farm.web.health import HealthResource, StatusResource
from farm.web.job_resources import (
    DownloadResource,
    JobResource,
    SubmitResource,
    WebhookResource,
)
from farm.web.link_resource import LinkResource, MakeLinkResource
from farm.web.metrics import MetricsResource, Requests
from farm.web.render_resource import RenderResource
from farm.web.routes import NOWHERE, Resource, Routes

log = structlog.get_logger()

_CALLERS_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


class App(falcon.App[falcon.Request, falcon.Response]):
    """The farm as a WSGI application."""

    #: What its server asks before it reads a body.
    gate: Gate

    def add_route(self, uri_template: str, resource: object, **kwargs: Any) -> None:
        """Raises `TypeError` for a resource that cannot say who may ask it, and how often."""
        if not isinstance(resource, Resource):
            raise TypeError(f"{uri_template}: {type(resource).__name__} is no {Resource.__name__}")
        super().add_route(uri_template, resource, **kwargs)


def create_app(
    renderer: Renderer[Any],
    queue: JobQueue,
    storage: Storage,
    settings: Settings,
    rates: RateLimiter | None = None,
    downloader: Downloader | None = None,
) -> App:
    """The farm as a WSGI application over a renderer that was started, or will be."""
    routes = Routes()
    app = App(middleware=[Requests(), RequestIds()], request_type=Request, router=routes.router)
    app.gate = Gate(routes, settings.callers)
    app.add_middleware(Callers(routes, settings.callers, rates))
    if settings.cors_origins:
        origins = "*" if "*" in settings.cors_origins else settings.cors_origins
        exposed = ["X-Request-Id", "X-Image-Width", "X-Image-Height", "Server-Timing", "Location"]
        exposed += ["Retry-After", "X-Farm-Cache", "Age", "ETag", *RATE_HEADERS]
        app.add_middleware(falcon.CORSMiddleware(allow_origins=origins, expose_headers=exposed))
    bodies = Bodies(settings.body_budget_bytes)
    app.add_route("/render", RenderResource(renderer, bodies, HTML))
    app.add_route("/render-url", RenderResource(renderer, bodies, URL))
    if settings.link_keys:
        app.add_route(LINKS, LinkResource(renderer, settings.link_keys, settings.cache_ttl_s))
        app.add_route("/links", MakeLinkResource(bodies, settings.link_keys, renderer.limits))
    downloads = Downloads(storage, settings.max_downloads)
    submit = SubmitResource(renderer.limits, bodies, queue, settings.cache_ttl_s)
    app.add_route("/render-async", submit)
    app.add_route("/render-async/{job_id}", JobResource(queue, storage, downloads))
    app.add_route("/render-async/{job_id}/webhook", WebhookResource(queue))
    download = DownloadResource(queue, downloads)
    app.add_route("/download/{job_id}", download)
    app.add_route("/download/{job_id}/{name}", download)
    app.add_route("/health", HealthResource(renderer))
    app.add_route("/status", StatusResource(renderer))
    app.add_route("/metrics", MetricsResource(queue))
    others = compat.resources(compat.Farm(renderer, bodies, queue, settings, downloader))
    pages = playground.resources(settings, root=others.get("/"))
    for template, resource in (others | dict(pages)).items():
        app.add_route(template, resource)
    app.add_error_handler(Exception, answer_error)
    app.add_error_handler(falcon.HTTPError, answer_error)
    return app


class Request(falcon.Request):
    """Has an id of its own; the log and `X-Request-Id` take the caller's if that is sane.

    `context.id` is the request's own (a UUID4), `context.log_id` the one to be found by. They are
    made here, since Falcon refuses some requests before any middleware. `context.caller` is the
    name of the API key, where there are keys; `context.resource` is what answers;
    `context.arrived` is by `time.perf_counter()`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.method not in falcon.COMBINED_METHODS or self.method == "WEBSOCKET":
            # Falcon answers 400 to what it does not know; no route answers this one: 405.
            self.method = "TRACE"
        self.context.id = str(uuid.uuid4())
        callers = self.get_header("X-Request-Id") or ""
        self.context.log_id = callers if _CALLERS_ID.fullmatch(callers) else self.context.id
        self.context.caller = None
        self.context.resource = NOWHERE
        self.context.arrived = time.perf_counter()


class RequestIds:
    """Binds the request's id to the log, and answers it."""

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        structlog.contextvars.bind_contextvars(request_id=req.context.log_id)
        resp.set_header("X-Request-Id", req.context.log_id)

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, resource: object, succeeded: bool
    ) -> None:
        structlog.contextvars.clear_contextvars()


def answer_error(
    req: falcon.Request, resp: falcon.Response, exc: Exception, params: dict[str, Any]
) -> None:
    """The one place where an exception becomes an answer."""
    error = as_farm_error(exc)
    if isinstance(error, InternalError) and not isinstance(exc, FarmError):
        log.error("request failed", route=without_payload(req.path), exc_info=exc)
    if isinstance(error, MethodNotAllowed):
        resp.set_header("Allow", ", ".join(error.allowed))
    if isinstance(error, RangeNotSatisfiable):
        resp.set_header("Content-Range", f"bytes */{error.size}")
    if isinstance(error, Unauthorized):
        resp.set_header("WWW-Authenticate", "Bearer")
    if isinstance(error, Unavailable | RateLimited):
        resp.set_header("Retry-After", str(error.retry_after_s))
    resp.set_header("X-Request-Id", req.context.log_id)
    req.context.resource.answer_error(req, resp, error)


def as_farm_error(exc: Exception) -> FarmError:
    """Falcon's own errors, and defects, as errors of the contract."""
    match exc:
        case FarmError():
            return exc
        case falcon.HTTPMethodNotAllowed():
            headers = dict(exc.headers or {})
            return MethodNotAllowed([m.strip() for m in headers.get("Allow", "").split(",")])
        case falcon.HTTPNotFound():
            return NotFound()
        case falcon.HTTPError() if exc.status_code < 500:
            return InvalidRequest()
    return InternalError()
