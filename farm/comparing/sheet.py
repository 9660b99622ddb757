"""Draws a difference as one picture: before, after, and the differing pixels, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from farm.comparing.difference import Difference, Image, on_white, vips

_PAPER = [236, 238, 241]
_INK = [28, 32, 38]
#: The colour of an area that only the other picture has.
_NOTHING = [214, 218, 224]
_DIFFERING = [230, 0, 110]
_SMOOTHED = [245, 176, 0]
#: The opacity of equal pixels in the third column.
_FADED = 0.22
_GAP_PX = 24
_LINE_PX = 2
#: A changed pixel marks the square block that contains it, and the blocks around that.
_BLOCK_PX = 8
#: The narrowest column, so that its title has room.
_MIN_COLUMN_PX = 260


@dataclass(frozen=True)
class Side:
    """The text above a column's picture."""

    title: str
    detail: str


def draw_sheet(difference: Difference, sides: Sequence[Side], suffix: str = ".png") -> bytes:
    """The sheet as a file of a format that libvips writes. `sides`: before, after, difference."""
    width, height = difference.differing.width, difference.differing.height
    outline = _outline(difference.differing)
    pictures = [
        _laid(difference.before, width, height),
        _laid(difference.after, width, height),
        _marked(difference),
    ]
    columns = []
    for side, picture in zip(sides, pictures, strict=True):
        column_px = max(width, _MIN_COLUMN_PX)
        framed = outline.ifthenelse(_DIFFERING, picture)
        columns.append((_title(side, column_px), _widened(framed, column_px)))
    title_px = max(title.height for title, _ in columns)
    joined = None
    for title, picture in columns:
        padded = title.embed(0, 0, title.width, title_px, extend="background", background=_PAPER)
        column = padded.join(picture, "vertical", shim=_GAP_PX // 3, background=_PAPER)
        joined = (
            column
            if joined is None
            else joined.join(column, "horizontal", shim=_GAP_PX, background=_PAPER)
        )
    assert joined is not None
    sheet = joined.embed(
        _GAP_PX,
        _GAP_PX,
        joined.width + 2 * _GAP_PX,
        joined.height + 2 * _GAP_PX,
        extend="background",
        background=_PAPER,
    )
    data: bytes = sheet.copy(interpretation="srgb").write_to_buffer(suffix)
    return data


def _laid(image: Image, width: int, height: int) -> Image:
    """The picture, filled up with a plain colour to the size of both."""
    return on_white(image).embed(0, 0, width, height, extend="background", background=_NOTHING)


def _marked(difference: Difference) -> Image:
    """The second picture in faded grey, with the differing pixels in colour."""
    width, height = difference.differing.width, difference.differing.height
    # An area that the second picture does not have is white.
    grey = on_white(difference.after).colourspace("b-w")
    grey = grey.embed(0, 0, width, height, extend="white")
    faded = (grey * _FADED + 255 * (1 - _FADED)).cast("uchar")
    picture = faded.bandjoin([faded, faded]).copy(interpretation="srgb")
    picture = difference.smoothed.ifthenelse(_SMOOTHED, picture)
    return difference.differing.ifthenelse(_DIFFERING, picture)


def _outline(differing: Image) -> Image:
    """255 around each changed area, so that even a single pixel is visible."""
    width, height = differing.width, differing.height
    blocks = differing.cast("float").shrink(_BLOCK_PX, _BLOCK_PX, ceil=True) > 0
    # Blocks that touch are one area.
    blocks = blocks.embed(1, 1, blocks.width + 2, blocks.height + 2).dilate(_ones(3))
    places = blocks.zoom(_BLOCK_PX, _BLOCK_PX).crop(_BLOCK_PX, _BLOCK_PX, width, height)
    # The area outside the picture is 0, so that an area at the edge has an outline there too.
    padded = places.embed(_LINE_PX, _LINE_PX, width + 2 * _LINE_PX, height + 2 * _LINE_PX)
    inside = padded.erode(_ones(2 * _LINE_PX + 1)).crop(_LINE_PX, _LINE_PX, width, height)
    return (places & inside.invert()).copy_memory()


def _ones(side: int) -> Image:
    return vips().Image.new_from_array([[255] * side] * side)


def _widened(picture: Image, width: int) -> Image:
    return picture.embed(
        0, 0, max(width, picture.width), picture.height, extend="background", background=_PAPER
    )


def _title(side: Side, width: int) -> Image:
    """The title and the detail, wrapped to the column's width."""
    markup = f"<b>{_plain(side.title)}</b>\n{_plain(side.detail)}"
    mask = vips().Image.text(markup, font="sans 12", width=width, dpi=96, wrap="word-char")
    title = mask.ifthenelse(_INK, _PAPER, blend=True).cast("uchar")
    return title.embed(
        0, 0, max(width, title.width), title.height, extend="background", background=_PAPER
    )


def _plain(text: str) -> str:
    return escape(text.encode(errors="replace").decode(), quote=False)
