"""What a render is asked for, and what comes of it.

`RenderRequest` is made of groups, one file each: `source` (what the page is), `waiting` (when it is
captured), `capture` (what of it), `emulation` (how the page sees itself), `network` (what it sends
and loads), `mocking` (what is answered in place of sites), `actions` (what is done to it before),
`failing` (what is an error), `pdf`, `caching`, `webhook` (who is told of a job's end). `link` reads
those that come in an address. `group` says
how an option is declared.
"""

from farm.request.caching import Caching
from farm.request.failing import FailOn, names_status
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
    "names_status",
]
