"""The formats of rendered files, as data. Any thread may use them."""

from dataclasses import dataclass

#: The longest side that the HTTP contract allows, in CSS pixels.
MAX_SIDE_PX = 16_384


@dataclass(frozen=True)
class Format:
    name: str
    media_type: str
    #: Other names of the format in requests.
    aliases: tuple[str, ...] = ()
    #: The longest side that the format supports.
    max_side_px: int = MAX_SIDE_PX
    #: The most pixels of such a file; None: only the limit for all pictures applies.
    max_pixels: int | None = None
    is_picture: bool = True
    #: The default quality, 1 … 100; None: the format has no quality.
    quality: int | None = None
    has_alpha: bool = True


_FORMATS = (
    # A side has 31 bits in PNG (11.2.2), 16 in JPEG (B.2.2) and 14 in WebP
    # (https://developers.google.com/speed/webp/faq).
    Format("png", "image/png", max_side_px=(1 << 31) - 1),
    Format("jpeg", "image/jpeg", ("jpg",), (1 << 16) - 1, quality=80, has_alpha=False),
    Format("webp", "image/webp", max_side_px=(1 << 14) - 1, quality=100),
    # The encoder holds the whole picture in memory, with 16 bytes a pixel.
    Format("avif", "image/avif", max_pixels=1 << 24, quality=60),
    Format("pdf", "application/pdf", is_picture=False),
    Format("html", "text/html; charset=utf-8", is_picture=False),
    Format("mhtml", "multipart/related", is_picture=False),
)
#: The format of several files of one load. Requests cannot name it.
ZIP = Format("zip", "application/zip", is_picture=False)
#: The formats that a request may name, by name.
FORMATS = {format_.name: format_ for format_ in _FORMATS}
#: The formats of all files that a render can make, by name.
FILE_FORMATS = {**FORMATS, ZIP.name: ZIP}
#: All names of formats in requests.
NAMES = tuple(name for format_ in _FORMATS for name in (format_.name, *format_.aliases))


def canonical(name: str) -> str | None:
    """The main name of a format, for any of its names (`jpg` → `jpeg`); None if unknown."""
    for format_ in _FORMATS:
        if name == format_.name or name in format_.aliases:
            return format_.name
    return None
