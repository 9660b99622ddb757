"""A route whose body is a page as Puppeteer's users describe it."""

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

#: How the engine names a script that the farm has made of a field, and not the caller.
_OURS = re.compile(r"^(onLoad|scripts)\.\d+ threw an error in the page: (Error: )?")

#: How it names what it still waited for.
_WAITED_FOR = re.compile(r"\b([a-z]+[A-Za-z]*(?:\.\d+)?)(?= was still waited for)")


class WrongQuery(InvalidRequest):
    """A parameter is wrong, and not the body."""


class PageResource(RenderingResource):
    """A subclass names what it takes, and says how it answers."""

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
        """Of a query, as its model takes them; what has no value is true."""
        return {name: value or "true" for name, value in parse_qsl(query, keep_blank_values=True)}

    def answer(self, page: Any, resp: falcon.Response, result: RenderResult) -> None:
        """Put the result into the response. Raises a `FarmError` where it is none."""
        resp.content_type = result.format.media_type
        resp.data = result.data

    def answer_error(self, req: falcon.Request, resp: falcon.Response, error: FarmError) -> None:
        # None: the body has not become a request, and what is wrong with it has its own names.
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
        """What was waited for, by the body's name of it."""
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
    """A route that says why the farm has no like of it."""

    def __init__(self, sentence: str) -> None:
        self._sentence = sentence

    def on_get(self, req: falcon.Request, resp: falcon.Response, **_: str) -> None:
        raise NotSupported(self._sentence)

    on_post = on_get
