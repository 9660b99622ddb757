"""Configures logging: a line for each event on stdout, as JSON or as text for a terminal.

Every process calls `configure` at its start, in the main thread. The farm logs with structlog. The
lines of gunicorn, which logs with the standard library, get the same format. The content of pages
(HTML, images, the query of a URL) is never logged.
"""

import logging.config
import re
import sys
from typing import Any, Literal

import structlog
from structlog.typing import Processor

from farm.settings import Settings

_CREDENTIALS = re.compile(r"//[^/@]*@")

_SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure(settings: Settings, stream: Literal["stdout", "stderr"] = "stdout") -> dict[str, Any]:
    """Configure structlog and the standard library's logging; returns the latter's `dictConfig`."""
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    config = _dict_config(settings, stream)
    logging.config.dictConfig(config)
    return config


def _dict_config(settings: Settings, stream: str) -> dict[str, Any]:
    out = getattr(sys, stream)
    is_terminal = out is not None and out.isatty()
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not is_terminal)
    if as_json:
        last: list[Processor] = [
            # Without the values of local variables, which may be passwords or pages.
            structlog.processors.ExceptionRenderer(
                structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
            ),
            structlog.processors.JSONRenderer(),
        ]
    else:
        last = [
            structlog.dev.ConsoleRenderer(
                colors=is_terminal,
                pad_event_to=0,
                exception_formatter=structlog.dev.plain_traceback,
            )
        ]
    level = settings.log_level.upper()
    handler = {"handlers": ["stdout"], "level": level, "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "farm": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": _SHARED,
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
            }
        },
        "handlers": {
            "stdout": {
                "class": "logging.StreamHandler",
                "stream": f"ext://sys.{stream}",
                "formatter": "farm",
            }
        },
        "root": {"handlers": ["stdout"], "level": level},
        "loggers": {
            "gunicorn.error": handler,
            # The engine logs the death of a driver itself. asyncio would add a line for every call
            # that was running.
            "asyncio": {"level": "CRITICAL"},
            # RQ sets its own level to INFO, and logs each step of each job.
            "rq.worker": {"level": "WARNING"},
            "rq.job": {"level": "WARNING"},
            # At DEBUG it logs the bytes of each picture.
            "pyvips": {"level": "WARNING"},
            "pikepdf": {"level": "WARNING"},
            # It logs webhooks' URLs, which are secrets: all at DEBUG, and some as warnings.
            "urllib3": {"level": "ERROR"},
        },
    }


def first_line(exc: BaseException) -> str:
    """The first line of an exception's message for the log, without queries and passwords."""
    line = next(iter(str(exc).splitlines()), "") or type(exc).__name__
    words = (_CREDENTIALS.sub("//", word.partition("?")[0]) for word in line.split())
    return " ".join(words)[:300]
