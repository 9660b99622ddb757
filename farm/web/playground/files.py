"""The files of the farm's own pages, read once: their types, digests and smaller forms."""

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
#: A picture is as small as it gets.
_PICTURE = _TYPES[".webp"]
#: What is vendored is kept compressed, under its name with this suffix.
_SUFFIX = ".gz"
#: A fixed time in the file, so that the same content has the same bytes.
_NO_TIME = 0


@dataclass(frozen=True)
class File:
    """A file as it is answered."""

    data: bytes
    media_type: str
    #: The same, where it is kept so.
    packed: bytes | None = None

    @cached_property
    def tag(self) -> str:
        """A digest of its content, for `ETag`."""
        return hashlib.sha256(self.data).hexdigest()[:16]

    @cached_property
    def gzipped(self) -> bytes | None:
        """The same, smaller; None where it would not be."""
        if self.media_type == _PICTURE:
            return None
        return self.packed or gzip.compress(self.data, 9, mtime=_NO_TIME)


@dataclass(frozen=True)
class Folder:
    """All files, by their paths (`app.js`, `examples/invoice.html`), and one digest of them."""

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
