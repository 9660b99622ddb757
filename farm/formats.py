"""The formats that a render can have, as data; `farm.render.page.outputs` makes them."""

from dataclasses import dataclass

#: The contract's longest side, in CSS pixels.
MAX_SIDE_PX = 16_384


@dataclass(frozen=True)
class Format:
    name: str
    media_type: str
    #: Other names that a request may use.
    aliases: tuple[str, ...] = ()
    max_side_px: int = MAX_SIDE_PX


_FORMATS = (
    Format("png", "image/png"),
    Format("jpeg", "image/jpeg", ("jpg",)),
    # A WebP file has 14 bits for a side (https://developers.google.com/speed/webp/faq).
    Format("webp", "image/webp", max_side_px=16_383),
    Format("pdf", "application/pdf"),
)
#: By their names.
FORMATS = {format_.name: format_ for format_ in _FORMATS}
#: All names that a request may use.
NAMES = tuple(name for format_ in _FORMATS for name in (format_.name, *format_.aliases))


def canonical(name: str) -> str | None:
    """A format's own name for one of its names (`jpg` → `jpeg`)."""
    for format_ in _FORMATS:
        if name == format_.name or name in format_.aliases:
            return format_.name
    return None
