"""`POST /render` and `POST /render-url`: render now, and answer with files or JSON."""

import json
import uuid
from base64 import b64encode
from functools import partial
from typing import Any

import falcon

from farm.errors import InvalidRequest, Problem
from farm.formats import FORMATS, Format
from farm.renderer import Renderer
from farm.request import URL, RenderRequest, RenderResult
from farm.request.request import OF_JOBS
from farm.request.result import OUTPUTS
from farm.web.body import Bodies
from farm.web.files import answer_not_modified, put_file
from farm.web.negotiation import MULTIPART, wants_file, wants_files
from farm.web.rendering import Answer, RenderingResource
from farm.web.request_forms import read_request
from farm.web.routes import FORM, JSON

_NO_JOB = "is for /render-async; this route answers with the render itself"


class RenderResource(RenderingResource):
    """`sources`: the fields that may name the page. A form has some of them as files."""

    def __init__(self, renderer: Renderer[Any], bodies: Bodies, sources: tuple[str, ...]) -> None:
        super().__init__(renderer, bodies)
        self._sources = sources
        self.media_types = (JSON,) if sources == URL else (JSON, FORM)

    def parse(self, req: falcon.Request, body: bytes) -> tuple[RenderRequest, Answer]:
        request = read_request(req, body, self._sources, self._renderer.limits)
        for field in OF_JOBS:
            if getattr(request, field) != RenderRequest.model_fields[field].default:
                raise InvalidRequest.of(Problem(field, _NO_JOB))
        accept = req.get_header("Accept")
        if request.outputs:
            as_type = wants_files(accept)
            answer = _answer_multipart if as_type == MULTIPART else _answer_file
            return request, partial(answer if as_type else _answer_json, req, request)
        as_file = wants_file(accept, request.format)
        return request, partial(_answer_file if as_file else _answer_json, req, request)


def _answer_file(
    req: falcon.Request, request: RenderRequest, resp: falcon.Response, result: RenderResult
) -> None:
    resp.set_header("Vary", "Accept")
    if not answer_not_modified(req, resp, result):
        put_file(resp, result)


def _answer_multipart(
    req: falcon.Request, request: RenderRequest, resp: falcon.Response, result: RenderResult
) -> None:
    """Answer with a part for each file, with its name and size in pixels (RFC 2046, 5.1.3)."""
    resp.set_header("Vary", "Accept")
    boundary = uuid.uuid4().hex
    resp.content_type = f"{MULTIPART}; boundary={boundary}"
    if result.unfinished:
        resp.set_header("X-Unfinished", str(len(result.unfinished)))
    pieces = []
    for told, member in zip(result.facts[OUTPUTS], result.members, strict=True):
        head = (
            f"--{boundary}\r\n"
            f"Content-Type: {FORMATS[told['format']].media_type}\r\n"
            f'Content-Disposition: attachment; filename="{member.file_name}"\r\n'
            f"Content-Length: {member.size}\r\n"
            f"X-Image-Width: {told['width']}\r\n"
            f"X-Image-Height: {told['height']}\r\n\r\n"
        )
        pieces += [head.encode(), member.of(result.data), b"\r\n"]
    resp.data = b"".join([*pieces, f"--{boundary}--\r\n".encode()])


def _answer_json(
    req: falcon.Request, request: RenderRequest, resp: falcon.Response, result: RenderResult
) -> None:
    resp.set_header("Vary", "Accept")
    # The fields that follow overwrite facts with the same names.
    data: dict[str, Any] = dict(result.facts)
    if request.outputs:
        data |= {OUTPUTS: _outputs(req, result), "requestId": req.context.id}
    else:
        data |= _file(req, result.base64, result.size, result.format, result.width, result.height)
    if request.url is not None:
        data["url"] = request.url
    if result.refusals:
        data["blocked"] = result.blocked
    if result.unfinished:
        data["unfinished"] = result.left_out
    resp.content_type = falcon.MEDIA_JSON
    resp.data = json.dumps({"success": True, "data": data}).encode()


def _outputs(req: falcon.Request, result: RenderResult) -> list[dict[str, Any]]:
    found = []
    for told, member in zip(result.facts[OUTPUTS], result.members, strict=True):
        base64 = b64encode(member.of(result.data)).decode("ascii")
        format_ = FORMATS[told["format"]]
        file = _file(req, base64, member.size, format_, told["width"], told["height"])
        found.append(told | file)
    return found


def _file(
    req: falcon.Request, base64: str, size: int, format_: Format, width: int, height: int
) -> dict[str, Any]:
    return {
        "imageBase64": base64,
        "contentType": format_.media_type,
        "size": size,
        "format": format_.name,
        "width": width,
        "height": height,
        "requestId": req.context.id,
    }
