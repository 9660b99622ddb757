"""What a page can be captured as: one class a picture's format. PDFs: see `pdf`.

A capture is one DevTools command, whose answer is base64 already. PNGs are written for speed:
the same pixels, about a tenth less CPU for a render, and a file about twice as large.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from farm.errors import OutputTooLarge
from farm.formats import FORMATS, Format
from farm.request import RenderOptions

#: Sends a DevTools command to the page; returns its answer.
Send = Callable[[str, dict[str, Any]], Any]


@dataclass(frozen=True)
class Caps:
    """What a file may not be larger than; the height is that of a document to be printed."""

    max_output_bytes: int
    max_pdf_pages: int
    max_page_height_px: int


def check_bytes(size: int, max_output_bytes: int) -> None:
    """Raises `OutputTooLarge` if a file has too many bytes."""
    if size > max_output_bytes:
        raise OutputTooLarge(
            f"The file would have more than {max_output_bytes:,} bytes, the most it may."
        )


class Output(ABC):
    """The DevTools command that captures a format.

    Source: https://chromedevtools.github.io/devtools-protocol/tot/Page/
    """

    format: ClassVar[Format]

    @abstractmethod
    def command(self, options: RenderOptions) -> tuple[str, dict[str, Any]]:
        """The command and its parameters; its answer holds the file as base64 in `data`."""

    def capture(self, send: Send, options: RenderOptions, caps: Caps) -> str:
        """The file as base64. Raises `OutputTooLarge`, and `DevToolsError`."""
        data: str = send(*self.command(options))["data"]
        check_bytes(len(data) * 3 // 4, caps.max_output_bytes)
        return data


class Png(Output):
    format = FORMATS["png"]

    def command(self, options: RenderOptions) -> tuple[str, dict[str, Any]]:
        return "Page.captureScreenshot", {"format": "png", "optimizeForSpeed": True}


class Jpeg(Output):
    format = FORMATS["jpeg"]

    def command(self, options: RenderOptions) -> tuple[str, dict[str, Any]]:
        return "Page.captureScreenshot", {"format": "jpeg", "quality": 80}


class Webp(Output):
    format = FORMATS["webp"]

    def command(self, options: RenderOptions) -> tuple[str, dict[str, Any]]:
        # Chromium's encoder is lossless at quality 100, and lossy at 99.
        return "Page.captureScreenshot", {"format": "webp", "quality": 100}


#: By their formats' names.
OUTPUTS: dict[str, Output] = {output.format.name: output for output in (Png(), Jpeg(), Webp())}
