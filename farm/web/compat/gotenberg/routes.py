"""gotenberg's routes: a form becomes a render, and the answer is a file with a name."""

import uuid
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import NoReturn
from urllib.parse import quote

import falcon
import structlog

from farm.errors import (
    FarmError,
    MethodNotAllowed,
    NotFound,
    NotSupported,
    Unauthorized,
    UnsupportedMediaType,
)
from farm.request import RenderRequest, RenderResult
from farm.web.compat.farm import Farm
from farm.web.compat.gotenberg import downloads, pages, pdfs, webhooks
from farm.web.compat.gotenberg.errors import NO_BOUNDARY, Asked, told
from farm.web.compat.gotenberg.files import plain_name
from farm.web.compat.gotenberg.pages import Page
from farm.web.forms import parse_form
from farm.web.rendering import Answer, RenderingResource
from farm.web.request_log import logged
from farm.web.routes import FORM, Resource

#: The version of gotenberg whose forms and answers these routes follow.
VERSION = "8.36.0"
_TEXT = "text/plain; charset=UTF-8"
_TRACE = "Gotenberg-Trace"
_OUTPUT = "Gotenberg-Output-Filename"
_MAX_NAME = 255
_MAX_TRACE = 200
_HELLO = (
    "Render Farm answers as Gotenberg does here. It has no UI, it's an API: see docs/migrating.md."
)


class _Theirs(Resource):
    """A route whose errors are plain text, and whose answers have the request's trace."""

    def answer_error(self, req: falcon.Request, resp: falcon.Response, error: FarmError) -> None:
        status, text = told(error, getattr(req.context, "asked", Asked()))
        resp.status = status
        resp.content_type = _TEXT
        resp.data = text.encode(errors="replace")
        if status == Unauthorized.status:
            resp.set_header("WWW-Authenticate", 'Basic realm="Restricted"')
        trace(req, resp)


def trace(req: falcon.Request, resp: falcon.Response) -> str:
    """Set the trace header of the answer; returns the trace."""
    found = trace_of(req)
    resp.set_header(_TRACE, found)
    return found


def trace_of(req: falcon.Request) -> str:
    """The client's trace, or the farm's request id."""
    sent = req.get_header(_TRACE) or ""
    is_sane = 0 < len(sent) <= _MAX_TRACE and sent.isascii() and sent.isprintable()
    found: str = sent if is_sane else req.context.log_id
    return found


class FormResource(_Theirs, RenderingResource):
    """One of the six routes: a page from a form or a URL, as a PDF or a picture."""

    media_types = (FORM,)

    def __init__(self, farm: Farm, read: pages.Read) -> None:
        super().__init__(farm.renderer, farm.bodies)
        self._queue = farm.queue
        self._max_output_bytes = farm.settings.max_output_bytes
        self._downloader = farm.downloader
        self._read = read

    def check_media_type(self, content_type: str | None) -> None:
        super().check_media_type(content_type)
        _, parameters = falcon.parse_header(content_type or "")
        if not parameters.get("boundary"):
            raise UnsupportedMediaType(NO_BOUNDARY)

    def on_post(self, req: falcon.Request, resp: falcon.Response, **_: str) -> None:
        structlog.contextvars.bind_contextvars(correlation_id=trace(req, resp))
        calls = webhooks.calls_in(req)
        if calls is None:
            super().on_post(req, resp)
            return
        with logged("submit", req) as line:
            with self._bodies.read(req, self) as body:
                page = self._page(req, body)
            targets = calls.targets(
                trace=trace(req, resp),
                disposition=_disposition(_name(req), _suffix(page.request)),
                asked=Asked(page.values),
            )
            pdfs.check_whole(page.values)
            line["job_id"] = self._queue.submit(
                page.request, req.context.log_id, None, req.context.caller, targets
            )
        resp.status = falcon.HTTP_NO_CONTENT

    def parse(self, req: falcon.Request, body: bytes) -> tuple[RenderRequest, Answer]:
        page = self._page(req, body)
        name = _name(req)

        def answer(resp: falcon.Response, result: RenderResult) -> None:
            content, suffix = result.data, _suffix(page.request)
            resp.content_type = result.format.media_type
            if page.is_split:
                files = pdfs.split(content, page, self._max_output_bytes)
                if len(files) > 1 or not page.values["splitUnify"]:
                    content, suffix = pdfs.zipped(files, name), ".zip"
                    resp.content_type = "application/zip"
                else:
                    content = files[0]
            resp.data = content
            resp.set_header("Content-Disposition", _disposition(name, suffix))

        return page.request_to_render, answer

    def _page(self, req: falcon.Request, body: bytes) -> Page:
        form = parse_form(body, req.content_type or "")
        form = downloads.with_downloads(form, self._downloader, trace_of(req))
        asked = pages.Source(form, self._renderer.limits)
        try:
            return self._read(asked)
        finally:
            # Errors need the values too.
            req.context.asked = Asked(asked.values)


def _name(req: falcon.Request) -> str:
    """The file's name without its suffix."""
    sent = (req.get_header(_OUTPUT) or "").encode("latin-1", "replace").decode("utf-8", "replace")
    return plain_name(sent)[:_MAX_NAME] or str(uuid.uuid4())


def _suffix(request: RenderRequest) -> str:
    return PurePosixPath(f"x.{request.options.format}").suffix


def _disposition(name: str, suffix: str) -> str:
    full = name + suffix
    plain = full.encode("ascii", "replace").decode().replace("\\", "\\\\").replace('"', '\\"')
    header = f'attachment; filename="{plain}"'
    return header if full.isascii() else f"{header}; filename*=UTF-8''{quote(full, safe='')}"


class RootResource(Resource):
    """`GET /`. Other methods have no route here, as without gotenberg's routes."""

    uncounted = frozenset({"GET"})

    def answer_error(self, req: falcon.Request, resp: falcon.Response, error: FarmError) -> None:
        if isinstance(error, MethodNotAllowed):
            resp.delete_header("Allow")
            error = NotFound()
        super().answer_error(req, resp, error)

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        trace(req, resp)
        resp.content_type = "text/html; charset=UTF-8"
        resp.data = _HELLO.encode()


class VersionResource(_Theirs):
    """`GET /version`."""

    uncounted = frozenset({"GET"})

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        trace(req, resp)
        resp.content_type = _TEXT
        resp.data = VERSION.encode()


class IconResource(_Theirs):
    """`GET /favicon.ico`: there is none."""

    uncounted = frozenset({"GET"})

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        trace(req, resp)
        resp.status = falcon.HTTP_NO_CONTENT


class MissingResource(_Theirs):
    """A route of gotenberg that the farm does not support."""

    uncounted = frozenset({"POST"})

    def __init__(self, sentence: str) -> None:
        self._sentence = sentence

    def on_post(self, req: falcon.Request, resp: falcon.Response, **_: str) -> NoReturn:
        raise NotSupported(self._sentence)


_NO_LIBREOFFICE = "The farm has no LibreOffice; it renders HTML, Markdown and URLs."
_NO_PDFS = "The farm takes no PDFs; it renders HTML, Markdown and URLs."
#: The reasons, by the routes' URI templates.
MISSING: Mapping[str, str] = {
    "/forms/libreoffice/{route}": _NO_LIBREOFFICE,
    "/forms/pdfengines/{route}": _NO_PDFS,
    "/forms/pdfengines/{route}/{action}": _NO_PDFS,
}
