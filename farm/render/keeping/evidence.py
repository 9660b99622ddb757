"""Finds out from a page itself whether it may have overloaded the GPU process.

No DevTools command says whose work the GPU process does. Pages give it work by drawing with WebGL
and by having layers. `drawing` calls these functions in greenlets of the browser's thread. They
return True for a page that is too busy to answer.
"""

import time

from farm.render.browser.devtools import DevToolsError, Params, Session, TimedOut
from farm.render.browser.page import Page
from farm.render.page.scripts import begin_world, world_in

#: Chromium's console message for a lost WebGL context, and how long it is waited for. It comes 0.2
#: s after the death (measured); the rest is for busy machines.
_LOST = "CONTEXT_LOST_WEBGL"
_MESSAGE_S = 0.5
#: The time that a page may take to answer: a new page hangs until there is a GPU process again.
_ANSWER_S = 2.0
#: The script stops at so many layers or elements.
_HAS_MANY_LAYERS = """(() => {
    let layers = 0, seen = 0;
    for (const element of document.querySelectorAll('*')) {
        const style = getComputedStyle(element);
        const makesLayer = style.willChange !== 'auto' || style.transform !== 'none'
            || style.filter !== 'none' || style.backdropFilter !== 'none'
            || style.mixBlendMode !== 'normal';
        if (makesLayer && ++layers === 50) return true;
        if (++seen === 20000) return false;
    }
    return false;
})()"""


def has_many_layers(page: Page, timeout_s: float) -> bool:
    """Whether the main document has dozens of elements that may be layers of their own."""
    until = time.monotonic() + timeout_s
    page.is_altered = True
    try:
        world = world_in(begin_world(page.session, page.id).wait(timeout_s))
        params = {"expression": _HAS_MANY_LAYERS, "contextId": world, "returnByValue": True}
        answer = page.session.begin("Runtime.evaluate", params).wait(_left_s(until))
    except TimedOut:
        return True
    except DevToolsError:  # it navigates, or is gone
        return False
    return answer["result"].get("value") is True


def has_lost_webgl(browser: Session, page: Page) -> bool:
    """Whether the page, a frame or a worker of it has just lost a WebGL context."""
    until = time.monotonic() + _MESSAGE_S
    asked_until = time.monotonic() + _ANSWER_S
    told = []
    page.is_altered = True

    def on_entry(params: Params) -> None:
        if _LOST in params["entry"]["text"]:
            told.append(params)

    try:
        page.sessions.on("Log.entryAdded", on_entry)
        # Earlier console messages are reported too, before the answer.
        answers = [session.begin("Log.enable") for session in page.sessions]
        for answer in answers:
            answer.wait(_left_s(asked_until))
        while not told and time.monotonic() < until:
            browser.sleep(0.02)
    except TimedOut:
        return True
    except DevToolsError:  # it is gone, and does not matter
        return False
    return bool(told)


def _left_s(until: float) -> float:
    return max(0.001, until - time.monotonic())
