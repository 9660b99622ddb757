"""One page of a PDF that is as high as the content (`pdf.singlePage`).

Chromium cuts what it prints into pages of one height, and lays it out once it knows that height: so
the content is measured before, in print's medium and at the paper's width. What depends on the
viewport's height (`100vh`) keeps the one that it has in the request's viewport.
"""

import math
from collections.abc import Callable

from farm.errors import OutputTooLarge
from farm.render.browser.devtools import Params
from farm.render.page.caps import Send
from farm.render.page.scripts import function_in
from farm.render.page.work import Work
from farm.request.pdf import MAX_SIDE_PX, PdfOptions

_FUNCTION = function_in("printing.js")
#: What is wider than the paper is made smaller when it is printed, to this at most.
_MAX_SHRINK = 2
#: Of a viewport that is lower than any content.
_LOW_PX = 24

#: Sets the viewport's width and height.
Resize = Callable[[int, int], None]


class SinglePage:
    """Use it in `with`: the document is as before afterwards."""

    def __init__(self, work: Work, send: Send, asked: PdfOptions) -> None:
        self._work = work
        self._send = send
        self._asked = asked

    def __enter__(self) -> Params:
        """The parameters of `Page.printToPDF` that are others for it. Raises `OutputTooLarge`."""
        margins = self._asked.margins
        self._call("joinPages", list(margins.values()))
        width = self._asked.content_px[0] / self._asked.scale
        with self._work.page.printed() as resize:
            content = self._content(resize, math.ceil(width))
        height = content["height"] * self._asked.scale
        if content["width"] > width:
            height *= width / content["width"]
        height = math.ceil(height + margins["top"] + margins["bottom"]) + 1
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

    def _content(self, resize: Resize, width: int) -> Params:
        """Its size at that width, or at the width to which print widens that."""
        height = self._work.options.height
        content = self._measure(resize, width, height)
        if content["width"] > width:
            width = min(math.ceil(content["width"]), width * _MAX_SHRINK)
            content = self._measure(resize, width, height)
        if content["height"] <= height:
            low = self._measure(resize, width, _LOW_PX)
            return {**content, "height": low["height"]}
        self._call("noteHeights")
        if self._measure(resize, width, 2 * height)["height"] != content["height"]:
            self._call("freezeHeights")
            content = self._measure(resize, width, height)
        return content

    def _measure(self, resize: Resize, width: int, height: int) -> Params:
        resize(width, height)
        size: Params = self._send("Page.getLayoutMetrics", {})["cssContentSize"]
        return size

    def _call(self, name: str, *arguments: object) -> None:
        self._work.call(name, *arguments, function=_FUNCTION)
