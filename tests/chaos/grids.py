"""Pages whose pictures are known, pixel by pixel."""

import io
import random

from PIL import Image

#: Width and height of the pages, in pixels.
SIDE = 96


def grid(
    chance: random.Random, image_url: str = "", *, always: bool = False
) -> tuple[str, Image.Image]:
    """A page of sixteen squares of colours that no other page has, and its picture.

    Over one of them there may be an image from the network, all red: in half of the pages, or
    `always`.
    """
    picture = Image.new("RGB", (SIDE, SIDE))
    square = SIDE // 4
    cells = []
    for x in range(0, SIDE, square):
        for y in range(0, SIDE, square):
            colour = tuple(chance.randrange(256) for _ in range(3))
            picture.paste(colour, (x, y, x + square, y + square))
            cells.append(
                f"<i style='position:fixed;left:{x}px;top:{y}px;width:{square}px;"
                f"height:{square}px;background:rgb{colour}'></i>"
            )
    if image_url and (always or chance.random() < 0.5):
        x, y = (chance.randrange(0, SIDE, square) for _ in range(2))
        picture.paste((255, 0, 0), (x, y, x + square, y + square))
        cells.append(
            f"<img src='{image_url}' style='position:fixed;left:{x}px;top:{y}px;"
            f"width:{square}px;height:{square}px'>"
        )
    return "<body>" + "".join(cells), picture


def shows(data: bytes, picture: Image.Image) -> bool:
    """Whether the file shows exactly this, pixel by pixel."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.size == picture.size and image.convert("RGB").tobytes() == (
                picture.tobytes()
            )
    except OSError:
        return False
