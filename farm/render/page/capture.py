"""Taking the file of a page that is ready, again where the page went elsewhere meanwhile."""

from farm.render.browser.devtools import CommandFailed, Params
from farm.render.browser.page import Page
from farm.render.page.activity import Activity, DocumentGone
from farm.render.page.outputs import Caps, Output
from farm.render.page.settling import Settling

#: A capture that fails though the page stays is tried once more: Chromium may have been about to
#: show another document, and have given that up.
_MAX_FAILURES = 2


def capture(page: Page, activity: Activity, settling: Settling, output: Output, caps: Caps) -> str:
    """The file as base64, of one document.

    Raises `OutputTooLarge`, and `CommandFailed` where the browser cannot capture the page.
    """

    def send(method: str, params: Params) -> Params:
        return activity.bind(page.session.begin(method, params))

    failures = 0
    while True:
        document = activity.document
        try:
            data = output.capture(send, caps)
            if not document.is_gone:
                return data
        except DocumentGone:
            pass
        except CommandFailed:
            failures += not document.is_gone
            if failures == _MAX_FAILURES:
                raise
        settling.settle_again()
