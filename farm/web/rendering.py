"""The base classes of all routes that render at once: read the request, render, answer, count, log.

The farm's own routes and those of other services (`compat`) derive from them.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar

import falcon

from farm.metrics import figures
from farm.renderer import Renderer
from farm.request import RenderRequest, RenderResult, Timings
from farm.web.body import Bodies
from farm.web.negotiation import wants_anew
from farm.web.request_log import logged
from farm.web.routes import Resource
from farm.web.serving.sending import ClientSocket

#: Writes a result into the response.
Answer = Callable[[falcon.Response, RenderResult], None]


class RenderRoute(Resource):
    """A route that makes one render and answers with it."""

    #: Whether `Cache-Control: no-cache` makes the farm render anew.
    obeys_no_cache: ClassVar[bool] = True

    def __init__(self, renderer: Renderer[Any]) -> None:
        self._renderer = renderer

    def admit(self, caller: str | None) -> None:
        self._renderer.admit(caller)

    def open_request(
        self, req: falcon.Request
    ) -> AbstractContextManager[tuple[RenderRequest, Answer]]:
        """The request to render, and the function that writes the answer. Raises `FarmError`.

        It must find all errors of the request, before the render begins. The request's body counts
        against the memory budget until the `with` ends.
        """
        raise NotImplementedError

    def respond(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Render and answer. The resource's `on_…` methods call it."""
        route = (req.uri_template or "").strip("/")
        with logged("render", req) as line, figures.render(route) as counted:
            self.admit(req.context.caller)
            with self.open_request(req) as (request, answer):
                line["format"] = counted.format = request.format.name
                anew = self.obeys_no_cache and wants_anew(req.get_header("Cache-Control"))
                result = self._renderer.render(
                    request, req.context.log_id, req.context.caller, anew
                )
            counted.completed(result)
            resp.set_header("Server-Timing", _server_timing(result.timings))
            if result.cache is not None:
                resp.set_header("X-Farm-Cache", result.cache.outcome)
                if result.cache.outcome == "hit":
                    resp.set_header("Age", str(result.cache.age_s))
            answer(resp, result)
            line |= {"bytes": result.size, **_rounded(result.timings)}
            line["blocked"] = len(result.refusals)
            line["unfinished"] = len(result.unfinished)
            if result.cache is not None:
                line["cache"] = result.cache.outcome
                sock = req.env.get("gunicorn.socket")
                if result.cache.outcome == "hit" and isinstance(sock, ClientSocket):
                    sock.is_cache_hit = True


class RenderingResource(RenderRoute):
    """A route whose `POST` has the request in its body."""

    with_body = frozenset({"POST"})

    def __init__(self, renderer: Renderer[Any], bodies: Bodies) -> None:
        super().__init__(renderer)
        self._bodies = bodies

    def parse(self, req: falcon.Request, body: bytes) -> tuple[RenderRequest, Answer]:
        """The request to render, and the function that writes the answer. Raises `FarmError`."""
        raise NotImplementedError

    @contextmanager
    def open_request(self, req: falcon.Request) -> Iterator[tuple[RenderRequest, Answer]]:
        with self._bodies.read(req, self) as body:
            parsed = self.parse(req, body)
            del body
            yield parsed

    def on_post(self, req: falcon.Request, resp: falcon.Response, **_: str) -> None:
        """Falcon passes the variable parts of the path, which a render ignores."""
        self.respond(req, resp)


def _rounded(timings: Timings) -> dict[str, float]:
    return {name: round(value, 1) for name, value in vars(timings).items()}


def _server_timing(timings: Timings) -> str:
    """The header `Server-Timing` (https://www.w3.org/TR/server-timing/), in milliseconds."""
    steps = {
        "wait": timings.waiting_ms,
        "load": timings.loading_ms,
        "settle": timings.settling_ms,
        "capture": timings.capturing_ms,
    }
    return ", ".join(f"{name};dur={value:.1f}" for name, value in steps.items())
