"""The formats that a render can have, as data."""

from dataclasses import dataclass

#: The contract's longest side, in CSS pixels.
MAX_SIDE_PX = 16_384


@dataclass(frozen=True)
class Format:
    name: str
    media_type: str
    #: Other names that a request may use.
    aliases: tuple[str, ...] = ()
    #: The longest side that such a file can have.
    max_side_px: int = MAX_SIDE_PX
    #: How many pixels it may have; None: as many as any picture.
    max_pixels: int | None = None
    is_picture: bool = True
    #: What it has unless another one is asked for, 1 … 100; None: there is none to choose.
    quality: int | None = None
    has_alpha: bool = True


_FORMATS = (
    # 31 bits for a side (PNG, 11.2.2), 16 (JPEG, B.2.2) and 14
    # (https://developers.google.com/speed/webp/faq).
    Format("png", "image/png", max_side_px=(1 << 31) - 1),
    Format("jpeg", "image/jpeg", ("jpg",), (1 << 16) - 1, quality=80, has_alpha=False),
    Format("webp", "image/webp", max_side_px=(1 << 14) - 1, quality=100),
    # Its encoder holds all of it at once, in 16 bytes a pixel.
    Format("avif", "image/avif", max_pixels=1 << 24, quality=60),
    Format("pdf", "application/pdf", is_picture=False),
    Format("html", "text/html; charset=utf-8", is_picture=False),
    Format("mhtml", "multipart/related", is_picture=False),
)
#: What several files of one load are put together as; no request asks for it by its name.
ZIP = Format("zip", "application/zip", is_picture=False)
#: By their names.
FORMATS = {format_.name: format_ for format_ in _FORMATS}
#: Those of every file that a render can make.
FILE_FORMATS = {**FORMATS, ZIP.name: ZIP}
#: All names that a request may use.
NAMES = tuple(name for format_ in _FORMATS for name in (format_.name, *format_.aliases))


def canonical(name: str) -> str | None:
    """A format's own name for one of its names (`jpg` → `jpeg`)."""
    for format_ in _FORMATS:
        if name == format_.name or name in format_.aliases:
            return format_.name
    return None
