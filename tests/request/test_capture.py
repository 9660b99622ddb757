"""What may be captured, and what is refused."""

import json
from typing import Any

import pytest

from farm.errors import InvalidRequest, OutputTooLarge
from farm.request import Limits, RenderOptions, RenderRequest

LIMITS = Limits(deadline_ms=30_000, max_pixels=1_000_000)
CLIP = {"x": 0, "y": 0, "width": 10, "height": 10}


def options(**given: object) -> RenderOptions:
    body = json.dumps({"html": "x", "options": given}).encode()
    return RenderRequest.parse(body, ("html",), LIMITS).options


def problems(**given: object) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        options(**given)
    return {each.field.removeprefix("options."): each.problem for each in caught.value.problems}


@pytest.mark.parametrize(
    ("given", "field", "problem"),
    [
        ({"quality": 0}, "quality", "must be an integer from 1 to 100"),
        ({"quality": 1.5}, "quality", "must be an integer"),
        ({"deviceScaleFactor": 0.09}, "deviceScaleFactor", "must be a number from 0.1 to 4"),
        ({"deviceScaleFactor": 4.1}, "deviceScaleFactor", "must be a number from 0.1 to 4"),
        ({"omitBackground": 1}, "omitBackground", "must be true or false"),
        ({"selector": ""}, "selector", "must be a string of 1 to 2,000"),
        ({"selector": "x" * 2001}, "selector", "must be a string of 1 to 2,000"),
        ({"clip": []}, "clip", "must be an object"),
        ({"clip": {**CLIP, "x": -1}}, "clip.x", "must be a number from 0 to 10000000 (pixels)"),
        ({"clip": {**CLIP, "width": 0.5}}, "clip.width", "must be a number from 1 to 10000000"),
        ({"clip": {**CLIP, "height": "1"}}, "clip.height", "must be a number"),
        ({"clip": {**CLIP, "scale": 2}}, "clip.scale", "unknown field"),
        ({"clip": {"x": 0}}, "clip.y", "missing"),
        ({"resize": {}}, "resize", "must have a width or a height"),
        ({"resize": {"width": 0}}, "resize.width", "must be an integer from 1 to 16384"),
        ({"resize": {"width": 5, "fit": "fill"}}, "resize.fit", "must be one of contain, cover"),
        ({"resize": {"width": 5, "fit": "cover"}}, "resize", "a width and a height with cover"),
    ],
)
def test_what_is_out_of_bounds_is_named(given: dict[str, Any], field: str, problem: str) -> None:
    assert problem in problems(**given)[field]


PICTURE_OPTIONS = {
    "clip": CLIP,
    "selector": "p",
    "fullPage": True,
    "resize": {"width": 5},
    "omitBackground": True,
    "quality": 50,
    "optimizeForSpeed": False,
}


@pytest.mark.parametrize("format_", ["pdf", "html", "mhtml"])
@pytest.mark.parametrize("name", PICTURE_OPTIONS)
def test_what_only_pictures_have_is_refused_for_other_formats(format_: str, name: str) -> None:
    said = problems(format=format_, **{name: PICTURE_OPTIONS[name]})
    assert said == {"options": f"{format_} has no {name}"}


@pytest.mark.parametrize(
    ("format_", "name"),
    [
        ("png", "quality"),
        ("jpeg", "omitBackground"),
        ("jpeg", "optimizeForSpeed"),
        ("webp", "optimizeForSpeed"),
        ("avif", "optimizeForSpeed"),
    ],
)
def test_what_a_picture_format_lacks_is_refused(format_: str, name: str) -> None:
    assert f"{format_} has no {name}" in str(
        problems(format=format_, **{name: PICTURE_OPTIONS[name]})
    )


def test_everything_that_a_format_lacks_is_named() -> None:
    said = problems(format="pdf", quality=5, fullPage=True)
    assert said == {"options": "pdf has no quality, fullPage"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"clip": CLIP, "selector": "p"}, "clip is not together with selector"),
        ({"clip": CLIP, "fullPage": True}, "clip is not together with fullPage"),
        ({"selector": "p", "fullPage": True}, "selector is not together with fullPage"),
    ],
)
def test_one_part_of_a_page_is_captured(given: dict[str, Any], said: str) -> None:
    assert problems(**given) == {"options": said}


def test_values_that_are_the_default_are_as_not_given() -> None:
    given = {"optimizeForSpeed": True, "omitBackground": False, "fullPage": False}
    assert options(format="pdf", deviceScaleFactor=1, **given) == options(format="pdf")


def test_a_scale_has_three_decimals() -> None:
    assert options(width=9, deviceScaleFactor=1.23456).device_scale_factor == 1.235


@pytest.mark.parametrize(
    ("scale", "css_px", "device_px"),
    [(1.1, 1000, 1100), (1.5, 101, 152), (1.005, 100, 101), (2.625, 101, 265), (0.1, 1, 1)],
)
def test_device_pixels_are_rounded(scale: float, css_px: int, device_px: int) -> None:
    assert options(width=9, height=9, deviceScaleFactor=scale).device_px(css_px) == device_px


def test_device_pixels_count() -> None:
    assert options(width=500, height=500, deviceScaleFactor=2)
    with pytest.raises(OutputTooLarge, match="1,002,000 pixels"):
        options(width=501, height=500, deviceScaleFactor=2)
    clip = {"x": 0, "y": 0, "width": 2000, "height": 501}
    with pytest.raises(OutputTooLarge, match="1,002,000 pixels"):
        options(clip=clip)


def test_a_viewport_has_no_more_device_pixels_than_can_be_drawn() -> None:
    assert options(width=8192, height=1, deviceScaleFactor=2)
    assert problems(width=8193, height=1, deviceScaleFactor=2) == {
        "options": "png has sides of at most 16384 pixels"
    }


def test_a_part_has_no_longer_sides_than_its_format() -> None:
    clip = {"x": 0, "y": 0, "width": 2, "height": 65_536}
    assert options(clip=clip)
    with pytest.raises(OutputTooLarge, match="jpeg has sides of at most 65,535"):
        options(clip=clip, format="jpeg")
    assert options(clip=clip, format="jpeg", resize={"height": 100})


def test_options_survive_their_storage() -> None:
    given = {
        "clip": {"x": 1.5, "y": 0, "width": 10, "height": 10},
        "resize": {"width": 5, "fit": "contain"},
        "format": "avif",
        "quality": 5,
        "deviceScaleFactor": 0.5,
        "omitBackground": True,
    }
    body = json.dumps({"html": "x", "options": given}).encode()
    request = RenderRequest.parse(body, ("html",), LIMITS)
    assert RenderRequest.from_json(request.to_json(), LIMITS) == request


def test_an_avif_has_fewer_pixels_than_others() -> None:
    limits = Limits(deadline_ms=1, max_pixels=1 << 26)
    body = {"html": "x", "options": {"width": 4097, "height": 4096, "format": "avif"}}
    with pytest.raises(OutputTooLarge, match="at most 16,777,216 may be in avif"):
        RenderRequest.parse(json.dumps(body).encode(), ("html",), limits)
    body["options"] |= {"resize": {"width": 100}}  # type: ignore[operator]
    assert RenderRequest.parse(json.dumps(body).encode(), ("html",), limits)
