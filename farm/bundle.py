"""Packs several files of one render into a ZIP, without compression.

The engine packs, and the web layer and the job queue serve single files out of the ZIP. No file is
compressed, so each is a slice of the ZIP. Its offset follows from the names and sizes of the files
before it, since their headers have no other variable parts.
"""

import io
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

#: The size of a file's header without its name (APPNOTE.TXT, 4.3.7).
_HEADER_BYTES = 30


@dataclass(frozen=True)
class Member:
    """Where a file is in the ZIP: the offset of its first byte, and its size."""

    file_name: str
    offset: int
    size: int

    def of(self, bundle: bytes) -> bytes:
        return bundle[self.offset : self.offset + self.size]


def pack(files: Iterable[tuple[str, bytes]]) -> bytes:
    """The ZIP of the files, whose names are ASCII. The same files always give the same bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as bundle:
        for name, data in files:
            # `ZipInfo` dates the file to 1980, the earliest year that a ZIP can express.
            bundle.writestr(zipfile.ZipInfo(name), data)
    return packed.getvalue()


def members(files: Iterable[tuple[str, int]]) -> Iterator[Member]:
    """Where `pack` puts each file, by the names and sizes of all of them."""
    offset = 0
    for name, size in files:
        offset += _HEADER_BYTES + len(name)
        yield Member(name, offset, size)
        offset += size
