"""The routes: parse, hand to the engine, answer."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import falcon
import structlog

import farm
from farm.errors import FarmError, InternalError
from farm.logs import first_line
from farm.render import Engine
from farm.request import RenderRequest, RenderResult, Timings
from farm.web.body import Bodies
from farm.web.negotiation import wants_file

log = structlog.get_logger()


def timestamp() -> str:
    """Now, in UTC, as the contract writes it: `2024-01-15T10:30:45.123Z`."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class RenderResource:
    """`POST /render` and `POST /render-url`; `source` is the field that names the page."""

    def __init__(self, engine: Engine, bodies: Bodies, source: str) -> None:
        self._engine = engine
        self._bodies = bodies
        self._source = source

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        started = time.perf_counter()
        line: dict[str, Any] = {"route": req.path}
        try:
            with self._bodies.read(req) as body:
                request = RenderRequest.parse(body, self._source, self._engine.limits)
                del body
                line["format"] = request.options.format
                format_ = self._engine.limits.formats[request.options.format]
                as_file = wants_file(req.get_header("Accept"), format_)
                result = self._engine.render(request, req.context.log_id)
            self._answer(req, resp, request, result, as_file)
            line |= {"outcome": "ok", "bytes": result.size, **_rounded(result.timings)}
            log.info("render", **line, total_ms=_since(started))
        except FarmError as exc:
            line |= {"outcome": "error", "code": exc.code, **_cause(exc)}
            level = log.error if isinstance(exc, InternalError) else log.info
            level("render", **line, total_ms=_since(started))
            raise

    def _answer(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        request: RenderRequest,
        result: RenderResult,
        as_file: bool,
    ) -> None:
        resp.set_header("Server-Timing", _server_timing(result.timings))
        resp.set_header("Vary", "Accept")
        if as_file:
            resp.content_type = result.format.media_type
            resp.set_header("X-Image-Width", str(result.width))
            resp.set_header("X-Image-Height", str(result.height))
            resp.data = result.data
            return
        data = {
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
        resp.content_type = falcon.MEDIA_JSON
        resp.data = json.dumps({"success": True, "data": data}).encode()


class HealthResource:
    """`GET /health`: 200 while this worker process can render, else 503."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        self._engine.check()
        resp.data = json.dumps({"status": "ok", "timestamp": timestamp()}).encode()


class StatusResource:
    """`GET /status`: what this worker process is, has and uses."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._started = time.monotonic()

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        status = self._engine.status
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
            },
            "browser": {"up": status.up, "restarts": status.browser_restarts},
        }
        resp.data = json.dumps(answer).encode()


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)


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


def _cause(exc: FarmError) -> dict[str, str]:
    """What lies behind an error, for the log only."""
    if exc.__cause__ is None:
        return {}
    return {"cause": first_line(exc.__cause__)}
