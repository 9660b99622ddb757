"""Does to a ready page what the request asks for: styles, scripts, clicks, scrolling, hiding.

All of it applies to the main document. The page's own Content-Security-Policy does not prevent it:
the debugger runs the scripts, and a script makes the style sheets.
"""

import time

from farm.render.browser.devtools import CommandFailed
from farm.render.page.calling import call, check_selectors, run_script
from farm.render.page.navigation import Document, DocumentGone
from farm.render.page.work import Work
from farm.request.actions import Actions

#: Scrolling through a page stops after so many steps, so many seconds, or this share of the time
#: that is left, however long the page is.
_MAX_STEPS = 200
_THROUGH_S = 10.0
_THROUGH_SHARE = 0.5
#: How long the end of a page may take to move down because of what loads when it is seen.
_GROWS_S = 1.0
#: How often styles and masks are applied again because the page has navigated.
_MAX_DOCUMENTS = 3


def prepare(work: Work) -> None:
    """Run what comes before all waits. Raises `ScriptFailed`."""
    for number, text in enumerate(work.options.on_load):
        work.step = f"onLoad.{number}"
        _run(work, text)


def act(work: Work) -> None:
    """Do what the request asks for.

    Raises `ScriptFailed`, and `InvalidRequest` for invalid selectors.
    """
    options = work.options
    if not is_asked(options):
        return
    styled = _style(work)
    for number, text in enumerate(options.scripts):
        work.step = f"scripts.{number}"
        _run(work, text)
    if options.click:
        work.step = "click"
        check_selectors(work, "click", *options.click)
    for number, selector in enumerate(options.click):
        work.step = f"click.{number}"
        _click(work, selector)
    if options.scroll is not None:
        work.step = "scroll"
        _scroll(work)
    for _ in range(_MAX_DOCUMENTS):
        if work.activity.document is not styled:
            _style(work)
        styled = _mask(work)
        work.settling.resume()
        if work.activity.document is styled:
            break


def is_asked(options: Actions) -> bool:
    asked = (options.styles, options.scripts, options.click, options.hide, options.remove)
    return any(asked) or options.scroll is not None


def _style(work: Work) -> Document:
    """Add the styles. Returns the document that has them."""
    if work.options.styles:
        work.step = "styles"
        call(work, "style", work.options.styles)
    return work.activity.document


def _mask(work: Work) -> Document:
    options = work.options
    if options.hide:
        work.step = "hide"
        check_selectors(work, "hide", *options.hide)
        call(work, "hide", options.hide)
    if options.remove:
        work.step = "remove"
        check_selectors(work, "remove", *options.remove)
        call(work, "remove", options.remove)
    return work.activity.document


def _run(work: Work, text: str) -> None:
    document = work.activity.document
    run_script(work, text)
    if document.is_gone or work.activity.navigating_to is not None:
        work.settling.resume()


def _click(work: Work, selector: str) -> None:
    """Click at the middle of the first match with real mouse events, and settle the page."""
    point = call(work, "point", selector)
    if point is None:
        work.failures.note_missing(f"options.{work.step}", selector)
        return
    # A new document does not reset the position of the pointer.
    work.page.is_altered = True
    pressed = {"button": "left", "buttons": 1, "clickCount": 1}
    for kind, more in (
        ("mouseMoved", {}),
        ("mousePressed", pressed),
        ("mouseReleased", {**pressed, "buttons": 0}),
    ):
        event = {"type": kind, **point, **more}
        try:
            work.activity.await_answer(work.page.session.begin("Input.dispatchMouseEvent", event))
        except (DocumentGone, CommandFailed):  # the click makes the page navigate
            break
    work.settling.resume()


def _scroll(work: Work) -> None:
    scroll = work.options.scroll
    assert scroll is not None
    if scroll == "through":
        _scroll_through(work)
        return
    if isinstance(scroll.to, str):
        check_selectors(work, "scroll.to", scroll.to, listed=False)
    call(work, "scrollTo", scroll.to)


def _scroll_through(work: Work) -> None:
    """Scroll to the end of the page, which may move down meanwhile, and back to where it was."""
    now = time.monotonic()
    left_s = min(work.settling.left_s, work.latest - now)
    end = now + min(_THROUGH_S, _THROUGH_SHARE * left_s)
    for number in range(call(work, "findScrollers") or 0):
        began_at = 0
        for step in range(_MAX_STEPS):
            at = call(work, "scrollOn", number)
            if at is None or time.monotonic() > end:
                break
            began_at = began_at if step else at["before"]
            if at["height"] > work.caps.max_page_height_px:
                break
            work.settling.draw()
            if at["top"] <= at["before"] and not _grows(work, number, at["height"]):
                break
        call(work, "scrollBack", number, began_at)


def _grows(work: Work, number: int, height: float) -> bool:
    """Whether the page has become longer because of what it loads at its end."""
    until = time.monotonic() + _GROWS_S
    work.activity.wait_until(lambda: work.activity.quiet_in(0) == 0, until)
    work.settling.draw()
    at = call(work, "scrollOn", number)
    return at is not None and (at["height"] > height or at["top"] > at["before"])
