"""How a picture is written: its quality, its background, its device pixels."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from farm.errors import OutputTooLarge
from farm.render import Engine
from farm.request import RenderResult
from tests.conftest import request_for
from tests.render.kept import render
from tests.support.images import is_filled

MakeEngine = Callable[..., Engine]
#: Noise, so that the files' sizes say what was done.
NOISE = (
    "<!doctype html><body style='margin:0'><canvas id=c width=200 height=100></canvas><script>"
    "const x = c.getContext('2d'); let n = 1; for (let i = 0; i < 20000; i++) {"
    "n = n * 48271 % 2147483647; x.fillStyle = '#' + (n % 4096).toString(16).padStart(3, '0');"
    "x.fillRect(i % 200, i / 200 | 0, 1, 1) }</script>"
)


def rendered(engine: Engine, html: str, **options: object) -> RenderResult:
    return engine.render(request_for(engine, html, **options))


def image(result: RenderResult) -> Image.Image:
    opened = Image.open(io.BytesIO(result.data))
    assert opened.size == (result.width, result.height)
    return opened


@pytest.mark.parametrize("format_", ["jpeg", "webp", "avif"])
def test_a_lower_quality_makes_a_smaller_file(engine: Engine, format_: str) -> None:
    options = {"format": format_, "width": 200, "height": 100}
    worst, best, usual = (
        rendered(engine, NOISE, **options, **quality)
        for quality in ({"quality": 5}, {"quality": 99}, {})
    )
    assert worst.size < best.size / 2
    assert image(worst).format == format_.upper()
    assert usual.size > worst.size


def test_webp_is_lossless_unless_asked_otherwise(engine: Engine) -> None:
    options = {"width": 200, "height": 100}
    png = image(rendered(engine, NOISE, **options)).convert("RGB")
    for quality, is_same in ((None, True), (100, True), (99, False)):
        given = {} if quality is None else {"quality": quality}
        webp = image(rendered(engine, NOISE, format="webp", **options, **given)).convert("RGB")
        assert (webp.tobytes() == png.tobytes()) is is_same


def test_a_png_that_is_not_written_for_speed_is_smaller_and_the_same(engine: Engine) -> None:
    html = "<h1>Hello</h1>" * 20
    fast = rendered(engine, html)
    small = rendered(engine, html, optimizeForSpeed=False)
    assert small.size < fast.size * 0.8
    assert image(small).tobytes() == image(fast).tobytes()


@pytest.mark.parametrize("format_", ["png", "webp", "avif"])
def test_what_the_page_does_not_paint_is_transparent(engine: Engine, format_: str) -> None:
    html = "<body style='margin:0'><div style='width:50px;height:50px;background:#f00'>"
    options = {"format": format_, "width": 100, "height": 100, "omitBackground": True}
    picture = image(rendered(engine, html, **options)).convert("RGBA")
    assert picture.getpixel((90, 90))[3] == 0  # type: ignore[index]
    red, green, blue, alpha = picture.getpixel((25, 25))  # type: ignore[misc]
    assert alpha == 255
    assert red > 245
    assert green < 10
    assert blue < 10


def test_a_background_of_the_page_is_not_omitted(engine: Engine) -> None:
    html = "<html style='background:lime'>"
    picture = image(rendered(engine, html, width=9, height=9, omitBackground=True))
    assert picture.convert("RGBA").getcolors() == [(81, (0, 255, 0, 255))]


def test_the_next_render_in_the_same_context_has_its_background(kept_engine: Engine) -> None:
    render(kept_engine, "x", omitBackground=True)
    ends = kept_engine.status.context_ends
    png = Image.open(io.BytesIO(render(kept_engine, "<p>")))
    assert png.convert("RGBA").getchannel("A").getextrema() == (255, 255)
    assert kept_engine.status.context_ends == ends


@pytest.mark.parametrize("format_", ["png", "jpeg", "webp"])
@pytest.mark.parametrize("scale", [0.1, 0.5, 1.1, 1.333, 2.625, 3, 4])
def test_the_sides_are_told_in_device_pixels(engine: Engine, scale: float, format_: str) -> None:
    options = {"width": 101, "height": 33, "format": format_, "deviceScaleFactor": scale}
    request = request_for(engine, "<h1>Hi</h1>", **options)
    result = engine.render(request)
    device_px = request.options.device_px
    assert image(result).size == (device_px(101), device_px(33))


def test_the_page_knows_its_scale_before_it_loads(engine: Engine) -> None:
    html = (
        "<script>document.write(`<body style='margin:0;background:${devicePixelRatio == 3 &&"
        " matchMedia('(resolution: 3dppx)').matches ? 'lime' : 'red'}'>`)</script>"
    )
    result = rendered(engine, html, width=20, height=20, deviceScaleFactor=3)
    assert is_filled(result.data, (0, 255, 0))


def test_the_next_render_in_the_same_context_has_a_scale_of_its_own(kept_engine: Engine) -> None:
    render(kept_engine, "x")
    ends = kept_engine.status.context_ends
    for scale, width in ((2, 2560), (1, 1280), (0.5, 640)):
        png = render(kept_engine, "x", deviceScaleFactor=scale)
        assert Image.open(io.BytesIO(png)).width == width
    assert kept_engine.status.context_ends == ends


def test_a_plain_render_is_one_screenshot(
    make_engine: MakeEngine, sent: list[tuple[str, Any]]
) -> None:
    engine = make_engine(spare_contexts=0)
    sent.clear()
    rendered(engine, "<p>hello")
    capturing = [each for each in sent if each[0] == "Page.captureScreenshot"]
    assert capturing == [("Page.captureScreenshot", {"format": "png", "optimizeForSpeed": True})]
    written = next(i for i, each in enumerate(sent) if each[0] == "Runtime.callFunctionOn")
    shot = sent.index(capturing[0])
    assert [method for method, _ in sent[written:shot]] == ["Runtime.callFunctionOn"]


def test_a_picture_has_at_most_the_bytes_that_are_allowed(make_engine: MakeEngine) -> None:
    engine = make_engine(max_output_bytes=100)
    for options in ({"format": "avif"}, {"resize": {"width": 500}}, {"selector": "p"}):
        with pytest.raises(OutputTooLarge, match="more than 100 bytes"):
            rendered(engine, NOISE + "<p>hello", **options)
