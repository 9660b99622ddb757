"""Finds the pixels in which two pictures differ, by the rules of pixelmatch
(https://github.com/mapbox/pixelmatch).

The distance of two colours is that of pixelmatch's versions up to 7, in YIQ: Kotsarenko and Ramos,
"Measuring perceived color difference using YIQ NTSC transmission color space" (2010). Pixels that
differ only because an edge is smoothed differently are found as in Vyšniauskas, "Anti-aliased pixel
and intensity slope detector" (2009). libvips calculates both for all pixels at once.
"""

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

#: A `pyvips.Image`; pyvips has no types.
Image = Any

_TO_YIQ = [
    [0.29889531, 0.58662247, 0.11448223],
    [0.59597799, -0.27417610, -0.32180189],
    [0.21147017, -0.52261711, 0.31114694],
]
_WEIGHTS = [0.5053, 0.299, 0.1957]
#: The distance of black and white, squared.
_FARTHEST = 35215
#: The neighbours of a pixel, in pixelmatch's order.
_AROUND = [(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1) if (x, y) != (0, 0)]
_STARTS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")


class NoPicture(Exception):
    """The bytes are not a picture that libvips can read."""


@dataclass(frozen=True)
class Difference:
    """Two pictures with the same upper left corner, and the pixels in which they differ."""

    before: Image
    after: Image
    #: A mask that covers both: 255 where they differ, and where only one of them exists.
    differing: Image
    #: A mask: 255 where they differ by anti-aliasing alone. Such pixels do not count.
    smoothed: Image
    pixels: int
    smoothed_pixels: int

    @property
    def all_pixels(self) -> int:
        return int(self.differing.width * self.differing.height)

    @property
    def share(self) -> float:
        """The share of differing pixels, 0 … 1."""
        return self.pixels / self.all_pixels


def is_picture(data: bytes) -> bool:
    """Whether a file begins like a PNG, JPEG, WebP or AVIF."""
    is_webp = data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    return data.startswith(_STARTS) or is_webp or data[4:12] in (b"ftypavif", b"ftypavis")


def compare(
    before: bytes, after: bytes, threshold: float = 0.1, counts_antialiasing: bool = False
) -> Difference:
    """Compare two pictures. Raises `NoPicture`.

    `threshold`: the largest distance of two colours that counts as equal. 0: none; 1: the distance
    of black and white.
    """
    one, other = _opened(before), _opened(after)
    width, height = max(one.width, other.width), max(one.height, other.height)
    both = _blank(min(one.width, other.width), min(one.height, other.height)).invert()
    one_part, other_part = (each.crop(0, 0, both.width, both.height) for each in (one, other))
    differing = (_distance(one_part, other_part) > _FARTHEST * threshold**2) | (
        (one_part[3] - other_part[3]).abs() > 255 * threshold
    )
    differing = differing.copy_memory()
    if counts_antialiasing or not differing.max():
        smoothed = _blank(both.width, both.height)
    else:
        smoothed = (differing & _antialiased(one_part, other_part)).copy_memory()
    whole = (differing & smoothed.invert()).embed(0, 0, width, height)
    whole = (whole | both.embed(0, 0, width, height).invert()).copy_memory()
    smoothed = smoothed.embed(0, 0, width, height)
    return Difference(one, other, whole, smoothed, _count(whole), _count(smoothed))


def _opened(data: bytes) -> Image:
    """The picture as RGBA, a byte for each band. Raises `NoPicture`."""
    try:
        image = vips().Image.new_from_buffer(data, "").autorot().colourspace("srgb")
        if not image.hasalpha():
            image = image.addalpha()
        return image.cast("uchar").copy_memory()
    except vips().Error as exc:
        raise NoPicture(str(exc)) from exc


def on_white(image: Image) -> Image:
    return image.flatten(background=255)


def _distance(one: Image, other: Image) -> Image:
    """The squared distance of each two pixels."""
    yiq = [on_white(each).recomb(_TO_YIQ) for each in (one, other)]
    squares = (yiq[0] - yiq[1]) ** 2
    return squares.recomb([_WEIGHTS])


def _antialiased(one: Image, other: Image) -> Image:
    """255 for each pixel that smooths an edge in one of the pictures."""
    plain = _has_many_siblings(one) & _has_many_siblings(other)
    plain = plain.copy_memory()
    return _smooths(one, plain) | _smooths(other, plain)


def _smooths(image: Image, plain: Image) -> Image:
    """255 for each pixel between a darker and a brighter one, one of which is in a plain area."""
    # libvips calculates a node once for each use, so the results are copied to memory.
    light = on_white(image).recomb(_TO_YIQ[:1]).copy_memory()
    equal = (_edge(image) / 255).cast("uchar")
    lowest = highest = light * 0
    by_lowest = by_highest = _blank(image.width, image.height)
    for at in _AROUND:
        # Without a neighbour the change is NaN, and every comparison with it is false.
        change = (light - _shifted(light, at, math.nan)).copy_memory()
        is_plain = _shifted(plain, at, 0)
        equal = (equal + ((change == 0) / 255)).copy_memory()
        lower, higher = (change < lowest).copy_memory(), (change > highest).copy_memory()
        by_lowest = lower.ifthenelse(is_plain, by_lowest).copy_memory()
        by_highest = higher.ifthenelse(is_plain, by_highest).copy_memory()
        lowest = lower.ifthenelse(change, lowest).copy_memory()
        highest = higher.ifthenelse(change, highest).copy_memory()
    return (equal <= 2) & (lowest < 0) & (highest > 0) & (by_lowest | by_highest)


def _has_many_siblings(image: Image) -> Image:
    """255 for each pixel with at least three neighbours of its colour. The edge counts as one."""
    wide = image.cast("short").copy_memory()
    equal = _edge(image) / 255
    for at in _AROUND:
        equal = (equal + (_shifted(wide, at, -1) == wide).bandand() / 255).copy_memory()
    return equal > 2


def _shifted(image: Image, at: tuple[int, int], outside: float) -> Image:
    """The neighbour of each pixel in one direction."""
    wider = image.embed(
        1,
        1,
        image.width + 2,
        image.height + 2,
        extend="background",
        background=[outside] * image.bands,
    )
    return wider.crop(1 + at[0], 1 + at[1], image.width, image.height)


def _edge(image: Image) -> Image:
    """255 for the outermost pixels."""
    if min(image.width, image.height) < 3:
        return _blank(image.width, image.height).invert()
    inside = _blank(image.width - 2, image.height - 2)
    return inside.embed(1, 1, image.width, image.height, extend="white")


def _blank(width: int, height: int) -> Image:
    return vips().Image.black(width, height)


def _count(mask: Image) -> int:
    """The number of pixels that are 255."""
    share: float = mask.avg() / 255
    return round(share * int(mask.width) * int(mask.height))


@cache
def vips() -> Any:
    """libvips. Imported on the first call, since only `farm diff` needs it here."""
    import pyvips

    pyvips.cache_set_max(0)
    return pyvips
