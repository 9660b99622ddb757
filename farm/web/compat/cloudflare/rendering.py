"""Cloudflare's routes that render, and those that the farm does not support."""

from base64 import b64encode
from collections.abc import Callable
from typing import Any

import falcon

from farm.errors import FarmError
from farm.request import RenderResult
from farm.request.result import OUTPUTS
from farm.web.compat.cloudflare import answers
from farm.web.compat.cloudflare.bodies import (
    Content,
    Links,
    PdfPage,
    Query,
    Scrape,
    Screenshot,
    Snapshot,
)
from farm.web.compat.puppeteer.reading import read
from farm.web.compat.puppeteer.rendering import PageResource, Unsupported
from farm.web.rendering import RenderingResource
from farm.web.routes import Resource


class CloudflareResource(Resource):
    """A route whose errors have Cloudflare's form."""

    def answer_error(self, req: falcon.Request, resp: falcon.Response, error: FarmError) -> None:
        answers.answer_error(resp, error)


class CloudflarePageResource(PageResource, CloudflareResource):
    query = Query


class ScreenshotResource(CloudflarePageResource):
    body = Screenshot

    def answer(self, page: Screenshot, resp: falcon.Response, result: RenderResult) -> None:
        if page.is_base64:
            resp.content_type = "text/plain; charset=utf-8"
            resp.data = result.base64.encode()
        else:
            super().answer(page, resp, result)


class PdfResource(CloudflarePageResource):
    body = PdfPage


class ContentResource(CloudflarePageResource):
    body = Content

    def answer(self, page: Content, resp: falcon.Response, result: RenderResult) -> None:
        answers.answer_result(resp, result, result.data.decode())


class SnapshotResource(CloudflarePageResource):
    body = Snapshot

    def answer(self, page: Snapshot, resp: falcon.Response, result: RenderResult) -> None:
        found = {}
        for told, member in zip(result.facts[OUTPUTS], result.members, strict=True):
            data = member.of(result.data)
            is_text = told["name"] == "content"
            found[told["name"]] = data.decode() if is_text else b64encode(data).decode()
        answers.answer_result(resp, result, found)


class ValuesResource(CloudflarePageResource):
    """`/scrape` and `/links`: values that are read from the page."""

    def answer(self, page: Any, resp: falcon.Response, result: RenderResult) -> None:
        found = read(result)
        answers.answer_result(resp, result, found["values"], found["title"])


class ScrapeResource(ValuesResource):
    body = Scrape


class LinksResource(ValuesResource):
    body = Links


class UnsupportedResource(Unsupported, CloudflareResource):
    uncounted = frozenset({"GET", "POST"})


#: The resources, by the last part of their paths.
MAKERS: dict[str, Callable[..., RenderingResource]] = {
    "screenshot": ScreenshotResource,
    "pdf": PdfResource,
    "content": ContentResource,
    "snapshot": SnapshotResource,
    "scrape": ScrapeResource,
    "links": LinksResource,
}
UNSUPPORTED = {
    "json": "The farm uses no language model: /scrape reads elements, /content is the HTML.",
    "markdown": "The farm makes no Markdown of pages: /content is the HTML.",
    "crawl": "The farm does not crawl: /links has a page's links.",
    "accessibilityTree": "The farm does not make accessibility trees.",
}
