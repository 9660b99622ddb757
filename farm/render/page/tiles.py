"""Cuts a part of a page into tiles that Chromium can draw at once.

Chromium's surfaces end at 16,384 device pixels, and while one large picture is drawn no other page
is. Tiles meet at whole device pixels, so that the joined picture has no seams.
"""

from dataclasses import dataclass
from fractions import Fraction

#: The longest side of what is drawn at once.
MAX_TILE_PX = 16_384
#: Pixels of one tile. Chromium draws them in about a tenth of a second.
MAX_TILE_PIXELS = 1 << 23
#: Pixels of a picture that must be one tile.
MAX_SINGLE_PIXELS = 1 << 24
#: A scale has three decimals.
_MAX_DENOMINATOR = 1_000


@dataclass(frozen=True)
class Region:
    """A rectangle of a page, in CSS pixels from the page's top left corner."""

    x: float
    y: float
    width: float
    height: float


def cut(region: Region, scale: float, most: int = MAX_TILE_PIXELS) -> list[list[Region]]:
    """The region's tiles, in rows, of at most `most` pixels each.

    `scale`: device pixels for each CSS pixel.
    """
    columns = _cut(region.x, region.width, scale, MAX_TILE_PX)
    widest = max(1.0, columns[0][1] * scale)
    rows = _cut(region.y, region.height, scale, min(MAX_TILE_PX, int(most / widest)))
    return [[Region(x, y, width, height) for x, width in columns] for y, height in rows]


def _cut(start: float, length: float, scale: float, most_px: int) -> list[tuple[float, float]]:
    """The start and the length of each piece."""
    if length * scale <= most_px:
        return [(start, length)]
    # So many CSS pixels are a whole number of device pixels.
    unit = Fraction(scale).limit_denominator(_MAX_DENOMINATOR).denominator
    step = max(1, int(most_px / scale) // unit) * unit
    pieces = []
    done = 0
    while done < length:
        pieces.append((start + done, min(step, length - done)))
        done += step
    return pieces
