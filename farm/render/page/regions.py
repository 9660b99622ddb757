"""Finds the part of a page that is captured: a rectangle, an element, or the whole page.

Positions and rounding are as in Playwright's `screenshot` with `clip` and `full_page`, and in its
`locator.screenshot`.
"""

import math
import time
from contextlib import suppress
from dataclasses import dataclass

from farm.errors import InvalidRequest, OutputTooLarge, Problem, SelectorNotFound
from farm.render.browser.devtools import CommandFailed, Params
from farm.render.page.navigation import DocumentGone
from farm.render.page.scripts import begin_call, begin_world, function_in, world_in
from farm.render.page.tiles import Region
from farm.render.page.work import Work
from farm.request import RenderOptions

#: How often an element that does not exist yet is looked for.
_LOOK_EVERY_MS = 50
#: The part of a pixel that Playwright ignores when it rounds.
_NEXT_TO_NOTHING = 1e-3
_FUNCTION = function_in("regions.js")


@dataclass(frozen=True)
class Found:
    """A part of the page, and whether the viewport shows all of it."""

    region: Region
    is_in_view: bool


def are_asked_for(options: RenderOptions) -> bool:
    """Whether a part of the page is wanted, not the viewport."""
    return options.clip is not None or options.selector is not None or options.full_page


def find(work: Work) -> Found | None:
    """The part that is wanted; None for the viewport.

    Raises `OutputTooLarge` before anything is drawn, `SelectorNotFound`, `InvalidRequest` for an
    invalid selector, and `DevToolsError`.
    """
    options = work.options
    if options.clip is not None:
        found = _rectangle(work)
    elif options.selector is not None:
        found = _element(work, options.selector)
    elif options.full_page:
        found = _page(work)
    else:
        return None
    options.check_sides(found.region.width, found.region.height, work.caps.max_pixels)
    return found


def scroll_back(work: Work) -> None:
    """Scroll back to where the page was before `find` scrolled to an element, if it did."""
    with suppress(DocumentGone, CommandFailed):
        work.call("scrollBack", function=_FUNCTION)


def _rectangle(work: Work) -> Found:
    clip = work.options.clip
    assert clip is not None
    size = _size(work)
    region = Region(clip.x, clip.y, clip.width, clip.height)
    right, bottom = size["scrollX"] + work.options.width, size["scrollY"] + work.options.height
    is_in_view = (
        size["scrollX"] <= region.x
        and size["scrollY"] <= region.y
        and region.x + region.width <= right
        and region.y + region.height <= bottom
    )
    return Found(region, is_in_view)


def _page(work: Work) -> Found:
    size = _size(work)
    # A document without a root element has no size.
    width, height = size["width"] or work.options.width, size["height"] or work.options.height
    if height > work.caps.max_page_height_px:
        raise OutputTooLarge(
            f"The page is {height:,} pixels high; one that is captured as a whole may have at most "
            f"{work.caps.max_page_height_px:,}."
        )
    return Found(Region(0, 0, width, height), _fits_viewport(work, width, height))


def _element(work: Work, selector: str) -> Found:
    before = _wait_for_box(work, selector)
    if _scroll_to(work, selector) and work.call("boxOf", selector, function=_FUNCTION) != before:
        # What has come into view may start to load once it is drawn.
        work.settling.draw()
        work.settling.resume()
    box = _wait_for_box(work, selector)
    x, y = box["x"] + box["scrollX"], box["y"] + box["scrollY"]
    left, top = (math.floor(side + _NEXT_TO_NOTHING) for side in (x, y))
    right = math.ceil(x + box["width"] - _NEXT_TO_NOTHING)
    bottom = math.ceil(y + box["height"] - _NEXT_TO_NOTHING)
    region = Region(left, top, max(1, right - left), max(1, bottom - top))
    return Found(region, _fits_viewport(work, box["width"], box["height"]))


def _wait_for_box(work: Work, selector: str) -> Params:
    """The border box of the first element that matches, as soon as it has one."""
    while True:
        box = work.call("boxOf", selector, function=_FUNCTION)
        if box is None:
            raise InvalidRequest.of(Problem(f"{work.place}.selector", "must be a CSS selector"))
        if box.get("width") and box.get("height"):
            return box
        has_waited = work.capture_until is not None
        if has_waited or time.monotonic() >= min(work.latest, work.settling.latest):
            raise SelectorNotFound()
        work.page.wait(_LOOK_EVERY_MS)


def _scroll_to(work: Work, selector: str) -> bool:
    """Scroll the element into view, as Playwright does. False if the element is gone."""
    session, await_answer = work.page.session, work.activity.await_answer
    world = world_in(await_answer(begin_world(session, work.page.id)))
    found = await_answer(
        begin_call(session, world, "elementOf", selector, by_value=False, function=_FUNCTION)
    )
    element = found["result"].get("objectId")
    if element is None:
        return False
    try:
        await_answer(session.begin("DOM.scrollIntoViewIfNeeded", {"objectId": element}))
    except CommandFailed:  # it has no box any more
        return False
    return True


def _size(work: Work) -> Params:
    size = work.call("pageSize", function=_FUNCTION)
    assert size is not None
    return size


def _fits_viewport(work: Work, width: float, height: float) -> bool:
    return width <= work.options.width and height <= work.options.height
