"""Captures a page as a picture: the viewport, or a part of the page.

A picture is one DevTools command, whose answer is base64 already. By default PNGs are written for
speed: the same pixels, about a tenth less CPU for a render, and a file about twice as large. A
picture that is larger than Chromium can draw at once is captured in tiles.

Source: https://chromedevtools.github.io/devtools-protocol/tot/Page/#method-captureScreenshot
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from farm.errors import OutputTooLarge
from farm.render.browser.devtools import DevToolsError, Params
from farm.render.page import regions
from farm.render.page.caps import Send, check_bytes
from farm.render.page.captured import Captured
from farm.render.page.sides import sides_of
from farm.render.page.tiles import (
    MAX_SINGLE_PIXELS,
    MAX_TILE_PIXELS,
    MAX_TILE_PX,
    Region,
    cut,
)
from farm.render.page.work import Work
from farm.request import RenderOptions

_FAST_PNG = {"format": "png", "optimizeForSpeed": True}
#: Tiles of one picture. Only narrow pictures have so many.
_MAX_TILES = 256
_TRANSPARENT = {"color": {"r": 0, "g": 0, "b": 0, "a": 0}}


def is_finished_later(options: RenderOptions) -> bool:
    """Whether the picture is resized or encoded after it has left the browser."""
    return options.resize is not None or options.format == "avif"


def encoding(options: RenderOptions) -> Params:
    """The parameters for Chromium's encoder."""
    if is_finished_later(options):
        return _FAST_PNG
    if options.format == "png":
        return {"format": "png", "optimizeForSpeed": options.optimize_for_speed}
    # Chromium's WebP encoder is lossless at quality 100, and lossy at 99.
    quality = options.quality or options.file_format.quality
    return {"format": options.format, "quality": quality}


def take(work: Work, send: Send) -> Captured:
    """Capture it.

    Raises `OutputTooLarge`, `SelectorNotFound`, `InvalidRequest` and `DevToolsError`.
    """
    options = work.options
    region = regions.find(work)
    if region is not None and not region.is_in_view:
        # Chromium changes the viewport for this, and may leave the change in the page.
        work.page.is_altered = True
    if not options.omit_background:
        return _draw(work, send, region)
    send("Emulation.setDefaultBackgroundColorOverride", _TRANSPARENT)
    captured = _draw(work, send, region)
    send("Emulation.setDefaultBackgroundColorOverride", {})
    return captured


def can_share_frame(one: RenderOptions, other: RenderOptions) -> bool:
    """Whether both are pictures of the same viewport that only differ in their encoding."""
    return _frame(one) is not None and _frame(one) == _frame(other)


def _frame(options: RenderOptions) -> tuple[float, ...] | None:
    """The viewport that the picture shows; None if it cannot share its frame."""
    is_plain = options.file_format.is_picture and not options.omit_background
    # While a virtual clock stands still, each frame must be requested separately.
    if not is_plain or regions.are_asked_for(options) or options.deterministic:
        return None
    return options.width, options.height, options.device_scale_factor


def take_alike(work: Work, files: list[RenderOptions]) -> list[Captured]:
    """Pictures that only differ in their encoding, drawn and encoded at the same time.

    Five of them take a third of the time of five that wait for a frame one after the other. Raises
    as `take`.
    """
    session, await_answer = work.page.session, work.activity.await_answer
    begun = [session.begin("Page.captureScreenshot", encoding(options)) for options in files]
    pictures = [await_answer(wait)["data"] for wait in begun]
    return [_of_viewport(work, *pair) for pair in zip(files, pictures, strict=True)]


def _draw(work: Work, send: Send, region: regions.Found | None) -> Captured:
    options = work.options
    if region is None:
        return _of_viewport(work, options, _screenshot(send, encoding(options)))
    # While a virtual clock stands still, Chromium may draw no second part of a page.
    most = MAX_SINGLE_PIXELS if options.deterministic else MAX_TILE_PIXELS
    tiles = cut(region.region, options.device_scale_factor, most)
    if len(tiles) > 1 or len(tiles[0]) > 1:
        if options.deterministic:
            raise OutputTooLarge(
                f"A deterministic picture may have at most {MAX_SINGLE_PIXELS:,} pixels, and "
                f"{MAX_TILE_PX:,} a side."
            )
        return _draw_tiles(work, send, tiles)
    picture = _screenshot(send, encoding(options) | _part(tiles[0][0], region.is_in_view))
    return _captured(work, options, picture)


def _of_viewport(work: Work, options: RenderOptions, picture: str) -> Captured:
    is_plain = options.device_scale_factor == 1
    return _captured(work, options, picture, (options.width, options.height) if is_plain else None)


def _captured(
    work: Work, options: RenderOptions, picture: str, sides: tuple[int, int] | None = None
) -> Captured:
    """`sides`: the picture's sides, if they are known without reading its file."""
    if is_finished_later(options):
        return Captured("", options.width, options.height, ((picture,),))
    check_bytes(len(picture) * 3 // 4, work.caps.max_output_bytes)
    return Captured(picture, *(sides or sides_of(picture)))


def _draw_tiles(work: Work, send: Send, tiles: list[list[Region]]) -> Captured:
    if len(tiles) * len(tiles[0]) > _MAX_TILES:
        raise OutputTooLarge(
            f"The picture would be drawn in more than {_MAX_TILES} parts of at most "
            f"{MAX_TILE_PX:,} pixels a side."
        )
    size = 0
    rows: list[list[str]] = []
    with _without_scripts(work, send):
        for row in tiles:
            rows.append([])
            for tile in row:
                picture = _screenshot(send, _FAST_PNG | _part(tile, is_in_view=False))
                size += len(picture) * 3 // 4
                check_bytes(size, work.caps.max_output_bytes)
                rows[-1].append(picture)
    pictures = tuple(tuple(row) for row in rows)
    return Captured("", work.options.width, work.options.height, pictures)


@contextmanager
def _without_scripts(work: Work, send: Send) -> Iterator[None]:
    """Disable scripts, so that none changes the page between two tiles."""
    if not work.options.java_script:
        yield
        return
    send("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        yield
    finally:
        # Also if the page navigates: its next document may need scripts.
        with suppress(DevToolsError):
            work.page.session.post("Emulation.setScriptExecutionDisabled", {"value": False})


def _part(region: Region, is_in_view: bool) -> Params:
    clip = {**vars(region), "scale": 1}
    return {"clip": clip, "captureBeyondViewport": not is_in_view}


def _screenshot(send: Send, params: dict[str, Any]) -> str:
    data: str = send("Page.captureScreenshot", params)["data"]
    return data
