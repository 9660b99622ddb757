"""What a page can be captured as: one class a format. A new format is a new class in `OUTPUTS`.

A capture is one DevTools command, whose answer is base64 already. PNGs are written for speed:
the same pixels, about a tenth less CPU for a render, and a file about twice as large.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from farm.request import MAX_SIDE_PX


class Output(ABC):
    """A format (see `farm.request.Format`) and the DevTools command that captures it.

    Source: https://chromedevtools.github.io/devtools-protocol/tot/Page/
    """

    name: ClassVar[str]
    media_type: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    max_side_px: ClassVar[int] = MAX_SIDE_PX

    @abstractmethod
    def command(self) -> tuple[str, dict[str, Any]]:
        """The command and its parameters; its answer holds the file as base64 in `data`."""


class Png(Output):
    name = "png"
    media_type = "image/png"

    def command(self) -> tuple[str, dict[str, Any]]:
        return "Page.captureScreenshot", {"format": "png", "optimizeForSpeed": True}


class Jpeg(Output):
    name = "jpeg"
    media_type = "image/jpeg"
    aliases = ("jpg",)

    def command(self) -> tuple[str, dict[str, Any]]:
        return "Page.captureScreenshot", {"format": "jpeg", "quality": 80}


class Webp(Output):
    name = "webp"
    media_type = "image/webp"
    #: A WebP file has 14 bits for a side (https://developers.google.com/speed/webp/faq).
    max_side_px = 16_383

    def command(self) -> tuple[str, dict[str, Any]]:
        # Chromium's encoder is lossless at quality 100, and lossy at 99.
        return "Page.captureScreenshot", {"format": "webp", "quality": 100}


class Pdf(Output):
    """A4 with backgrounds and no margin of its own, unless the page's CSS names a size."""

    name = "pdf"
    media_type = "application/pdf"

    def command(self) -> tuple[str, dict[str, Any]]:
        margins = dict.fromkeys(("marginTop", "marginBottom", "marginLeft", "marginRight"), 0)
        return "Page.printToPDF", {
            "printBackground": True,
            "preferCSSPageSize": True,
            # Inches: A4 as Playwright and Puppeteer have it, so that pages break where theirs do.
            "paperWidth": 8.27,
            "paperHeight": 11.7,
            **margins,
        }


OUTPUTS: dict[str, Output] = {output.name: output for output in (Png(), Jpeg(), Webp(), Pdf())}
