"""Logging: one line an event on stdout, JSON for machines, plain for a person at a terminal.

The farm logs through structlog; gunicorn, which uses the standard library's logging, comes out in
the same shape. What a page is made of (HTML, images, a URL's query) never gets here.
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
    """Set structlog up; returns the standard library's `dictConfig` that fits it."""
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
            # Without the values of variables: passwords and pages are among them.
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
            # The engine tells of a driver's death itself; asyncio adds a line for every call that
            # was under way.
            "asyncio": {"level": "CRITICAL"},
            # RQ sets its own to INFO, and tells each step of each job.
            "rq.worker": {"level": "WARNING"},
            "rq.job": {"level": "WARNING"},
            # At DEBUG it tells the bytes of each picture.
            "pyvips": {"level": "WARNING"},
            "pikepdf": {"level": "WARNING"},
            # It tells webhooks' URLs, which are secrets: at DEBUG of each, as a warning of some.
            "urllib3": {"level": "ERROR"},
        },
    }


def first_line(exc: BaseException) -> str:
    """What an exception says, for the log: its first line, without any URL's query or password."""
    line = next(iter(str(exc).splitlines()), "") or type(exc).__name__
    words = (_CREDENTIALS.sub("//", word.partition("?")[0]) for word in line.split())
    return " ".join(words)[:300]
