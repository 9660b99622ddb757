"""The routes `/screenshot`, `/pdf`, `/content` and `/scrape`."""

import json
from collections.abc import Callable
from typing import Any

import falcon

from farm.errors import FarmError
from farm.request import RenderResult
from farm.web.compat.browserless.answers import answer_page, answer_text, error_of
from farm.web.compat.browserless.bodies import (
    Content,
    PdfPage,
    Query,
    Scrape,
    Screenshot,
)
from farm.web.compat.browserless.launch import with_old
from farm.web.compat.puppeteer.reading import read
from farm.web.compat.puppeteer.rendering import PageResource
from farm.web.rendering import RenderingResource
from farm.web.routes import Resource

#: Parameters of browserless 1 that are parts of `launch` in browserless 2.
_LEGACY = ("headless", "stealth", "ignoreDefaultArgs", "slowMo", "ignoreHTTPSErrors")


class BrowserlessResource(Resource):
    """A route of browserless. A key may be in its query, and its errors are plain text."""

    key_parameter = "token"

    def answer_error(self, req: falcon.Request, resp: falcon.Response, error: FarmError) -> None:
        answer_text(resp, *error_of(error))


class BrowserlessPageResource(PageResource, BrowserlessResource):
    query = Query

    def parameters(self, query: str) -> dict[str, Any]:
        given = super().parameters(query)
        old = {name: given.pop(name) for name in list(given) if _is_old(name)}
        return given | {"launch": with_old(given.get("launch", "{}"), old)} if old else given

    def answer(self, page: Any, resp: falcon.Response, result: RenderResult) -> None:
        answer_page(resp, result)
        super().answer(page, resp, result)


class ScreenshotResource(BrowserlessPageResource):
    body = Screenshot

    def answer(self, page: Screenshot, resp: falcon.Response, result: RenderResult) -> None:
        super().answer(page, resp, result)
        if page.is_base64:
            resp.content_type = "text/plain; charset=UTF-8"
            resp.data = result.base64.encode()


class PdfResource(BrowserlessPageResource):
    body = PdfPage


class ContentResource(BrowserlessPageResource):
    body = Content

    def answer(self, page: Content, resp: falcon.Response, result: RenderResult) -> None:
        super().answer(page, resp, result)
        resp.content_type = "text/html; charset=UTF-8"
        resp.data = result.data + b"\n"


class ScrapeResource(BrowserlessPageResource):
    body = Scrape

    def answer(self, page: Scrape, resp: falcon.Response, result: RenderResult) -> None:
        found = read(result)
        answer: dict[str, Any] = {"data": found["values"]}
        if page.debug_opts is not None:
            debug: dict[str, Any] = {"network": {"inbound": [], "outbound": []}, "console": []}
            if page.wants("html"):
                debug["html"] = found["html"]
            if page.wants("console"):
                messages = result.facts.get("report", {}).get("console", [])
                debug["console"] = [message["text"] for message in messages]
            answer["debug"] = debug
        answer_page(resp, result)
        resp.content_type = "application/json; charset=UTF-8"
        resp.data = json.dumps(answer, indent=2).encode()


def _is_old(name: str) -> bool:
    return name.startswith("--") or name in _LEGACY


#: The resources, by the last part of their paths.
MAKERS: dict[str, Callable[..., RenderingResource]] = {
    "screenshot": ScreenshotResource,
    "pdf": PdfResource,
    "content": ContentResource,
    "scrape": ScrapeResource,
}
