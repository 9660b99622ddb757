"""Answers in Cloudflare's form: pictures and PDFs as they are, all else in one JSON shape.

Source: https://developers.cloudflare.com/browser-run/reference/errors/
"""

import json
from typing import Any

import falcon

from farm.errors import (
    FarmError,
    InternalError,
    InvalidRequest,
    NavigationFailed,
    OutputTooLarge,
    PageCrashes,
    RateLimited,
    RenderTimeout,
    ScriptFailed,
    SelectorNotFound,
    Unauthorized,
    UrlRefused,
)
from farm.request import RenderResult

_JSON = "application/json"
#: Cloudflare's error codes. Other errors have their status as the code.
_CODES: dict[type[FarmError], int] = {
    Unauthorized: 10000,
    InternalError: 2000,
    RateLimited: 2001,
    NavigationFailed: 5009,
    UrlRefused: 5010,
    ScriptFailed: 6000,
    PageCrashes: 6001,
    RenderTimeout: 6002,
    OutputTooLarge: 6003,
}


def answer_error(resp: falcon.Response, error: FarmError) -> None:
    status = error.status
    texts = [str(error)]
    match error:
        case RenderTimeout():
            status = 408
        case SelectorNotFound():
            status = 400
        case InvalidRequest() if error.problems:
            texts = [
                f"{each.field}: {each.problem}" if each.field else each.problem
                for each in error.problems
            ]
        case Unauthorized():
            texts = ["Authentication error"]
    code = next((code for kind, code in _CODES.items() if isinstance(error, kind)), status)
    errors = [{"code": code, "message": text} for text in texts]
    resp.status = status
    _put(resp, {"success": False, "errors": errors, "messages": [], "result": None})


def answer_result(
    resp: falcon.Response, result: RenderResult, value: Any, title: str | None = None
) -> None:
    """Answer with `value` and facts about the page.

    `title`: if it is not the document's any more.
    """
    meta = {
        "status": result.facts.get("status", result.status),
        "title": title or result.facts.get("title", ""),
    }
    _put(resp, {"success": True, "result": value, "meta": meta, "errors": [], "messages": []})


def _put(resp: falcon.Response, answer: dict[str, Any]) -> None:
    resp.content_type = _JSON
    resp.data = json.dumps(answer).encode()
