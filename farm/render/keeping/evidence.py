"""Whether a page may be why the GPU process had too much to do, by what the page itself shows.

No command tells whose work that process does. What pages have it do is to draw by WebGL, and to
put layers together. The functions here run in greenlets of the browser's thread, and answer true
for a page that is too busy to be asked.
"""

import time

from farm.render.browser.devtools import DevToolsError, Params, Session, TimedOut
from farm.render.browser.page import Page
from farm.render.page.scripts import begin_world, world_in

#: What Chromium tells the console of a page that has lost a WebGL context. It was measured 0.2 s
#: after the death; until so much after it a page may be told, on a busy machine too.
_LOST = "CONTEXT_LOST_WEBGL"
_TOLD_S = 0.5
#: What the page may take to be asked: a new one stands still until there is a GPU process again.
_ASKED_S = 2.0
#: Stops at so many layers, and at so many elements.
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
    """Whether its main document has elements that may be layers of their own, dozens of them."""
    until = time.monotonic() + timeout_s
    page.is_altered = True
    try:
        world = world_in(begin_world(page.session, page.id).wait(timeout_s))
        params = {"expression": _HAS_MANY_LAYERS, "contextId": world, "returnByValue": True}
        answer = page.session.begin("Runtime.evaluate", params).wait(_left_s(until))
    except TimedOut:
        return True
    except DevToolsError:  # it goes elsewhere, or is gone
        return False
    return answer["result"].get("value") is True


def has_lost_webgl(browser: Session, page: Page) -> bool:
    """Whether a WebGL context of the page, a frame or a worker of it, was lost just now."""
    until = time.monotonic() + _TOLD_S
    asked_until = time.monotonic() + _ASKED_S
    told = []
    page.is_altered = True

    def hear(params: Params) -> None:
        if _LOST in params["entry"]["text"]:
            told.append(params)

    try:
        page.on("Log.entryAdded", hear)
        # What the console was told before comes too, and before the answer.
        answers = [session.begin("Log.enable") for session in page.sessions()]
        for answer in answers:
            answer.wait(_left_s(asked_until))
        while not told and time.monotonic() < until:
            browser.sleep(0.02)
    except TimedOut:
        return True
    except DevToolsError:  # it is gone, and needs no answer
        return False
    return bool(told)


def _left_s(until: float) -> float:
    return max(0.001, until - time.monotonic())
