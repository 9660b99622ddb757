"""Splits a PDF into files."""

import io
import zipfile
from collections.abc import Sequence

from farm.errors import InternalError, NotSupported, OutputTooLarge
from farm.pdf_files import BrokenPdf, page_count
from farm.pdf_files import split as split_file
from farm.request.pdf import DEFAULTS
from farm.web.compat.gotenberg import splitting
from farm.web.compat.gotenberg.fields import Values
from farm.web.compat.gotenberg.pages import Page

#: A fixed date, so that the same files give the same ZIP.
_NO_DATE = (1980, 1, 1, 0, 0, 0)


def check_whole(values: Values) -> None:
    """Raises `NotSupported` if the PDF is to be split: a job's file is stored as it is."""
    if values.get("splitMode"):
        raise NotSupported("splitMode: not together with a webhook.")


def split(pdf: bytes, page: Page, max_bytes: int) -> list[bytes]:
    """The parts of the PDF, each finished. Raises `OutputTooLarge` and `InvalidRequest`."""
    files: list[bytes] = []
    size = 0
    try:
        parts = splitting.parts(page.values, page_count(pdf)) or []
        for file in split_file(pdf, parts, page.request.options.pdf or DEFAULTS):
            files.append(file)
            size += len(file)
            if size > max_bytes:
                raise OutputTooLarge(
                    f"The PDF's parts would have more than {max_bytes:,} bytes together."
                )
    except BrokenPdf as exc:
        raise InternalError() from exc
    return files


def zipped(files: Sequence[bytes], name: str) -> bytes:
    """A ZIP of `name_0.pdf`, `name_1.pdf`, …"""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for number, data in enumerate(files):
            archive.writestr(zipfile.ZipInfo(f"{name}_{number}.pdf", _NO_DATE), data)
    return written.getvalue()
