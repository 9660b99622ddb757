"""Several files of one render as one: a ZIP that holds each as it is, not compressed.

So a part of the ZIP is one of its files. Where each begins follows from the names and the sizes of
those before it: neither has anything else in its header.
"""

import io
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

#: Of the header that stands before each file, without its name (APPNOTE.TXT, 4.3.7).
_HEADER_BYTES = 30


@dataclass(frozen=True)
class Member:
    """Where one of the files is: its first byte, and how many it has."""

    file_name: str
    offset: int
    size: int

    def of(self, bundle: bytes) -> bytes:
        return bundle[self.offset : self.offset + self.size]


def pack(files: Iterable[tuple[str, bytes]]) -> bytes:
    """The ZIP of files with these names, which are ASCII; the same files give the same bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as bundle:
        for name, data in files:
            # Of the first moment that a ZIP can tell.
            bundle.writestr(zipfile.ZipInfo(name), data)
    return packed.getvalue()


def members(files: Iterable[tuple[str, int]]) -> Iterator[Member]:
    """Where each file is in the ZIP that `pack` makes of files with these names and sizes."""
    offset = 0
    for name, size in files:
        offset += _HEADER_BYTES + len(name)
        yield Member(name, offset, size)
        offset += size
