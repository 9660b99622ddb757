"""What is done to a PDF after Chromium has written it: what it says of itself, and its password."""

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeGuard

import structlog

from farm.errors import InternalError
from farm.logs import first_line
from farm.render.page.caps import check_bytes
from farm.request import RenderResult
from farm.request.pdf import Metadata, PdfOptions

if TYPE_CHECKING:
    import pikepdf

log = structlog.get_logger()

#: Where each of them stands in XMP (ISO 16684-1); pikepdf writes the older dictionary from that.
_PLACES = {
    "title": "dc:title",
    "author": "dc:creator",
    "subject": "dc:description",
    "keywords": "pdf:Keywords",
    "creator": "xmp:CreatorTool",
}


def needs_finishing(asked: PdfOptions | None) -> TypeGuard[PdfOptions]:
    return asked is not None and (asked.password is not None or bool(_texts(asked.metadata)))


def finish_pdf(result: RenderResult, asked: PdfOptions, max_output_bytes: int) -> RenderResult:
    """The result with the metadata and the password that are asked for.

    Raises `OutputTooLarge`.
    """
    # Here, since most processes of a farm never need it.
    from pikepdf import PdfError

    try:
        content = _rewritten(result.data, asked)
    except PdfError as exc:
        log.error("PDF not finished", cause=first_line(exc))
        raise InternalError() from exc
    check_bytes(len(content), max_output_bytes)
    return replace(result, content=content)


def _rewritten(pdf: bytes, asked: PdfOptions) -> bytes:
    import pikepdf

    with pikepdf.open(io.BytesIO(pdf)) as document:
        if texts := _texts(asked.metadata):
            _describe(document, texts)
        # The same document has the same bytes, unless it is encrypted.
        how: dict[str, Any] = {"deterministic_id": True}
        if asked.password is not None:
            # Another password for the owner would only forbid what no reader has to forbid.
            how = {"encryption": pikepdf.Encryption(owner=asked.password, user=asked.password, R=6)}
        finished = io.BytesIO()
        document.save(finished, **how)
    return finished.getvalue()


def _texts(metadata: Metadata | None) -> dict[str, str]:
    return metadata.model_dump(exclude_none=True) if metadata is not None else {}


def _describe(document: "pikepdf.Pdf", texts: dict[str, str]) -> None:
    with document.open_metadata(set_pikepdf_as_editor=False) as metadata:
        # What there is of it stays.
        metadata.load_from_docinfo(document.docinfo)
        for name, text in texts.items():
            metadata[_PLACES[name]] = [text] if name == "author" else text
