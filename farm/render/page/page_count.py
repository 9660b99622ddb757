"""Counts the pages of a PDF that Chromium has written.

It follows references from the trailer through the table of objects to the root of the page tree, so
no string in the document can be mistaken for a page. Source: ISO 32000-1, 7.5 and 7.7.3.
"""

import re

_TRAILER = re.compile(rb"trailer\s*<<[^>]*?/Root (\d+) 0 R[^>]*>>\s*startxref\s+(\d+)\s+%%EOF\s*$")
#: The trailer is at the end, and shorter than this.
_TRAILER_BYTES = 1024
_TABLE = re.compile(rb"xref\s+0 \d+\s+")
#: `0000014743 00000 n `, and a line feed.
_ENTRY_BYTES = 20


def page_count(pdf: bytes) -> int:
    """The number of pages. Raises `ValueError` for a PDF that is not Chromium's."""
    trailer = _TRAILER.search(pdf[-_TRAILER_BYTES:])
    table = _TABLE.match(pdf, int(trailer[2])) if trailer else None
    if trailer is None or table is None:
        raise ValueError("not a PDF as Chromium writes them")
    catalog = _object(pdf, table.end(), int(trailer[1]))
    root = _object(pdf, table.end(), _number(rb"/Pages (\d+) 0 R", catalog))
    return _number(rb"/Count (\d+)", root)


def _object(pdf: bytes, table: int, number: int) -> bytes:
    entry = table + number * _ENTRY_BYTES
    start = int(pdf[entry : entry + 10])
    return pdf[start : pdf.index(b"endobj", start)]


def _number(pattern: bytes, text: bytes) -> int:
    match = re.search(pattern, text)
    if match is None:
        raise ValueError("not a PDF as Chromium writes them")
    return int(match[1])
