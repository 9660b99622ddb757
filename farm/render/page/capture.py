"""Taking the file of a page that is ready, again where the page went elsewhere meanwhile."""

from farm.render.browser.devtools import CommandFailed, Params
from farm.render.page import emulation
from farm.render.page.activity import DocumentGone
from farm.render.page.outputs import OUTPUTS
from farm.render.page.work import Work

#: A capture that fails though the page stays is tried again: Chromium is about to show another
#: document, or has given that up. How long the news of it may take, after how many failures the
#: page is held where it is, and after how many it is over.
_NEWS_S = 0.5
_HELD_AFTER = 3
_MAX_FAILURES = 6


def capture(work: Work) -> str:
    """The file as base64, of one document.

    Raises `OutputTooLarge`, and `CommandFailed` where the browser cannot capture the page.
    """

    activity = work.activity
    output = OUTPUTS[work.options.format]

    def send(method: str, params: Params) -> Params:
        return activity.bind(work.page.session.begin(method, params))

    failures = 0
    while True:
        document = activity.document
        try:
            emulation.finish_animations(work)
            data = output.capture(send, work.options, work.caps)
            if not document.is_gone:
                return data
        except DocumentGone:
            pass
        except CommandFailed:
            if not activity.wait_until_gone(document, _NEWS_S):
                failures += 1
                if failures == _MAX_FAILURES:
                    raise
                if failures >= _HELD_AFTER:
                    work.settling.hold()
        work.settling.settle_again()
