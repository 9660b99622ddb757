"""Pictures that are finished once they have left the browser."""

import base64
import io
import threading
from typing import Any

import pytest
from PIL import Image, ImageChops

from farm.errors import OutputTooLarge, RenderTimeout
from farm.formats import FORMATS
from farm.render import Engine
from farm.render.finishing import Finishing
from farm.request import Limits, RenderRequest, RenderResult, Timings
from tests.conftest import request_for

LIMITS = Limits(deadline_ms=30_000, max_pixels=67_108_864)


def png(width: int, height: int, colour: Any = "red", mode: str = "RGB") -> str:
    file = io.BytesIO()
    Image.new(mode, (width, height), colour).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def asked(**given: object) -> RenderRequest:
    return RenderRequest.from_fields({"html": "x", "options": given}, ("html",), LIMITS)


def unfinished(*rows: tuple[str, ...], format_: str = "png") -> RenderResult:
    return RenderResult("", FORMATS[format_], 1, 1, Timings(), tiles=rows)


def finished(*rows: tuple[str, ...], left_s: float = 30, **given: Any) -> Image.Image:
    result = unfinished(*rows, format_=given.get("format", "png"))
    done = Finishing(1 << 27).finish(result, asked(**given), left_s)
    picture = Image.open(io.BytesIO(done.data))
    assert picture.size == (done.width, done.height)
    assert done.tiles == ()
    assert done.timings.capturing_ms > 0
    return picture


def test_what_is_finished_stays_as_it_is() -> None:
    result = RenderResult("eA==", FORMATS["png"], 1, 1, Timings())
    assert Finishing(0).finish(result, asked(), 0) is result


def test_tiles_are_joined_in_rows() -> None:
    colours = [["red", "lime", "blue"], ["white", "black", "yellow"]]
    sizes = [[(20, 30), (20, 30), (5, 30)], [(20, 7), (20, 7), (5, 7)]]
    rows = [
        tuple(png(*size, colour) for size, colour in zip(*row, strict=True))
        for row in zip(sizes, colours, strict=True)
    ]
    picture = finished(*rows)
    expected = Image.new("RGB", (45, 37))
    for y, row_sizes, row in zip((0, 30), sizes, colours, strict=True):
        for x, size, colour in zip((0, 20, 40), row_sizes, row, strict=True):
            expected.paste(Image.new("RGB", size, colour), (x, y))
    assert ImageChops.difference(picture.convert("RGB"), expected).getbbox() is None


def test_opaque_tiles_and_transparent_ones_are_joined() -> None:
    tiles = (png(10, 10, "red"), png(10, 10, (0, 0, 255, 0), "RGBA"))
    picture = finished(tiles, omitBackground=True)
    assert picture.getpixel((5, 5)) == (255, 0, 0, 255)
    assert picture.getpixel((15, 5))[3] == 0  # type: ignore[index]
    assert finished(tiles, format="jpeg").mode == "RGB"


@pytest.mark.parametrize("format_", ["png", "jpeg", "webp", "avif"])
def test_every_format_is_written(format_: str) -> None:
    assert finished((png(50, 40),), format=format_).format == format_.upper()


@pytest.mark.parametrize(
    ("box", "size"),
    [
        ({"width": 100}, (100, 50)),
        ({"height": 100}, (200, 100)),
        ({"width": 100, "height": 100}, (100, 50)),
        ({"width": 100, "height": 100, "fit": "cover"}, (100, 100)),
        ({"width": 1, "height": 1}, (1, 1)),
        # None is made larger.
        ({"width": 1000}, (400, 200)),
        ({"width": 1000, "height": 100, "fit": "cover"}, (400, 100)),
        ({"width": 5000, "height": 5000}, (400, 200)),
    ],
)
def test_a_picture_is_made_smaller_for_its_box(
    box: dict[str, object], size: tuple[int, int]
) -> None:
    assert finished((png(400, 200),), resize=box).size == size


def test_cover_cuts_off_both_sides() -> None:
    left, middle, right = png(100, 100, "red"), png(200, 100, "lime"), png(100, 100, "blue")
    box = {"width": 50, "height": 50, "fit": "cover"}
    picture = finished((left, middle, right), resize=box).convert("RGB")
    assert picture.getpixel((0, 25)) == picture.getpixel((49, 25)) == (0, 255, 0)


def test_transparent_pixels_do_not_darken_their_neighbours() -> None:
    tiles = (png(101, 100, (255, 0, 0, 255), "RGBA"), png(99, 100, (0, 0, 0, 0), "RGBA"))
    picture = finished(tiles, omitBackground=True, resize={"width": 20})
    red, green, blue, alpha = picture.getpixel((10, 5))  # type: ignore[misc]
    assert 0 < alpha < 255
    assert (red, green, blue) == (255, 0, 0)


def test_a_picture_longer_than_its_format_is_refused() -> None:
    with pytest.raises(OutputTooLarge, match="webp has sides of at most 16,383"):
        finished((png(1, 16_384),), format="webp", resize={"width": 1})


def test_a_file_has_at_most_the_bytes_that_are_allowed() -> None:
    with pytest.raises(OutputTooLarge, match="more than 10 bytes"):
        Finishing(10).finish(unfinished((png(5, 5),)), asked(), 30)


def test_so_many_are_finished_at_the_same_time() -> None:
    finishing = Finishing(1 << 20, at_once=1)
    with finishing._turns, pytest.raises(RenderTimeout):
        finishing.finish(unfinished((png(5, 5),)), asked(), 0.01)
    assert finishing.finish(unfinished((png(5, 5),)), asked(), 30).size > 0


def test_one_that_fails_leaves_its_turn_to_the_next() -> None:
    finishing = Finishing(10, at_once=1)
    for _ in range(2):
        with pytest.raises(OutputTooLarge):
            finishing.finish(unfinished((png(5, 5),)), asked(), 30)


def test_a_picture_that_is_late_is_given_up() -> None:
    with pytest.raises(RenderTimeout):
        finished((png(8000, 8000),), left_s=0.001)


def test_an_engines_pictures_are_finished(engine: Engine) -> None:
    html = "<html style='background:#08f'>"
    request = request_for(engine, html, format="avif", resize={"width": 320})
    result = engine.render(request)
    picture = Image.open(io.BytesIO(result.data)).convert("RGB")
    assert picture.size == (result.width, result.height) == (320, 180)
    red, green, blue = picture.getpixel((100, 100))  # type: ignore[misc]
    assert abs(red) < 8
    assert abs(green - 0x88) < 8
    assert abs(blue - 0xFF) < 8


def test_finishing_is_done_in_the_thread_that_waits(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So neither the browser's thread nor another request stands still."""
    seen: list[threading.Thread] = []
    finish = Finishing.finish

    def noted(self: Finishing, *arguments: Any) -> RenderResult:
        seen.append(threading.current_thread())
        return finish(self, *arguments)

    monkeypatch.setattr(Finishing, "finish", noted)
    engine.render(request_for(engine, "x", format="avif"))
    assert seen == [threading.current_thread()]
