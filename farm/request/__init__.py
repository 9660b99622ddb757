"""Parses and validates a render request, and defines the result of a render.

The web layer, the job worker and the command line make a `RenderRequest` with it; the engine and
the cache only read one. Values are immutable, so any thread may use them. A request consists of
groups, a file each:

- `source`: the page itself, or its URL
- `waiting`: when the page is captured
- `capture`: the viewport, the part of the page, the format
- `emulation`: the device, browser and user that the page sees
- `network`, `cookies`, `blocking`, `mocking`: what the page sends, loads, and gets as answers
- `actions`: what is done to the page before the capture
- `failing`: what makes the render an error
- `pdf`, `paper`, `pdf_metadata`: how a PDF is printed
- `outputs`, `caching`, `webhook`: several files, the cache, and who is told of a job's end

`group` says how an option is declared, `problems` makes sentences of what is wrong, `schema` gives
the JSON Schema, and `link` reads a request from a signed link.
"""

from farm.request.caching import Caching
from farm.request.failing import FailOn, includes_status
from farm.request.group import Limits
from farm.request.link import Link
from farm.request.outputs import File
from farm.request.request import OtherVersion, RenderOptions, RenderRequest
from farm.request.result import CacheUse, RenderResult, Timings
from farm.request.source import HTML, HTML_OR_URL, URL, Asset

__all__ = [
    "HTML",
    "HTML_OR_URL",
    "URL",
    "Asset",
    "CacheUse",
    "Caching",
    "FailOn",
    "File",
    "Limits",
    "Link",
    "OtherVersion",
    "RenderOptions",
    "RenderRequest",
    "RenderResult",
    "Timings",
    "includes_status",
]
