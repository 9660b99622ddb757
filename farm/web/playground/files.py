"""The files of the farm's own pages, read once: their media types, digests and gzipped forms."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePath

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".md": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webp": "image/webp",
}
#: Pictures are not compressed further.
_PICTURE = _TYPES[".webp"]
#: The suffix of vendored files, which are stored compressed.
_SUFFIX = ".gz"
#: The time in a gzipped file. It is fixed, so that the same content gives the same bytes.
_NO_TIME = 0


@dataclass(frozen=True)
class File:
    """A file, ready to be sent."""

    data: bytes
    media_type: str
    #: The gzipped data, if the file is stored compressed.
    packed: bytes | None = None

    @cached_property
    def tag(self) -> str:
        """A digest of the content, for `ETag`."""
        return hashlib.sha256(self.data).hexdigest()[:16]

    @cached_property
    def gzipped(self) -> bytes | None:
        """The gzipped data; None for a picture."""
        if self.media_type == _PICTURE:
            return None
        return self.packed or gzip.compress(self.data, 9, mtime=_NO_TIME)


@dataclass(frozen=True)
class Folder:
    """All files by their paths (`app.js`, `examples/invoice.html`), and a digest of all of them."""

    files: Mapping[str, File]
    digest: str


@cache
def static() -> Folder:
    """The files of the folder `static`."""
    found = dict(_read(files(__package__) / "static", ""))
    digest = hashlib.sha256()
    for path, file in sorted(found.items()):
        digest.update(f"{path} {file.tag}\n".encode())
    return Folder(found, digest.hexdigest()[:12])


def _read(folder: Traversable, path: str) -> list[tuple[str, File]]:
    found = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _read(entry, f"{path}{entry.name}/")
            continue
        data, name = entry.read_bytes(), entry.name.removesuffix(_SUFFIX)
        if (media_type := _TYPES.get(PurePath(name).suffix)) is None:
            continue
        if name == entry.name:
            found.append((path + name, File(data, media_type)))
        else:
            found.append((path + name, File(gzip.decompress(data), media_type, packed=data)))
    return found
