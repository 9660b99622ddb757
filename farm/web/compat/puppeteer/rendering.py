"""A route whose body describes a page in Puppeteer's terms."""

import re
from collections.abc import Container
from functools import partial
from typing import Any, ClassVar
from urllib.parse import parse_qsl

import falcon

from farm.errors import (
    FarmError,
    InvalidRequest,
    NotSupported,
    Problem,
    RenderTimeout,
    ScriptFailed,
)
from farm.parsing import parse_json_object
from farm.request import RenderRequest, RenderResult
from farm.web.compat.puppeteer.declared import Body, requested, theirs
from farm.web.compat.puppeteer.draft import Draft
from farm.web.compat.puppeteer.page import Page
from farm.web.compat.puppeteer.reading import failure_of
from farm.web.rendering import Answer, RenderingResource
from farm.web.routes import Resource

#: The engine's name for a script that the farm, not the caller, has made from a field.
_OURS = re.compile(r"^(onLoad|scripts)\.\d+ threw an error in the page: (Error: )?")

#: The engine's name for what it was still waiting for.
_WAITED_FOR = re.compile(r"\b([a-z]+[A-Za-z]*(?:\.\d+)?)(?= was still waited for)")


class WrongQuery(InvalidRequest):
    """A query parameter is wrong, not the body."""


class PageResource(RenderingResource):
    """A subclass names its body and query, and may change how it answers."""

    body: ClassVar[type[Page]]
    query: ClassVar[type[Body]]

    def parse(self, req: falcon.Request, body: bytes) -> tuple[RenderRequest, Answer]:
        draft = Draft(self._renderer.limits)
        self._read_query(draft, req.query_string)
        page = self.body.read(parse_json_object(body))
        page.fill(draft)
        request = requested(self.body, draft)
        req.context.given = page.given
        return request, partial(self.answer, page)

    def parameters(self, query: str) -> dict[str, Any]:
        """The parameters of a query. One without a value is true."""
        return {name: value or "true" for name, value in parse_qsl(query, keep_blank_values=True)}

    def answer(self, page: Any, resp: falcon.Response, result: RenderResult) -> None:
        """Put the result into the response. Raises a `FarmError` if the result is unusable."""
        resp.content_type = result.format.media_type
        resp.data = result.data

    def answer_error(self, req: falcon.Request, resp: falcon.Response, error: FarmError) -> None:
        # None: the body has not become a request, and its problems have the body's names already.
        given = getattr(req.context, "given", None)
        if isinstance(error, InvalidRequest) and given is not None:
            problems = [theirs(self.body, problem, given) for problem in error.problems]
            error = InvalidRequest(str(error), problems)
        elif isinstance(error, ScriptFailed):
            text = _OURS.sub("", str(error))
            error = failure_of(text) or ScriptFailed(text)
        elif isinstance(error, RenderTimeout):
            named = partial(self._named, given or ())
            error = RenderTimeout(_WAITED_FOR.sub(named, str(error)))
        super().answer_error(req, resp, error)

    def _named(self, given: Container[str], step: re.Match[str]) -> str:
        """The body's name for what was waited for."""
        return theirs(self.body, Problem(f"options.{step[1]}", ""), given).field

    def _read_query(self, draft: Draft, query: str) -> None:
        """Raises `WrongQuery`."""
        try:
            self.query.read(self.parameters(query)).fill(draft)
        except InvalidRequest as exc:
            raise WrongQuery(None, exc.problems) from None
        if draft.problems:
            raise WrongQuery(None, draft.problems)


class Unsupported(Resource):
    """A route that answers with the reason why the farm does not support it."""

    def __init__(self, sentence: str) -> None:
        self._sentence = sentence

    def on_get(self, req: falcon.Request, resp: falcon.Response, **_: str) -> None:
        raise NotSupported(self._sentence)

    on_post = on_get
