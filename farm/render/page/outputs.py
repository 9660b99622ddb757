"""What a file may not be larger than, and PDFs.

The other formats: `pictures` and `documents`.
"""

import base64
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from farm.errors import OutputTooLarge
from farm.formats import FORMATS, Format
from farm.render.page.pdf import page_count
from farm.request import RenderOptions

#: Sends a DevTools command to the page; returns its answer.
Send = Callable[[str, dict[str, Any]], Any]


@dataclass(frozen=True)
class Caps:
    """What a file may not be larger than; the height is that of a whole document."""

    max_output_bytes: int
    max_pdf_pages: int
    max_page_height_px: int
    max_pixels: int


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


class Pdf(Output):
    """A4 with backgrounds and no margin of its own, unless the page's CSS names a size."""

    format = FORMATS["pdf"]

    def command(self, options: RenderOptions) -> tuple[str, dict[str, Any]]:
        margins = dict.fromkeys(("marginTop", "marginBottom", "marginLeft", "marginRight"), 0)
        return "Page.printToPDF", {
            "printBackground": True,
            "preferCSSPageSize": True,
            # Inches: A4 as Playwright and Puppeteer have it, so that pages break where theirs do.
            "paperWidth": 8.27,
            "paperHeight": 11.7,
            **margins,
        }

    def capture(self, send: Send, options: RenderOptions, caps: Caps) -> str:
        # Before it is printed: Chromium lays all of it out, however few pages are wanted.
        height = send("Page.getLayoutMetrics", {})["cssContentSize"]["height"]
        if height > caps.max_page_height_px:
            raise OutputTooLarge(
                f"The page is {height:,} pixels high; one that is printed may have at most "
                f"{caps.max_page_height_px:,}."
            )

        def send_with_range(method: str, params: dict[str, Any]) -> Any:
            # One page more than allowed is enough to know.
            return send(method, params | {"pageRanges": f"1-{caps.max_pdf_pages + 1}"})

        data = super().capture(send_with_range, options, caps)
        if page_count(base64.b64decode(data)) > caps.max_pdf_pages:
            raise OutputTooLarge(
                f"The PDF would have more than {caps.max_pdf_pages:,} pages, the most it may."
            )
        return data


#: By their formats' names.
OUTPUTS: dict[str, Output] = {output.format.name: output for output in (Pdf(),)}
