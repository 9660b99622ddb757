"""`POST /render` and `POST /render-url`: a render as a file or as JSON."""

import json
from functools import partial
from typing import Any

import falcon

from farm.errors import InvalidRequest, Problem
from farm.formats import FORMATS
from farm.renderer import Renderer
from farm.request import RenderRequest, RenderResult
from farm.web.body import Bodies
from farm.web.negotiation import has_tag, wants_file
from farm.web.rendering import Answer, RenderingResource


class RenderResource(RenderingResource):
    """`sources` are the fields that may name the page."""

    def __init__(self, renderer: Renderer[Any], bodies: Bodies, sources: tuple[str, ...]) -> None:
        super().__init__(renderer, bodies)
        self._sources = sources

    def parse(self, req: falcon.Request, body: bytes) -> tuple[RenderRequest, Answer]:
        request = RenderRequest.parse(body, self._sources, self._renderer.limits)
        if request.webhook is not None:
            text = "is for /render-async; this route answers with the render itself"
            raise InvalidRequest.of(Problem("webhook", text))
        as_file = wants_file(req.get_header("Accept"), FORMATS[request.options.format])
        return request, partial(_answer, req, request, as_file)


def _answer(
    req: falcon.Request,
    request: RenderRequest,
    as_file: bool,
    resp: falcon.Response,
    result: RenderResult,
) -> None:
    resp.set_header("Vary", "Accept")
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
