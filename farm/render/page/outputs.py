"""Captures a page: as one file, or as several files one after the other."""

from collections.abc import Iterator

from farm.render.page import pictures, regions
from farm.render.page.caps import check_bytes
from farm.render.page.capture import capture, take_file
from farm.render.page.captured import Captured
from farm.render.page.hints import Hints
from farm.render.page.tiles import MAX_SINGLE_PIXELS
from farm.render.page.work import Work
from farm.request import RenderOptions


def take(work: Work) -> list[Captured]:
    """Capture each of the request's files, in their order. Raises what `capture` does."""
    if not work.request.outputs:
        return [capture(work, take_file)]
    found: list[Captured] = []
    for group in groups([file.options for file in work.request.files]):
        work.options, work.place = group[0], f"outputs.{len(found)}"
        _show(work)
        found += _take_group(work, group)
        size = sum(captured.size for captured in found)
        check_bytes(size, work.caps.max_output_bytes)
    return found


def groups(files: list[RenderOptions]) -> Iterator[list[RenderOptions]]:
    """Groups of files that can be captured at the same time, in their order.

    A group has no more pixels than Chromium draws at once for one picture. More would keep other
    pages from being drawn, or take the browser's memory.
    """
    group: list[RenderOptions] = []
    for options in files:
        pixels = options.device_px(options.width) * options.device_px(options.height)
        is_full = (len(group) + 1) * pixels > MAX_SINGLE_PIXELS
        if group and (is_full or not pictures.can_share_frame(group[0], options)):
            yield group
            group = []
        group.append(options)
    if group:
        yield group


def _take_group(work: Work, group: list[RenderOptions]) -> list[Captured]:
    if len(group) > 1:
        return capture(work, lambda work, _: pictures.take_alike(work, group))
    captured = capture(work, take_file)
    if work.options.selector is not None:
        # The next file must not show what this one was scrolled to.
        regions.scroll_back(work)
    return [captured]


def _show(work: Work) -> None:
    """Give the page the viewport of a file, and wait for what the page starts because of it."""
    page, options = work.page, work.options
    size, scale = (options.width, options.height), options.device_scale_factor
    if (page.size, page.scale) == (size, scale):
        return
    work.settling.forget_unfinished()
    if page.size != size:
        page.resize(*size)
    if page.scale != scale:
        page.magnify(scale)
    if work.capture_until is not None:
        work.settling.draw()
        return
    if not work.activity.requests.begun and Hints(work.request.html or "").may_load_late:
        # The page may make its first request now, for which no settling would wait.
        work.settling.draw()
    work.settling.resume()
