"""Capturing the document itself: its HTML, or one file with all that it has loaded."""

from farm.render.page.captured import Captured
from farm.render.page.outputs import Send, check_bytes
from farm.render.page.work import Work


def take_html(work: Work, send: Send) -> Captured:
    """The document after its scripts, as Playwright's `page.content()` has it, in UTF-8.

    Raises `OutputTooLarge`, and `DevToolsError`.
    """
    most = work.caps.max_output_bytes
    found = work.call("html", most)
    assert found is not None
    if found["html"] is None:
        # A character has a byte at least.
        check_bytes(most + 1, most)
    # A page may have halves of surrogate pairs in its text.
    html = found["html"].encode("utf-8", "replace")
    check_bytes(len(html), most)
    return Captured(html, work.options.width, work.options.height)


def take_mhtml(work: Work, send: Send) -> Captured:
    """The document and what it shows, its frames too, in one MIME message (RFC 2557).

    Source: https://chromedevtools.github.io/devtools-protocol/tot/Page/#method-captureSnapshot
    Raises `OutputTooLarge`, and `DevToolsError`.
    """
    work.call("showCursor")
    data: str = send("Page.captureSnapshot", {"format": "mhtml"})["data"]
    check_bytes(len(data), work.caps.max_output_bytes)
    return Captured(data.encode(), work.options.width, work.options.height)
