"""Which part of a page is captured: a rectangle, an element, or all of it.

Where each is, and how it is rounded, is as in Playwright's `screenshot` with `clip` and
`full_page`, and in its `locator.screenshot`.
"""

import math
import time
from dataclasses import dataclass

from farm.errors import InvalidRequest, OutputTooLarge, Problem, SelectorNotFound
from farm.render.browser.devtools import CommandFailed, Params
from farm.render.page.scripts import begin_call, begin_world, function_in, world_in
from farm.render.page.tiles import Region
from farm.render.page.work import Work
from farm.request import RenderOptions

#: How often an element that is not there yet is looked for.
_LOOK_EVERY_MS = 50
#: What Playwright takes for no part of a pixel.
_NEXT_TO_NOTHING = 1e-3
_FUNCTION = function_in("regions.js")


@dataclass(frozen=True)
class Found:
    """A part of the page, and whether all of it is in the viewport."""

    region: Region
    is_in_view: bool


def are_asked_for(options: RenderOptions) -> bool:
    """Whether a part of the page is wanted, and not the viewport."""
    return options.clip is not None or options.selector is not None or options.full_page


def find(work: Work) -> Found | None:
    """The part that is asked for; None: the viewport.

    Raises `OutputTooLarge` before anything is drawn, `SelectorNotFound`, `InvalidRequest` where the
    selector is none, and `DevToolsError`.
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


def scroll_position(work: Work) -> tuple[float, float]:
    """Where the page is scrolled to: to the right and down."""
    size = _size(work)
    return size["scrollX"], size["scrollY"]


def scroll_to(work: Work, position: tuple[float, float]) -> None:
    work.call("scrollTo", *position, function=_FUNCTION)


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
    # Without a root element it has no size.
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
        # What has come into view may begin to load, once it is drawn.
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
    """The border box of the first element that matches, once it has one."""
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
    """Bring the element into view, as Playwright does; False if it is not there any more."""
    session, bind = work.page.session, work.activity.bind
    world = world_in(bind(begin_world(session, work.page.id)))
    found = bind(
        begin_call(session, world, "elementOf", selector, by_value=False, function=_FUNCTION)
    )
    element = found["result"].get("objectId")
    if element is None:
        return False
    try:
        bind(session.begin("DOM.scrollIntoViewIfNeeded", {"objectId": element}))
    except CommandFailed:  # it has no box any more
        return False
    return True


def _size(work: Work) -> Params:
    size = work.call("pageSize", function=_FUNCTION)
    assert size is not None
    return size


def _fits_viewport(work: Work, width: float, height: float) -> bool:
    return width <= work.options.width and height <= work.options.height
