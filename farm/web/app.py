"""The WSGI application: its routes, request ids, and the handler of all exceptions.

`farm.wsgi` calls `create_app`, and the threads of gunicorn's worker call the application.
"""

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

    #: The server asks it before it reads a request's body.
    gate: Gate

    def add_route(self, uri_template: str, resource: object, **kwargs: Any) -> None:
        """Raises `TypeError` for a resource without access rules, which is not a `Resource`."""
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
    """The farm as a WSGI application. The renderer may be started later."""
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
    """A request with an id of its own, and what the farm's middleware notes about it.

    - `context.id`: the request's id, a UUID4
    - `context.log_id`: the id in the log and in `X-Request-Id`: the client's if it is valid, else
      `context.id`
    - `context.caller`: the name of the API key, if the farm has keys
    - `context.resource`: the resource that answers
    - `context.arrived`: when the request arrived, by `time.perf_counter()`

    They are set here and not in a middleware, since Falcon refuses some requests before it calls
    any middleware.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.method not in falcon.COMBINED_METHODS or self.method == "WEBSOCKET":
            # Falcon would answer 400 to an unknown method. No route has TRACE, so the answer is
            # 405.
            self.method = "TRACE"
        self.context.id = str(uuid.uuid4())
        callers = self.get_header("X-Request-Id") or ""
        self.context.log_id = callers if _CALLERS_ID.fullmatch(callers) else self.context.id
        self.context.caller = None
        self.context.resource = NOWHERE
        self.context.arrived = time.perf_counter()


class RequestIds:
    """Adds the request's id to each line of the log, and to the answer."""

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
    """Turns an exception into an answer. Falcon calls it for every exception of a request."""
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
    """The error of the contract for any exception: one of Falcon's, or a defect of the farm."""
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
