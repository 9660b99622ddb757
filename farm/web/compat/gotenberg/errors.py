"""The farm's errors in gotenberg's words: a status, and a sentence of plain text.

What a person or a program may look for in it is as gotenberg says it; all else is the farm's own
sentence. Of the farm's statuses gotenberg's clients do not know 422 and 504.
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

#: Why something could not be loaded, as Chromium names what the egress proxy has in words.
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
    # Their word for a queue that is full.
    Busy: 429,
}
#: Where a page is that has no address of its own.
OWN_ADDRESS = "http://page.localhost/"
_WANT_FORM = "Invalid 'Content-Type' header value: want 'multipart/form-data'"
NO_BOUNDARY = "Invalid 'Content-Type' header value: no boundary"
_ABERRANT = "Chromium does not handle the provided settings; please check for aberrant form values"
#: Names of theirs, by the options that they become, and by those that have no field of their own.
_THEIRS = {each.here.strip("`"): each.name for each in mapped()} | {
    "headers": "extraHttpHeaders",
    "scopedHeaders": "extraHttpHeaders",
    **dict.fromkeys(objects.FEATURES.values(), "emulatedMediaFeatures"),
}
#: Options of a PDF's pages, which Chromium checks there.
_SETTINGS = ("options.pdf.paper", "options.pdf.margin", "options.pdf.scale", "options.pdf")


@dataclass(frozen=True)
class Asked:
    """What a request asked for, as far as errors speak of it."""

    values: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        return str(self.values.get(name, ""))


def told(error: FarmError, asked: Asked) -> tuple[int, str]:
    """The status and the text."""
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
    """The form's own name of it: of an option, or of what it is a part of."""
    path = problem.field.removeprefix("options.")
    part = path
    while part:
        if part in _THEIRS:
            return f"form field '{_THEIRS[part]}' is invalid"
        part = part.rpartition(".")[0]
    return path


def _page_failed(error: PageFailed) -> str:
    """Only of the kind that gotenberg looks for first."""
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
    # The farm's own policy does.
    return "ERR_CONNECTION_REFUSED"


def _status_line(failure: Failure) -> str:
    known = failure.status in HTTPStatus._value2member_map_
    return f"{failure.status}: {HTTPStatus(failure.status).phrase if known else ''}".rstrip()


#: In the order in which gotenberg looks at them.
_KINDS: Mapping[str, Callable[[Sequence[Failure]], str]] = {
    "status": _main_page,
    "resourceStatus": _resources,
    "pageError": _exceptions,
    "resourceError": _not_loaded,
}
