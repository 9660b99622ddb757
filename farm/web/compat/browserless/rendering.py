"""`/screenshot`, `/pdf`, `/content` and `/scrape`."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar
from urllib.parse import parse_qsl

import falcon

from farm.errors import FarmError, InvalidRequest, WithProblems
from farm.parsing import parse_json_object
from farm.request import RenderRequest, RenderResult
from farm.web.compat.browserless.answers import (
    WrongQuery,
    answer_page,
    answer_text,
    error_of,
)
from farm.web.compat.browserless.bodies import (
    AnyPage,
    Content,
    PdfPage,
    Query,
    Scrape,
    Screenshot,
)
from farm.web.compat.puppeteer.declared import requested, theirs
from farm.web.compat.puppeteer.draft import Draft
from farm.web.compat.puppeteer.reading import read
from farm.web.rendering import Answer, RenderingResource
from farm.web.routes import Resource

#: Parameters of browserless 1, which are part of `launch` now.
_LEGACY = ("headless", "stealth", "ignoreDefaultArgs", "slowMo", "ignoreHTTPSErrors")


class BrowserlessResource(Resource):
    """A route of browserless'; a key may be in its query, and its errors are text."""

    key_parameter = "token"

    def answer_error(self, req: falcon.Request, resp: falcon.Response, error: FarmError) -> None:
        answer_text(resp, *error_of(error))


P = TypeVar("P", bound=AnyPage)


class PageResource(BrowserlessResource, RenderingResource, Generic[P]):
    body: ClassVar[type[AnyPage]]

    def parse(self, req: falcon.Request, body: bytes) -> tuple[RenderRequest, Answer]:
        draft = Draft(self._renderer.limits)
        _fill_from_query(draft, req.query_string)
        page = self.body.read(parse_json_object(body))
        page.fill(draft)
        request = requested(self.body, draft)
        return request, partial(self._answer, page)

    def answer_error(self, req: falcon.Request, resp: falcon.Response, error: FarmError) -> None:
        if isinstance(error, InvalidRequest) and not isinstance(error, WrongQuery):
            # What only the loaded page could tell has the farm's names.
            problems = [theirs(self.body, problem) for problem in error.problems]
            error = InvalidRequest(str(error), problems)
        super().answer_error(req, resp, error)

    def _answer(self, page: Any, resp: falcon.Response, result: RenderResult) -> None:
        answer_page(resp, result)
        self.answer(page, resp, result)

    def answer(self, page: Any, resp: falcon.Response, result: RenderResult) -> None:
        resp.content_type = result.format.media_type
        resp.data = result.data


class ScreenshotResource(PageResource[Screenshot]):
    body = Screenshot

    def answer(self, page: Screenshot, resp: falcon.Response, result: RenderResult) -> None:
        if page.is_base64:
            resp.content_type = "text/plain; charset=UTF-8"
            resp.data = result.base64.encode()
        else:
            super().answer(page, resp, result)


class PdfResource(PageResource[PdfPage]):
    body = PdfPage


class ContentResource(PageResource[Content]):
    body = Content

    def answer(self, page: Content, resp: falcon.Response, result: RenderResult) -> None:
        resp.content_type = "text/html; charset=UTF-8"
        resp.data = result.data + b"\n"


class ScrapeResource(PageResource[Scrape]):
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
        resp.content_type = "application/json; charset=UTF-8"
        resp.data = json.dumps(answer, indent=2, ensure_ascii=False).encode(errors="replace")


def _fill_from_query(draft: Draft, query: str) -> None:
    """Raises `WrongQuery`."""
    given: dict[str, Any] = {
        name: value or "true" for name, value in parse_qsl(query, keep_blank_values=True)
    }
    old = {name: given.pop(name) for name in list(given) if _is_old(name)}
    if old and "launch" not in given:
        given["launch"] = json.dumps(_as_launch(old))
    try:
        Query.read(given).fill(draft)
    except InvalidRequest as exc:
        raise WrongQuery(None, exc.problems) from None
    if draft.problems:
        raise WrongQuery(None, draft.problems)


def _is_old(name: str) -> bool:
    return name.startswith("--") or name in _LEGACY


def _as_launch(old: dict[str, str]) -> dict[str, Any]:
    switches = [
        name if value == "true" else f"{name}={value}"
        for name, value in old.items()
        if name.startswith("--")
    ]
    others = {name: value for name, value in old.items() if not name.startswith("--")}
    return {**others, "args": switches} if switches else others


#: By the last part of their paths.
MAKERS: dict[str, Callable[..., RenderingResource]] = {
    "screenshot": ScreenshotResource,
    "pdf": PdfResource,
    "content": ContentResource,
    "scrape": ScrapeResource,
}
