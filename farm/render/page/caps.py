"""The upper bounds of a file."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from farm.errors import OutputTooLarge

#: Sends a DevTools command to the page and returns its answer.
Send = Callable[[str, dict[str, Any]], Any]


@dataclass(frozen=True)
class Caps:
    """Upper bounds. The height is that of a document that is printed, or captured as a whole."""

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
