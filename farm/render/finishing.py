"""Finishes a file after the browser has captured it: joins, resizes and encodes pictures.

The thread that waits for the render calls it; libvips works in threads of its own meanwhile.
libvips reads and writes pixels as a stream, so that a picture that is only joined is never held as
a whole. PDFs are finished by `finishing_pdf`.
"""

import base64
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import structlog

from farm.bundle import pack
from farm.errors import InternalError, RenderTimeout
from farm.logs import first_line
from farm.machine import usable_cores
from farm.render.finishing_pdf import finish_pdf, needs_finishing
from farm.render.page.caps import check_bytes
from farm.render.page.captured import Tiles
from farm.request import File, RenderOptions, RenderRequest, RenderResult
from farm.request.result import OUTPUTS

if TYPE_CHECKING:
    import pyvips

log = structlog.get_logger()

#: Pictures that are finished concurrently; each uses all processors.
_AT_ONCE = max(1, int(usable_cores() // 2))
_TOO_LATE = "The file could not be finished in time."


class Finishing:
    """Finishes the files of all renders, `at_once` at the same time."""

    def __init__(self, max_output_bytes: int, at_once: int = _AT_ONCE) -> None:
        self._max_output_bytes = max_output_bytes
        self._turns = threading.BoundedSemaphore(at_once)

    def finish(self, result: RenderResult, request: RenderRequest, left_s: float) -> RenderResult:
        """The result with its finished files. Raises `OutputTooLarge` and `RenderTimeout`.

        `left_s`: how long this may take.
        """
        if not result.parts:
            return self._finish_file(result, request.options, left_s)
        end = time.monotonic() + left_s
        finished = []
        for file, part in zip(request.files, result.parts, strict=True):
            left_s = max(0.0, end - time.monotonic())
            finished.append((file, self._finish_file(part, file.options, left_s)))
        return self._bundled(result, finished)

    def _bundled(
        self, result: RenderResult, finished: list[tuple[File, RenderResult]]
    ) -> RenderResult:
        told = [
            {
                "name": file.name,
                "fileName": file.file_name,
                "size": part.size,
                "format": part.format.name,
                "width": part.width,
                "height": part.height,
                **part.facts,
            }
            for file, part in finished
        ]
        bundle = pack((file.file_name, part.data) for file, part in finished)
        check_bytes(len(bundle), self._max_output_bytes)
        late_ms = sum(
            part.timings.capturing_ms - result.timings.capturing_ms for _, part in finished
        )
        capturing_ms = result.timings.capturing_ms + late_ms
        return replace(
            result,
            content=bundle,
            parts=(),
            facts={**result.facts, OUTPUTS: told},
            timings=replace(result.timings, capturing_ms=capturing_ms),
        )

    def _finish_file(
        self, result: RenderResult, options: RenderOptions, left_s: float
    ) -> RenderResult:
        if needs_finishing(options.pdf):
            with self._turn(left_s):
                return finish_pdf(result, options.pdf, self._max_output_bytes)
        if not result.tiles:
            return result
        began = time.monotonic()
        with self._turn(left_s):
            image = _joined(result.tiles)
            if not options.omit_background and image.hasalpha():
                image = image[:3]
            image = _made_smaller(image, options)
            options.check_file(image.width, image.height)
            content = _encoded(image, options, began + left_s)
        check_bytes(len(content), self._max_output_bytes)
        spent_ms = (time.monotonic() - began) * 1000
        timings = replace(result.timings, capturing_ms=result.timings.capturing_ms + spent_ms)
        sides = {"width": image.width, "height": image.height}
        return replace(result, content=content, tiles=(), timings=timings, **sides)

    @contextmanager
    def _turn(self, left_s: float) -> Iterator[None]:
        if not self._turns.acquire(timeout=left_s):
            raise RenderTimeout(_TOO_LATE)
        try:
            yield
        finally:
            self._turns.release()


@cache
def _vips() -> Any:
    """libvips. Imported on the first call, since most processes of a farm never need it."""
    import pyvips

    pyvips.cache_set_max(0)  # keep no pixels for later pictures
    return pyvips


def _joined(tiles: Tiles) -> "pyvips.Image":
    rows = [[_opened(tile) for tile in row] for row in tiles]
    # Chromium writes a tile without transparent pixels without an alpha channel.
    if any(tile.hasalpha() for row in rows for tile in row):
        rows = [[tile if tile.hasalpha() else tile.addalpha() for tile in row] for row in rows]
    return _side_by_side([_side_by_side(row, "horizontal") for row in rows], "vertical")


def _opened(tile: str) -> "pyvips.Image":
    return _vips().Image.new_from_buffer(base64.b64decode(tile), "", access="sequential")


def _side_by_side(images: list["pyvips.Image"], direction: str) -> "pyvips.Image":
    first, *others = images
    for other in others:
        first = first.join(other, direction)
    return first


def _made_smaller(image: "pyvips.Image", options: RenderOptions) -> "pyvips.Image":
    box = options.resize
    if box is None:
        return image
    # libvips requires a width. If none is asked for, the picture's own does not bind.
    width = box.width or image.width
    height = box.height or image.height
    crop = {"crop": "centre"} if box.fit == "cover" else {}
    return image.thumbnail_image(width, height=height, size="down", **crop)


def _encoded(image: "pyvips.Image", options: RenderOptions, end: float) -> bytes:
    def stop_if_late(*_: object) -> None:
        if time.monotonic() > end:
            image.set_kill(True)

    image.set_progress(True)
    image.signal_connect("eval", stop_if_late)
    save, parameters = _encoder(image, options)
    try:
        content: bytes = save(keep="none", **parameters)
    except _vips().Error as exc:
        if time.monotonic() > end:
            raise RenderTimeout(_TOO_LATE) from exc
        log.error("picture not finished", cause=first_line(exc))
        raise InternalError() from exc
    return content


def _encoder(image: "pyvips.Image", options: RenderOptions) -> tuple[Any, dict[str, Any]]:
    """libvips' function for the format, and its parameters."""
    quality = options.quality or options.file_format.quality
    match options.format:
        case "png":
            return image.pngsave_buffer, {"compression": 1 if options.optimize_for_speed else 6}
        case "jpeg":
            return image.jpegsave_buffer, {"Q": quality}
        case "webp":
            return image.webpsave_buffer, {"Q": quality, "lossless": quality == 100}
        case _:
            return image.heifsave_buffer, {"Q": quality, "compression": "av1", "effort": 2}
