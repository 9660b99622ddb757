"""Changes PDF files without a browser: their metadata and passwords, and splitting.

Threads that wait for a render or handle a request call it. pikepdf is imported inside the
functions, since most processes of a farm never need it.
"""

import io
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from farm.request.pdf import PdfOptions
from farm.request.pdf_metadata import Metadata

if TYPE_CHECKING:
    import pikepdf

#: The XMP property of each field (ISO 16684-1). pikepdf derives the older dictionary from XMP.
_PLACES = {
    "title": "dc:title",
    "author": "dc:creator",
    "subject": "dc:description",
    "keywords": "pdf:Keywords",
    "creator": "xmp:CreatorTool",
    "producer": "pdf:Producer",
    "rights": "dc:rights",
    "trapped": "pdf:Trapped",
    "created": "xmp:CreateDate",
    "modified": "xmp:ModifyDate",
    "is_protected": "xmpRights:Marked",
}


class BrokenPdf(Exception):
    """The file is not a readable PDF. The cause says why."""


def has_metadata(metadata: Metadata | None) -> bool:
    """Whether the request sets any metadata."""
    return bool(_values(metadata))


def rewrite(pdf: bytes, asked: PdfOptions) -> bytes:
    """The file with the metadata and passwords of the request. Raises `BrokenPdf`."""
    with _opened(pdf) as document:
        if values := _values(asked.metadata):
            _describe(document, values)
        return _saved(document, asked)


def split(pdf: bytes, parts: Iterable[Sequence[int]], asked: PdfOptions) -> Iterator[bytes]:
    """One file for each part, which lists its pages from 0; each is finished as by `rewrite`.

    Each part has the metadata of the whole file. Raises `BrokenPdf`.
    """
    import pikepdf

    with _opened(pdf) as document:
        if values := _values(asked.metadata):
            _describe(document, values)
        for pages in parts:
            with pikepdf.new() as part:
                part.pages.extend(document.pages[page] for page in pages)
                part.docinfo.update(part.copy_foreign(document.docinfo))
                if "/Metadata" in document.Root:
                    part.Root.Metadata = part.copy_foreign(document.Root.Metadata)
                yield _saved(part, asked)


def page_count(pdf: bytes) -> int:
    """The number of pages. Raises `BrokenPdf`."""
    with _opened(pdf) as document:
        return len(document.pages)


def _opened(pdf: bytes) -> "pikepdf.Pdf":
    import pikepdf

    try:
        return pikepdf.open(io.BytesIO(pdf))
    except pikepdf.PdfError as exc:
        raise BrokenPdf from exc


def _saved(document: "pikepdf.Pdf", asked: PdfOptions) -> bytes:
    import pikepdf

    # Makes the bytes reproducible. Encryption excludes it.
    how: dict[str, Any] = {"deterministic_id": True}
    if asked.is_encrypted:
        how = {"encryption": _encryption(asked)}
    finished = io.BytesIO()
    try:
        document.save(finished, **how)
    except pikepdf.PdfError as exc:
        raise BrokenPdf from exc
    return finished.getvalue()


def _encryption(asked: PdfOptions) -> "pikepdf.Encryption":
    import pikepdf

    allowed = asked.permissions
    return pikepdf.Encryption(
        owner=asked.owner_password or asked.password or "",
        user=asked.password or "",
        R=6,
        allow=pikepdf.Permissions(
            accessibility=True,
            extract=allowed.copying,
            modify_annotation=allowed.annotating,
            modify_assembly=allowed.assembling,
            modify_form=allowed.filling_forms,
            modify_other=allowed.modifying,
            print_lowres=allowed.printing,
            print_highres=allowed.printing,
        ),
    )


def _values(metadata: Metadata | None) -> dict[str, str | bool]:
    return metadata.model_dump(exclude_none=True) if metadata is not None else {}


def _describe(document: "pikepdf.Pdf", values: dict[str, str | bool]) -> None:
    with document.open_metadata(set_pikepdf_as_editor=False) as metadata:
        # Keep the fields that the request does not set.
        metadata.load_from_docinfo(document.docinfo)
        for name, value in values.items():
            metadata[_PLACES[name]] = _in_xmp(name, value)
    if "trapped" in values:
        from pikepdf import Name

        document.docinfo["/Trapped"] = Name(f"/{values['trapped']}")


def _in_xmp(name: str, value: str | bool) -> Any:
    if isinstance(value, bool):
        return str(value)
    return [value] if name == "author" else value
