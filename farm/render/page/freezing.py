"""Stops a page that does not come to rest by itself, so that it can be captured as it is.

`settling` calls it, in the render's greenlet.
"""

import time
from contextlib import suppress

from farm.render.browser.devtools import CommandFailed, TimedOut
from farm.render.browser.page import Page
from farm.render.page.activity import Activity
from farm.render.page.interception import Interception, Paused

#: The time that each step may take. It is enough for a page that is busy now and then.
_STEP_S = 1.0


def freeze(page: Page, activity: Activity, interception: Interception) -> None:
    """Stop the page: its scripts run no more, and no navigation continues.

    The page's process may learn of the first too late, so the browser's process refuses
    navigations.
    """
    page.is_altered = True
    refusing = interception.add(_refuse_navigation, [{"resourceType": "Document"}], first=True)
    page.session.post("Emulation.setScriptExecutionDisabled", {"value": True})
    end = time.monotonic() + _STEP_S
    # The answer comes after the event of a navigation that has started. A document that is
    # stopped while it arrives may never be drawn, so its HTML is parsed first.
    with suppress(CommandFailed, TimedOut):
        refusing.wait(_STEP_S)
    activity.wait_until(lambda: activity.navigating_to is None and activity.document.parsed, end)
    stop_loading(page, activity)


def stop_loading(page: Page, activity: Activity) -> None:
    """Stop the navigation that the page is about to make, and whatever it loads."""
    page.session.post("Page.stopLoading")
    activity.wait_until(lambda: activity.navigating_to is None, time.monotonic() + _STEP_S)


def _refuse_navigation(paused: Paused) -> None:
    if paused.kind == "Document":
        paused.fail("Aborted")
