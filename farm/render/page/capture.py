"""Captures a page that is ready, and captures it again if the page navigates meanwhile."""

from collections.abc import Callable
from typing import TypeVar

from farm.render.browser.devtools import CommandFailed, Params
from farm.render.page import documents, emulation, pdf, pictures, templates
from farm.render.page.caps import Send
from farm.render.page.captured import Captured
from farm.render.page.navigation import DocumentGone
from farm.render.page.work import Work

_Taken = TypeVar("_Taken")
#: A capture that fails although the page stays is tried again: Chromium is about to show another
#: document, or has given up doing so. `_NEWS_S` is how long the event that says so may take. After
#: `_FREEZE_AFTER` failures the page is held as it is, and after `_MAX_FAILURES` the capture has
#: failed.
_NEWS_S = 0.5
_FREEZE_AFTER = 3
_MAX_FAILURES = 6


def prepare(work: Work) -> None:
    """Prepare the page before anything is loaded."""
    if (scale := work.options.device_scale_factor) != 1:
        work.page.magnify(scale)
    templates.prepare(work)


def capture(work: Work, take: Callable[[Work, Send], _Taken]) -> _Taken:
    """The result of `take`, which captures the page. All of it is of one document.

    Raises `OutputTooLarge`, `SelectorNotFound`, `InvalidRequest` for an invalid selector or for
    pages that the document does not have, and `CommandFailed` if the browser cannot capture the
    page.
    """

    activity = work.activity

    def send(method: str, params: Params) -> Params:
        return activity.await_answer(work.page.session.begin(method, params))

    failures = 0
    while True:
        document = activity.document
        try:
            emulation.finish_animations(work)
            captured = take(work, send)
            if not (document.is_gone or activity.is_lost):
                return captured
        except DocumentGone:
            pass
        except CommandFailed:
            if not activity.wait_until_gone(document, _NEWS_S):
                failures += 1
                if failures == _MAX_FAILURES:
                    raise
                if failures >= _FREEZE_AFTER:
                    work.settling.freeze()
        work.settling.settle_again()


def take_file(work: Work, send: Send) -> Captured:
    """Capture the file of `work.options`."""
    format_ = work.options.file_format
    if format_.is_picture:
        return pictures.take(work, send)
    takers = {"pdf": pdf.take, "html": documents.take_html, "mhtml": documents.take_mhtml}
    return takers[format_.name](work, send)
