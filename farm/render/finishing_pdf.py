"""Finishes a PDF after Chromium has written it: sets its metadata and passwords.

The thread that waits for the render calls it, through `finishing`.
"""

from dataclasses import replace
from typing import TypeGuard

import structlog

from farm.errors import InternalError
from farm.logs import first_line
from farm.pdf_files import BrokenPdf, has_metadata, rewrite
from farm.render.page.caps import check_bytes
from farm.request import RenderResult
from farm.request.pdf import PdfOptions

log = structlog.get_logger()


def needs_finishing(asked: PdfOptions | None) -> TypeGuard[PdfOptions]:
    return asked is not None and (asked.is_encrypted or has_metadata(asked.metadata))


def finish_pdf(result: RenderResult, asked: PdfOptions, max_output_bytes: int) -> RenderResult:
    """The result with the metadata and passwords of the request.

    Raises `OutputTooLarge`.
    """
    try:
        content = rewrite(result.data, asked)
    except BrokenPdf as exc:
        log.error("PDF not finished", cause=first_line(exc.__cause__ or exc))
        raise InternalError() from exc
    check_bytes(len(content), max_output_bytes)
    return replace(result, content=content)
