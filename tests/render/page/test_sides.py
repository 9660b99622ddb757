"""The sides of a picture, from its file."""

import base64
import io

import pytest
from PIL import Image

from farm.render.page.sides import sides_of


@pytest.mark.parametrize("size", [(1, 1), (300, 7), (7, 300), (16_383, 2)])
@pytest.mark.parametrize(
    ("format_", "mode", "options"),
    [
        ("PNG", "RGB", {}),
        ("JPEG", "RGB", {}),
        ("JPEG", "RGB", {"progressive": True}),
        ("WEBP", "RGB", {"lossless": True}),
        ("WEBP", "RGB", {"quality": 50}),
        ("WEBP", "RGBA", {"quality": 50}),
    ],
)
def test_the_sides_are_those_of_the_picture(
    format_: str, mode: str, options: dict[str, object], size: tuple[int, int]
) -> None:
    file = io.BytesIO()
    # With an alpha that says something, so that WebP keeps it.
    Image.new(mode, size, (1, 2, 3, 4)[: len(mode)]).save(file, format_, **options)
    assert sides_of(base64.b64encode(file.getvalue()).decode()) == size


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBPVP9 "])
def test_a_picture_that_is_not_chromiums_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"a picture|a JPEG|a WebP"):
        sides_of(base64.b64encode(data).decode())
