"""Captures the document itself: as HTML, or as one file with all that it has loaded."""

from farm.render.page.caps import Send, check_bytes
from farm.render.page.captured import Captured
from farm.render.page.scripts import function_in
from farm.render.page.work import Work

_FUNCTION = function_in("documents.js")


def take_html(work: Work, send: Send) -> Captured:
    """The document after its scripts have run, as Playwright's `page.content()` gives it, in UTF-8.

    Raises `OutputTooLarge` and `DevToolsError`.
    """
    most = work.caps.max_output_bytes
    found = work.call("html", most, function=_FUNCTION)
    assert found is not None
    if found["html"] is None:
        # The script gives no HTML that has more characters than bytes are allowed.
        check_bytes(most + 1, most)
    # A page may have lone surrogates in its text.
    html = found["html"].encode("utf-8", "replace")
    check_bytes(len(html), most)
    return Captured(html, work.options.width, work.options.height)


def take_mhtml(work: Work, send: Send) -> Captured:
    """The document and what it shows, frames included, as one MIME message (RFC 2557).

    Raises `OutputTooLarge` and `DevToolsError`.

    Source: https://chromedevtools.github.io/devtools-protocol/tot/Page/#method-captureSnapshot
    """
    work.call("showCursor", function=_FUNCTION)
    data: str = send("Page.captureSnapshot", {"format": "mhtml"})["data"]
    check_bytes(len(data), work.caps.max_output_bytes)
    return Captured(data.encode(), work.options.width, work.options.height)
