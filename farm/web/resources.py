"""The routes: parse, hand to the renderer, answer."""

import json
import time
from typing import Any

import falcon

import farm
from farm.clock import timestamp
from farm.formats import FORMATS
from farm.metrics import figures
from farm.renderer import Renderer
from farm.request import RenderRequest, RenderResult, Timings
from farm.web.body import Bodies
from farm.web.negotiation import has_tag, wants_anew, wants_file
from farm.web.request_log import logged
from farm.web.routes import Resource
from farm.web.serving.sending import ClientSocket


class RenderResource(Resource):
    """`POST /render` and `POST /render-url`; `sources` are the fields that may name the page."""

    with_body = frozenset({"POST"})

    def __init__(self, renderer: Renderer[Any], bodies: Bodies, sources: tuple[str, ...]) -> None:
        self._renderer = renderer
        self._bodies = bodies
        self._sources = sources

    def admit(self) -> None:
        self._renderer.admit()

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        route = (req.uri_template or "").strip("/")
        with logged("render", req) as line, figures.render(route) as counted:
            self.admit()
            with self._bodies.read(req) as body:
                request = RenderRequest.parse(body, self._sources, self._renderer.limits)
                del body
                line["format"] = counted.format = request.options.format
                format_ = FORMATS[request.options.format]
                as_file = wants_file(req.get_header("Accept"), format_)
                anew = wants_anew(req.get_header("Cache-Control"))
                result = self._renderer.render(
                    request, req.context.log_id, req.context.caller, anew
                )
            counted.completed(result)
            _answer(req, resp, request, result, as_file)
            line |= {"bytes": result.size, **_rounded(result.timings)}
            line["blocked"] = len(result.refusals)
            line["unfinished"] = len(result.unfinished)
            if result.cache is not None:
                line["cache"] = result.cache.outcome
                sock = req.env.get("gunicorn.socket")
                if result.cache.outcome == "hit" and isinstance(sock, ClientSocket):
                    sock.is_found = True


class HealthResource(Resource):
    """`GET /health`: 200 while this worker process can render, else 503."""

    is_open = True
    uncounted = frozenset({"GET"})

    def __init__(self, renderer: Renderer[Any]) -> None:
        self._renderer = renderer

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        self._renderer.check()
        resp.data = json.dumps({"status": "ok", "timestamp": timestamp()}).encode()


class StatusResource(Resource):
    """`GET /status`: what this worker process is, has and uses."""

    uncounted = frozenset({"GET"})

    def __init__(self, renderer: Renderer[Any]) -> None:
        self._renderer = renderer
        self._started = time.monotonic()

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        status = self._renderer.status
        answer = {
            "status": "running",
            "service": "render-farm",
            "timestamp": timestamp(),
            "version": farm.__version__,
            "uptimeSeconds": round(time.monotonic() - self._started, 3),
            "capacity": {"pages": status.pages, "waiting": status.max_waiting},
            "use": {
                "rendering": status.rendering,
                "waiting": status.waiting,
                "spareContexts": status.spares,
                "keptContexts": status.kept_contexts,
            },
            "browser": {
                "up": status.up,
                "restarts": status.browser_restarts,
                "recycles": status.browser_recycles,
            },
            "retries": status.retries,
            "latePages": dict(status.rungs),
            "cache": status.cache,
        }
        resp.data = json.dumps(answer).encode()


def _answer(
    req: falcon.Request,
    resp: falcon.Response,
    request: RenderRequest,
    result: RenderResult,
    as_file: bool,
) -> None:
    resp.set_header("Server-Timing", _server_timing(result.timings))
    resp.set_header("Vary", "Accept")
    if result.cache is not None:
        resp.set_header("X-Farm-Cache", result.cache.outcome)
        if result.cache.outcome == "hit":
            resp.set_header("Age", str(result.cache.age_s))
    if as_file:
        if result.cache is not None:
            # Not of JSON answers, each of which has a request id of its own.
            etag = f'"{result.cache.tag}"'
            resp.set_header("ETag", etag)
            if has_tag(req.get_header("If-None-Match"), etag):
                resp.status = falcon.HTTP_NOT_MODIFIED
                return
        resp.content_type = result.format.media_type
        resp.set_header("X-Image-Width", str(result.width))
        resp.set_header("X-Image-Height", str(result.height))
        if result.unfinished:
            resp.set_header("X-Unfinished", str(len(result.unfinished)))
        resp.data = result.data
        return
    # Facts take the place of nothing that is said anyway.
    data: dict[str, Any] = dict(result.facts) | {
        "imageBase64": result.base64,
        "contentType": result.format.media_type,
        "size": result.size,
        "format": result.format.name,
        "width": result.width,
        "height": result.height,
        "requestId": req.context.id,
    }
    if request.url is not None:
        data["url"] = request.url
    if result.refusals:
        data["blocked"] = result.blocked
    if result.unfinished:
        data["unfinished"] = result.left_out
    resp.content_type = falcon.MEDIA_JSON
    resp.data = json.dumps({"success": True, "data": data}).encode()


def _rounded(timings: Timings) -> dict[str, float]:
    return {name: round(value, 1) for name, value in vars(timings).items()}


def _server_timing(timings: Timings) -> str:
    """https://www.w3.org/TR/server-timing/, durations in milliseconds."""
    steps = {
        "wait": timings.waiting_ms,
        "load": timings.loading_ms,
        "settle": timings.settling_ms,
        "capture": timings.capturing_ms,
    }
    return ", ".join(f"{name};dur={value:.1f}" for name, value in steps.items())
