"""Makes the answer of a tool: a picture, a PDF or a text, and a summary of the render.

An answer stays in the agent's context, so everything in it is bounded. A large picture is reduced,
a long text is cut, and a PDF that is too large must be saved to a path.
"""

import base64
from pathlib import Path

import pyvips
from mcp import types

from farm.formats import FORMATS
from farm.mcp.rendering import Rendered
from farm.mcp.report import summary_lines
from farm.mcp.saving import refused

#: The longest side of a picture. Models reduce larger pictures to it
#: (https://docs.claude.com/en/docs/build-with-claude/vision).
MAX_SIDE_PX = 1568
#: The size of a file in an answer, before base64. Claude Desktop refuses answers of more than 1 MB.
MAX_BYTES = 700_000
#: The length of a text: about 12,000 tokens. Claude Code refuses answers of more than 25,000.
MAX_CHARACTERS = 40_000
#: The quality and the longest side to try, in this order, until a picture has at most `MAX_BYTES`.
_SMALLER = ((85, MAX_SIDE_PX), (70, MAX_SIDE_PX), (60, 1024), (50, 640))
#: Formats that models read.
_SEEN = ("png", "jpeg", "webp")
_SAVE = "Call the tool again with `output`, a path, to save the whole file."

Blocks = list[types.ContentBlock]


def saved(rendered: Rendered, path: Path) -> Blocks:
    """The answer for a file that was saved."""
    return [_text(f"Saved to {path}: {_facts(rendered)}")]


def content(rendered: Rendered) -> Blocks:
    """The answer with the file, reduced or cut. Raises `InvalidRequest` for a large PDF."""
    if FORMATS[rendered.format].is_picture:
        return _picture(rendered)
    if rendered.format == "pdf":
        return _document(rendered)
    text = rendered.data.decode("utf-8", "replace")
    summary = _facts(rendered)
    if len(text) > MAX_CHARACTERS:
        summary += (
            f"\nOnly the first {MAX_CHARACTERS:,} of {len(text):,} characters are here. {_SAVE}"
        )
    return [_text(text[:MAX_CHARACTERS]), _text(summary)]


def _picture(rendered: Rendered) -> Blocks:
    summary = _facts(rendered)
    data, media_type = rendered.data, rendered.content_type
    if (
        rendered.format not in _SEEN
        or max(rendered.width, rendered.height) > MAX_SIDE_PX
        or len(data) > MAX_BYTES
    ):
        data, width, height = _smaller(data)
        media_type = FORMATS["webp"].media_type
        summary += (
            f"\nThe picture here is a copy: WebP, {width} × {height} pixels. {_SAVE} To see "
            "details, capture a part with `selector` or `clip`."
        )
    image = types.ImageContent(data=base64.b64encode(data).decode(), mime_type=media_type)
    return [image, _text(summary)]


def _smaller(data: bytes) -> tuple[bytes, int, int]:
    """The picture as a WebP within the limits, and its width and height."""
    for quality, side in _SMALLER:
        image = pyvips.Image.thumbnail_buffer(data, side, height=side, size="down")
        copy: bytes = image.webpsave_buffer(Q=quality)
        if len(copy) <= MAX_BYTES:
            break
    return copy, image.width, image.height


def _document(rendered: Rendered) -> Blocks:
    if len(rendered.data) > MAX_BYTES:
        raise refused(
            f"is needed: the PDF has {len(rendered.data):,} bytes, and an answer has room for "
            f"{MAX_BYTES:,}"
        )
    resource = types.BlobResourceContents(
        uri="render:///page.pdf",
        mime_type=rendered.content_type,
        blob=base64.b64encode(rendered.data).decode(),
    )
    return [types.EmbeddedResource(resource=resource), _text(_facts(rendered))]


def _facts(rendered: Rendered) -> str:
    name = rendered.format.upper()
    sides = (
        f", {rendered.width} × {rendered.height} pixels"
        if FORMATS[rendered.format].is_picture
        else ""
    )
    return "\n".join(
        [f"{name}{sides}, {len(rendered.data):,} bytes.", *summary_lines(rendered.facts)]
    )


def _text(text: str) -> types.TextContent:
    return types.TextContent(text=text)
