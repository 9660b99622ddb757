"""Translates the farm's errors to gotenberg's: a status, and a sentence of plain text.

Parts that a person or a program may search for have gotenberg's words. Other errors keep the farm's
sentence. The farm's statuses 422 and 504 are replaced, since gotenberg's clients do not know them.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from farm.errors import (
    Busy,
    Failure,
    FarmError,
    InvalidRequest,
    NavigationFailed,
    OutputTooLarge,
    PageCrashes,
    PageFailed,
    Problem,
    RenderTimeout,
    ScriptFailed,
    SelectorNotFound,
    Unauthorized,
    UnsupportedMediaType,
    UrlRefused,
)
from farm.web.compat.gotenberg import objects
from farm.web.compat.gotenberg.fields import mapped
from farm.web.compat.gotenberg.options import NO_BOX

#: Chromium's network errors for the reasons that the egress proxy gives in words.
_REASONS = {
    "did not answer": "ERR_CONNECTION_TIMED_OUT",
    "name": "ERR_NAME_NOT_RESOLVED",
}
_CHROMIUMS = re.compile(r"(?:ERR_)?[A-Z0-9_]+")
_STATUSES: Mapping[type[FarmError], int] = {
    PageFailed: 409,
    UrlRefused: 403,
    NavigationFailed: 400,
    OutputTooLarge: 400,
    PageCrashes: 400,
    ScriptFailed: 400,
    SelectorNotFound: 400,
    RenderTimeout: 503,
    # gotenberg's status for a full queue.
    Busy: 429,
}
#: The address of a page that has none of its own.
OWN_ADDRESS = "http://page.localhost/"
_WANT_FORM = "Invalid 'Content-Type' header value: want 'multipart/form-data'"
NO_BOUNDARY = "Invalid 'Content-Type' header value: no boundary"
_ABERRANT = "Chromium does not handle the provided settings; please check for aberrant form values"
#: gotenberg's fields by the options that they become, and for options without a field of their own.
_THEIRS = {each.here.strip("`"): each.name for each in mapped()} | {
    "headers": "extraHttpHeaders",
    "scopedHeaders": "extraHttpHeaders",
    **dict.fromkeys(objects.FEATURES.values(), "emulatedMediaFeatures"),
}
#: Options of a PDF's pages. In gotenberg, Chromium checks them.
_SETTINGS = ("options.pdf.paper", "options.pdf.margin", "options.pdf.scale", "options.pdf")


@dataclass(frozen=True)
class Asked:
    """The values of a request that error messages quote."""

    values: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        return str(self.values.get(name, ""))


def told(error: FarmError, asked: Asked) -> tuple[int, str]:
    """The status and the text of an error."""
    status = _STATUSES.get(type(error), error.status)
    match error:
        case UnsupportedMediaType():
            text = str(error) if str(error) == NO_BOUNDARY else _WANT_FORM
        case UrlRefused():
            text = "Forbidden"
        case Unauthorized():
            text = "Unauthorized"
        case PageFailed():
            text = _page_failed(error)
        case ScriptFailed() if NO_BOX in str(error):
            text = _no_box(asked)
        case ScriptFailed() if asked["waitForExpression"]:
            text = (
                f"The expression '{asked['waitForExpression']}' (waitForExpression) returned an "
                "exception or undefined"
            )
        case ScriptFailed() | SelectorNotFound() if asked["selector"]:
            text = _no_box(asked)
        case InvalidRequest():
            text = _invalid(error, asked)
        case _:
            text = str(error)
    return status, text


def _no_box(asked: Asked) -> str:
    return f"The selector '{asked['selector']}' (selector) matched no element with a visible box"


def _invalid(error: InvalidRequest, asked: Asked) -> str:
    if not error.problems:
        return str(error)
    first = error.problems[0]
    pages = asked["nativePageRanges"]
    if first.field == "options.pdf.pages" and "fewer pages" in first.problem:
        return f"The page ranges '{pages}' (nativePageRanges) exceeds the page count"
    if first.field == "options.pdf.pages":
        return f"Chromium does not handle the page ranges '{pages}' (nativePageRanges) syntax"
    if first.field == "options.waitForSelector":
        return (
            f"The selector '{asked['waitForSelector']}' (waitForSelector) returned an exception or "
            "undefined"
        )
    if first.field == "options.selector":
        return _no_box(asked)
    if first.field == "options.pdf" or first.field.startswith(_SETTINGS[:-1]):
        return f"{_ABERRANT} ({first.field.removeprefix('options.')}: {first.problem})"
    if first.field == "url":
        return f"Invalid URL: it {first.problem}"
    problems = (f"{_name(each)}: {each.problem}" for each in error.problems)
    return "Invalid form data: " + "\n".join(problems)


def _name(problem: Problem) -> str:
    """The form's name for the option of a problem, or for the option that contains it."""
    path = problem.field.removeprefix("options.")
    part = path
    while part:
        if part in _THEIRS:
            return f"form field '{_THEIRS[part]}' is invalid"
        part = part.rpartition(".")[0]
    return path


def _page_failed(error: PageFailed) -> str:
    """The text for the kind of failures that gotenberg looks for first."""
    by_kind: dict[str, list[Failure]] = {}
    for failure in error.failures:
        by_kind.setdefault(failure.kind, []).append(failure)
    for kind, text in _KINDS.items():
        if kind in by_kind:
            return text(by_kind[kind])
    return str(error)


def _main_page(failures: Sequence[Failure]) -> str:
    return f"Invalid HTTP status code from the main page: {_status_line(failures[0])}"


def _resources(failures: Sequence[Failure]) -> str:
    lines = (f"{failure.url} - {_status_line(failure)}" for failure in failures)
    return "Invalid HTTP status code from resources:\n" + "\n".join(lines)


def _exceptions(failures: Sequence[Failure]) -> str:
    return "Chromium console exceptions:\n" + "\n".join(each.reason for each in failures)


def _not_loaded(failures: Sequence[Failure]) -> str:
    lines = (f"resource {each.resource}: net::{_net_error(each)} ({each.url})" for each in failures)
    return "Chromium failed to load resources: " + "\n".join(lines)


def _net_error(failure: Failure) -> str:
    if failure.url.startswith(OWN_ADDRESS):
        return "ERR_FILE_NOT_FOUND"
    if _CHROMIUMS.fullmatch(failure.reason):
        return f"ERR_{failure.reason.removeprefix('ERR_')}"
    for words, name in _REASONS.items():
        if words in failure.reason:
            return name
    # The farm's own egress policy refuses the connection.
    return "ERR_CONNECTION_REFUSED"


def _status_line(failure: Failure) -> str:
    known = failure.status in HTTPStatus._value2member_map_
    return f"{failure.status}: {HTTPStatus(failure.status).phrase if known else ''}".rstrip()


#: In the order in which gotenberg looks for them.
_KINDS: Mapping[str, Callable[[Sequence[Failure]], str]] = {
    "status": _main_page,
    "resourceStatus": _resources,
    "pageError": _exceptions,
    "resourceError": _not_loaded,
}
