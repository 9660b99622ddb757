"""Prints a page by Chromium's `Page.printToPDF`, within bounds on its cost.

Source: https://chromedevtools.github.io/devtools-protocol/tot/Page/#method-printToPDF
"""

import base64
from typing import Any

from farm.errors import InvalidRequest, OutputTooLarge, Problem
from farm.render.browser.devtools import CommandFailed, Params
from farm.render.page import templates
from farm.render.page.caps import Caps, Send, check_bytes
from farm.render.page.captured import Captured
from farm.render.page.page_count import page_count
from farm.render.page.single_page import SinglePage
from farm.render.page.work import Work
from farm.request.pdf import DEFAULTS, PdfOptions

#: A document with more than this many times the allowed pages, by its size, is not printed:
#: Chromium lays all of it out, even if few pages are wanted.
_MAX_LAID_OUT = 10
#: Chromium's error for a range that begins after the last page.
_NO_SUCH_PAGE = "Page range exceeds page count"


def take(work: Work, send: Send) -> Captured:
    """The PDF, with the number of its pages in `facts`.

    Raises `OutputTooLarge`, `InvalidRequest` for pages that the document does not have, and
    `DevToolsError`.
    """
    asked = work.options.pdf or DEFAULTS
    content = send("Page.getLayoutMetrics", {})["cssContentSize"]
    _check_height(content["height"], work.caps)
    if work.options.pdf is not None:
        _check_paper(asked, content, work.caps)
    # One page more than allowed shows that there are too many.
    ranges = {"pageRanges": _ranges(asked, work.caps.max_pdf_pages + 1)}
    params = parameters(asked) | templates.parameters(work, send, asked)
    if asked.single_page:
        with SinglePage(work, send, asked) as of_one_page:
            data = _print(work, send, params | of_one_page | ranges)
    else:
        data = _print(work, send, params | ranges)
    check_bytes(len(data) * 3 // 4, work.caps.max_output_bytes)
    pages = page_count(base64.b64decode(data))
    if pages > work.caps.max_pdf_pages:
        raise OutputTooLarge(
            f"The PDF would have more than {work.caps.max_pdf_pages:,} pages, the most it may."
        )
    if asked.single_page and pages > 1:
        raise OutputTooLarge("The content does not fit onto one page; leave singlePage out.")
    return Captured(data, work.options.width, work.options.height, facts={"pages": pages})


def parameters(asked: PdfOptions) -> Params:
    """The parameters of `Page.printToPDF`. Those with Chromium's default are left out."""
    width, height = asked.paper_in
    params: dict[str, Any] = {
        "printBackground": asked.background,
        "preferCSSPageSize": asked.prefer_css_page_size,
        "paperWidth": width,
        "paperHeight": height,
    }
    margins = asked.margins
    for side in ("top", "bottom", "left", "right"):
        # 0 and not 0.0 for a side without a margin.
        params[f"margin{side.capitalize()}"] = margins[side] / 96 if margins[side] else 0
    # Each with Chromium's default. One that has the default is not sent.
    others = {
        "landscape": (asked.landscape, False),
        "scale": (asked.scale, 1),
        "generateDocumentOutline": (asked.outline, False),
        "generateTaggedPDF": (asked.tagged, True),
    }
    return params | {name: value for name, (value, default) in others.items() if value != default}


def _print(work: Work, send: Send, params: Params) -> str:
    try:
        data: str = send("Page.printToPDF", params)["data"]
    except CommandFailed as exc:
        if _NO_SUCH_PAGE not in str(exc):
            raise
        problem = Problem(f"{work.place}.pdf.pages", "the document has fewer pages")
        raise InvalidRequest.of(problem) from exc
    return data


def _check_height(height: float, caps: Caps) -> None:
    if height > caps.max_page_height_px:
        raise OutputTooLarge(
            f"The page is {height:,} pixels high; one that is printed may have at most "
            f"{caps.max_page_height_px:,}."
        )


def _check_paper(asked: PdfOptions, content: Params, caps: Caps) -> None:
    """Refuse, before it is printed, a document that would have far too many pages.

    Its area is taken from the screen's layout: a document that becomes narrower becomes longer.
    """
    width, height = asked.content_px
    area = content["width"] * content["height"] * asked.scale**2
    most = caps.max_pdf_pages * _MAX_LAID_OUT
    if area > width * height * most:
        raise OutputTooLarge(
            f"The document would have more than {most:,} pages of that paper and scale."
        )


def _ranges(asked: PdfOptions, most: int) -> str:
    """The ranges of the wanted pages, `most` pages at most."""
    chosen: list[str] = []
    left = most
    for first, last in asked.ranges or [(1, most)]:
        if left > 0:
            last = min(last, first + left - 1)
            left -= last - first + 1
            chosen.append(f"{first}-{last}")
    return ",".join(chosen)
