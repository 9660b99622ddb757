"""Answers in browserless' form: files as they are, errors as plain text."""

import http.client

import falcon

from farm.errors import (
    Busy,
    FarmError,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    Problem,
    RateLimited,
    RenderTimeout,
    ScriptFailed,
    SelectorNotFound,
    Unauthorized,
    UnsupportedMediaType,
    WithProblems,
)
from farm.request import RenderResult
from farm.web.compat.puppeteer.rendering import WrongQuery

TEXT = "text/plain; charset=UTF-8"
_NO_ELEMENT = "Element not found on page!"
_NOT_FOUND = (
    "Not Found: Please verify the endpoint URL, the HTTP method (e.g., POST, GET), and check that "
    "your Content-Type header is supported (e.g., application/json)."
)
_MAX_URL = 1000


def error_of(error: FarmError) -> tuple[int, str]:
    """The status and the text that browserless uses for the error."""
    match error:
        case Unauthorized():
            return 401, "Bad or missing authentication."
        case NotFound() | MethodNotAllowed() | UnsupportedMediaType():
            return 404, _NOT_FOUND
        case Busy() | RateLimited():
            return 429, "Too many requests"
        case RenderTimeout():
            return 408, str(error)
        case SelectorNotFound():
            return 400, _NO_ELEMENT
        case ScriptFailed():
            return 400, str(error)
        case WrongQuery():
            return 400, f"Query-parameter validation failed: {_listed(error.problems)}"
        case WithProblems() if error.problems and isinstance(error, InvalidRequest):
            return 400, f"POST Body validation failed: {_listed(error.problems)}"
        case InternalError():
            return 500, "Internal Server Error"
    return error.status, str(error)


def _listed(problems: tuple[Problem, ...]) -> str:
    return "\n".join(
        f'"{each.field}" {each.problem}' if each.field else each.problem for each in problems
    )


def answer_text(resp: falcon.Response, status: int, text: str) -> None:
    resp.status = status
    resp.content_type = TEXT
    resp.data = f"{text}\n".encode()


def answer_page(resp: falcon.Response, result: RenderResult) -> None:
    """Set headers for the page's own answer, if the page came from a URL."""
    status, url = result.facts.get("status"), result.facts.get("finalUrl")
    if isinstance(status, int):
        resp.set_header("X-Response-Code", str(status))
        if phrase := http.client.responses.get(status):
            resp.set_header("X-Response-Status", phrase)
    if isinstance(url, str):
        resp.set_header("X-Response-URL", url[:_MAX_URL])
