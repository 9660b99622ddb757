"""Looking at what was rendered."""

import io

from PIL import Image


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def colour(data: bytes, x: int, y: int) -> tuple[int, int, int]:
    """The pixel at x, y."""
    red, green, blue = opened(data).getpixel((x, y))  # type: ignore[misc]
    return red, green, blue


def is_filled(data: bytes, expected: tuple[int, int, int]) -> bool:
    """Whether every pixel has the colour."""
    return opened(data).getcolors(maxcolors=1) == [
        (opened(data).width * opened(data).height, expected)
    ]


LIME = (0, 255, 0)
RED = (255, 0, 0)
BLUE = (0, 0, 255)
ORANGE = (255, 165, 0)
