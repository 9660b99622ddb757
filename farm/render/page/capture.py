"""Taking the file of a page that is ready, again where the page went elsewhere meanwhile."""

from farm.render.browser.devtools import CommandFailed, Params
from farm.render.page import pdf
from farm.render.page.activity import DocumentGone
from farm.render.page.outputs import OUTPUTS, Send
from farm.render.page.work import Work

#: A capture that fails though the page stays is tried again: Chromium is about to show another
#: document, or has given that up. How long the news of it may take, after how many failures the
#: page is held where it is, and after how many it is over.
_NEWS_S = 0.5
_HELD_AFTER = 3
_MAX_FAILURES = 6


def capture(work: Work) -> str:
    """The file as base64, of one document.

    Raises `OutputTooLarge`, `InvalidRequest` for pages that the document has not, and
    `CommandFailed` where the browser cannot capture the page.
    """

    activity = work.activity

    def send(method: str, params: Params) -> Params:
        return activity.bind(work.page.session.begin(method, params))

    failures = 0
    while True:
        document = activity.document
        try:
            data = _take(work, send)
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


def _take(work: Work, send: Send) -> str:
    if work.options.format == "pdf":
        return pdf.take(work, send)
    return OUTPUTS[work.options.format].capture(send, work.options, work.caps)
