"""Makes a PDF of one page that is as high as the content (`pdf.singlePage`).

Chromium cuts what it prints into pages of one height, and lays the content out only when it knows
that height. So the content is measured before, with the print medium and at the paper's width. What
depends on the viewport's height (`100vh`) keeps the size that it has in the request's viewport.
"""

import math
from collections.abc import Callable

from farm.errors import OutputTooLarge
from farm.render.browser.devtools import Params
from farm.render.page.caps import Send
from farm.render.page.scripts import function_in
from farm.render.page.work import Work
from farm.request.paper import MAX_SIDE_PX
from farm.request.pdf import PdfOptions

_FUNCTION = function_in("printing.js")
#: Chromium shrinks content that is wider than the paper, by this factor at most (measured).
_MAX_SHRINK = 1.5
#: The height of a viewport that is lower than any content.
_LOW_PX = 24

#: Sets the viewport's width and height.
Resize = Callable[[int, int], None]


class SinglePage:
    """A context manager. After it, the document is as it was before."""

    def __init__(self, work: Work, send: Send, asked: PdfOptions) -> None:
        self._work = work
        self._send = send
        self._asked = asked

    def __enter__(self) -> Params:
        """The parameters of `Page.printToPDF` that differ for it. Raises `OutputTooLarge`."""
        margins = self._asked.margins
        self._call("joinPages", list(margins.values()))
        width = self._asked.content_px[0] / self._asked.scale
        with self._work.page.printed() as resize:
            shrink, height = self._layout(resize, width)
        on_paper = height * self._asked.scale / shrink
        height = math.ceil(on_paper + margins["top"] + margins["bottom"]) + 1
        if height > MAX_SIDE_PX:
            raise OutputTooLarge(
                f"The page would be {height:,} pixels high; one of a PDF may have at most "
                f"{MAX_SIDE_PX:,}. Give it a smaller scale, or let it have several pages."
            )
        return {
            "preferCSSPageSize": False,
            "landscape": False,
            "paperWidth": self._asked.page_px[0] / 96,
            "paperHeight": height / 96,
        }

    def __exit__(self, *_: object) -> None:
        self._call("undo")

    def _layout(self, resize: Resize, width: float) -> tuple[float, float]:
        """The factor by which the content is shrunk, and the content's height before that."""
        viewport = math.ceil(width), self._work.options.height
        content = self._measure(resize, *viewport)
        shrink = 1.0
        if content["width"] > viewport[0]:
            shrink = min(content["width"] / width, _MAX_SHRINK)
            viewport = math.ceil(width * shrink), viewport[1]
            content = self._measure(resize, *viewport)
        is_low = content["height"] <= viewport[1]
        self._call("noteHeights")
        self._measure(resize, viewport[0], _LOW_PX if is_low else 2 * viewport[1])
        self._call("freezeHeights", is_low)
        if not is_low:
            return shrink, self._measure(resize, *viewport)["height"]
        low = self._measure(resize, viewport[0], _LOW_PX)
        # Content that finds no room below may extend to the right.
        return shrink, (low if low["width"] <= content["width"] else content)["height"]

    def _measure(self, resize: Resize, width: int, height: int) -> Params:
        resize(width, height)
        size: Params = self._send("Page.getLayoutMetrics", {})["cssContentSize"]
        return size

    def _call(self, name: str, *arguments: object) -> None:
        self._work.call(name, *arguments, function=_FUNCTION)
