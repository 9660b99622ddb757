"""The errors of the client: those of the farm, by their codes, and those that only a client has.

::

    FarmError             farm.errors has one class for each code of a farm
    ├─ UnknownError       a code that this version of the client does not know
    ├─ Unreachable        503 unreachable      no connection, or one that broke
    ├─ DeadlinePassed     504 deadline_passed  the client's own time was over first
    └─ NotAFarm           not_a_farm           another server has answered, such as a proxy

Each error has `status`, `code`, and a sentence, which is `str()` of it. `request_id` is the id of
the request in the farm's log.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any

from farm import clock
from farm.errors import (
    FarmError,
    MethodNotAllowed,
    Problem,
    RangeNotSatisfiable,
    RateLimited,
    Unavailable,
    WithProblems,
)

#: Python refuses to read numbers of thousands of digits.
_SECONDS = re.compile(r"[0-9]{1,1000}")
#: A year. No client waits longer than its deadline, so the limit only keeps the number small.
_MAX_RETRY_AFTER_S = 31_536_000


class UnknownError(WithProblems):
    """A farm's error whose code this version of the client does not know."""

    def __init__(self, sentence: str, status: int, code: str, problems: list[Problem]) -> None:
        super().__init__(sentence, problems)
        self.status = status  # type: ignore[misc]
        self.code = code  # type: ignore[misc]


class Unreachable(FarmError):
    status = 503
    code = "unreachable"
    sentence = "The farm cannot be reached."


class DeadlinePassed(FarmError):
    status = 504
    code = "deadline_passed"
    sentence = "The farm did not answer within the client's deadline."


class NotAFarm(FarmError):
    """The answer does not come from a farm. `status`: the answer's."""

    code = "not_a_farm"
    sentence = "The answer does not come from a farm."

    def __init__(
        self, sentence: str | None = None, status: int = 200, retry_after_s: int | None = None
    ) -> None:
        super().__init__(sentence)
        self.status = status  # type: ignore[misc]
        self.retry_after_s = retry_after_s


def error_of(status: int, headers: Mapping[str, str], body: bytes) -> FarmError:
    """The error in an answer. `headers`: a mapping that ignores the case of names."""
    try:
        told = json.loads(body)
        sentence, code = str(told["error"]), str(told["code"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return NotAFarm(_foreign(status, headers), status, retry_after_s(headers))
    error = error_by_code(sentence, code, status, told.get("details"), headers)
    error.request_id = told.get("requestId") or headers.get("X-Request-Id")
    return error


def error_by_code(
    sentence: str,
    code: str,
    status: int = 500,
    details: object = None,
    headers: Mapping[str, str] | None = None,
) -> FarmError:
    """An error of the class with this code."""
    kind = _classes().get(code)
    problems = list(_problems(details))
    headers = headers or {}
    if kind is None:
        return UnknownError(sentence, status, code, problems)
    if issubclass(kind, MethodNotAllowed):
        return kind([method.strip() for method in headers.get("Allow", "").split(",")])
    if issubclass(kind, RangeNotSatisfiable):
        size = headers.get("Content-Range", "").rpartition("/")[2]
        return kind(int(size) if size.isdecimal() else 0)
    if issubclass(kind, WithProblems):
        return kind(sentence, problems)
    if issubclass(kind, RateLimited | Unavailable):
        return kind(sentence, retry_after_s=retry_after_s(headers) or 1)
    return kind(sentence)


def retry_after_s(headers: Mapping[str, str]) -> int | None:
    """The seconds of `Retry-After`, which has seconds or a date. None if it has neither."""
    text = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(text):
        return min(int(text), _MAX_RETRY_AFTER_S)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    left_s = math.ceil(date.timestamp() - clock.seconds())
    return min(max(left_s, 0), _MAX_RETRY_AFTER_S)


def _foreign(status: int, headers: Mapping[str, str]) -> str:
    """A sentence about an answer that does not come from a farm."""
    if location := headers.get("Location"):
        return f"The farm's address redirects ({status}) to {location[:200]}; use that address."
    kind = headers.get("Content-Type", "no content type").partition(";")[0]
    return (
        f"The answer ({status}, {kind}) does not come from a farm, but from a proxy or another "
        "server at this address."
    )


@cache
def _classes() -> dict[str, type[FarmError]]:
    """The class of each code. Subclasses without a code of their own are left out."""
    return {kind.code: kind for kind in _below(FarmError) if "code" in vars(kind)}


def _below(kind: type[FarmError]) -> Iterator[type[FarmError]]:
    for each in kind.__subclasses__():
        if each.__module__ == FarmError.__module__:
            yield each
            yield from _below(each)


def _problems(details: Any) -> Iterator[Problem]:
    for each in details if isinstance(details, list) else ():
        if isinstance(each, dict):
            yield Problem(str(each.get("field", "")), str(each.get("problem", "")))
