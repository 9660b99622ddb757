"""Writes the log's line about a request. Resources and middleware use `logged`."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import falcon
import structlog

from farm.errors import FarmError, InternalError
from farm.links import without_payload
from farm.logs import first_line

log = structlog.get_logger()


@contextmanager
def logged(event: str, req: falcon.Request, only_errors: bool = False) -> Iterator[dict[str, Any]]:
    """Log the outcome of the `with`, its milliseconds, and the fields that are put into the dict.

    The line also has the cause of an error, which the client does not see. `only_errors` is for
    requests that clients repeat often.
    """
    started = time.perf_counter()
    line: dict[str, Any] = {"route": without_payload(req.path)}
    try:
        yield line
    except FarmError as exc:
        line |= {"outcome": "error", "code": exc.code}
        if exc.__cause__ is not None:
            line["cause"] = first_line(exc.__cause__)
        level = log.error if isinstance(exc, InternalError) else log.info
        level(event, **line, total_ms=_since(started))
        raise
    if not only_errors:
        log.info(event, **line, outcome="ok", total_ms=_since(started))


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)
