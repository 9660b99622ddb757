"""The line that the log has of a request."""

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
    """Log what comes of the `with`: its outcome, its milliseconds, and what is put into the dict.

    What lies behind an error is said here and not to the client. `only_errors` is for what clients
    ask again and again.
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
