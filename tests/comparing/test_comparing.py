"""Two pictures compared."""

import io
from collections.abc import Callable

import pytest
from PIL import Image, ImageDraw

from farm.comparing import NoPicture, Side, compare, draw_sheet, is_picture
from tests.support.images import opened

SIZE = (40, 30)
SIDES = [Side("Before: a <b>.html", "40 × 30"), Side("After: \udce9 & c", ""), Side("1 %", "")]


def picture(
    draw: Callable[[ImageDraw.ImageDraw], object] = lambda _: None,
    size: tuple[int, int] = SIZE,
    mode: str = "RGB",
    colour: object = "white",
    format_: str = "PNG",
) -> bytes:
    image = Image.new(mode, size, colour)  # type: ignore[arg-type]
    draw(ImageDraw.Draw(image))
    data = io.BytesIO()
    image.save(data, format_)
    return data.getvalue()


def edge(blur: int) -> Callable[[ImageDraw.ImageDraw], object]:
    """A black half, with a column at its edge that is as dark as asked for."""

    def draw(on: ImageDraw.ImageDraw) -> None:
        on.rectangle((0, 0, 19, 29), fill="black")
        on.line((20, 0, 20, 29), fill=(blur, blur, blur))

    return draw


def test_the_same_picture_does_not_differ() -> None:
    difference = compare(picture(edge(90)), picture(edge(90)))
    assert (difference.pixels, difference.smoothed_pixels, difference.share) == (0, 0, 0)


def test_each_differing_pixel_counts() -> None:
    difference = compare(picture(), picture(lambda on: on.rectangle((5, 5, 9, 6), fill="red")))
    assert difference.pixels == 10
    assert difference.share == 10 / (40 * 30)
    assert difference.all_pixels == 40 * 30


def test_a_pixel_that_smooths_an_edge_does_not_count_unless_asked_for() -> None:
    before, after = picture(edge(100)), picture(edge(160))
    assert compare(before, after).pixels == 0
    assert compare(before, after).smoothed_pixels == 30
    counted = compare(before, after, counts_antialiasing=True)
    assert (counted.pixels, counted.smoothed_pixels) == (30, 0)


@pytest.mark.parametrize(("threshold", "pixels"), [(0, 1200), (0.1, 0)])
def test_colours_nearer_than_the_threshold_are_the_same(threshold: float, pixels: int) -> None:
    after = picture(colour=(250, 250, 250))
    assert compare(picture(), after, threshold).pixels == pixels


def test_what_only_one_of_two_sizes_has_differs() -> None:
    difference = compare(picture(), picture(size=(50, 20)))
    assert difference.all_pixels == 50 * 30
    assert difference.pixels == 50 * 30 - 40 * 20


def test_transparency_differs_from_white() -> None:
    clear = picture(mode="RGBA", colour=(255, 255, 255, 0))
    assert compare(picture(), clear).pixels == 1200
    assert compare(clear, picture(mode="RGBA", colour=(0, 0, 0, 0))).pixels == 0


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP", "AVIF"])
def test_every_format_of_a_picture_is_read(format_: str) -> None:
    data = picture(format_=format_)
    assert is_picture(data)
    assert compare(picture(), data).pixels == 0


@pytest.mark.parametrize("mode", ["L", "LA", "P", "I;16", "1"])
def test_every_kind_of_pixels_is_read(mode: str) -> None:
    whole = {"I;16": 65535, "LA": (255, 255), "1": 1}.get(mode, 255)
    data = io.BytesIO()
    image = Image.new(mode, SIZE, whole)  # type: ignore[arg-type]
    if mode == "P":
        image.putpalette([255] * 768)
    image.save(data, "PNG")
    assert compare(picture(), data.getvalue()).pixels == 0


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 9), (3, 3)])
def test_small_pictures_are_compared_and_drawn(size: tuple[int, int]) -> None:
    difference = compare(picture(size=size), picture(size=size, colour="red"))
    assert difference.pixels == size[0] * size[1]
    assert opened(draw_sheet(difference, SIDES)).width > 3 * size[0]


@pytest.mark.parametrize("data", [b"", b"<p>", b"\x89PNG\r\n\x1a\n", picture()[:-60]])
def test_what_is_no_picture_is_told(data: bytes) -> None:
    with pytest.raises(NoPicture):
        compare(picture(), data)


def test_the_sheet_has_three_pictures_and_marks_what_differs() -> None:
    one_pixel = picture(lambda on: on.point((120, 80), fill="black"), size=(300, 200))
    sheet = opened(draw_sheet(compare(picture(size=(300, 200)), one_pixel), SIDES))
    assert sheet.width > 3 * 300
    colours = {colour: count for count, colour in sheet.getcolors(1 << 20) or []}
    # Around the pixel in each of the pictures, and the pixel itself.
    assert colours[(230, 0, 110)] % 3 == 1
    assert colours[(230, 0, 110)] > 3 * 100


@pytest.mark.one_in(2)
@pytest.mark.parametrize("suffix", [".png", ".webp", ".jpeg", ".jpg"])
def test_the_sheet_is_of_the_format_of_its_name(suffix: str) -> None:
    sheet = draw_sheet(compare(picture(), picture(edge(0))), SIDES, suffix)
    assert is_picture(sheet)
