"""Serves HTML that has an address, and its files, in place of a site.

The page navigates to the address, and the request for the document is answered with the HTML. So
the document has the address's origin, and relative links, cookies, `fetch` and storage work as on
that site. Requests for files that came with the HTML are answered from memory. All others go to the
site, through the egress proxy.

Without a `baseUrl` the address is `OWN_ADDRESS`, which has nothing but the document and its files.
Other requests to it fail in the browser. Without files, they have as little effect as relative URLs
in HTML without an address.
"""

import mimetypes
from urllib.parse import unquote

import ada_url

from farm.render.browser.devtools import Params
from farm.render.browser.page import Page
from farm.render.page.interception import Interception, Paused
from farm.request import Asset, RenderRequest

#: Browsers trust hosts below `localhost` (https://w3c.github.io/webappsec-secure-contexts/), so the
#: page may do what https pages may, such as `crypto.subtle`. And since the address is not https,
#: what the page loads over plain http is not blocked as mixed content, just as in HTML without an
#: address.
OWN_ADDRESS = "http://page.localhost/"
#: Bytes that one page may get, however often it asks: each answer costs the browser's thread time.
_MAX_SERVED_BYTES = 512 << 20
_READS = ("GET", "HEAD")
#: Types that Python does not know, or knows by an old name.
_MORE_TYPES = {
    ".avif": "image/avif",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".m4a": "audio/mp4",
    ".mjs": "text/javascript",
    ".otf": "font/otf",
    ".ttf": "font/ttf",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}
#: Without the types of the machine's own files, so that a page is the same on every machine.
_TYPES = mimetypes.MimeTypes()
for _suffix, _type in _MORE_TYPES.items():
    _TYPES.add_type(_type, _suffix)
_TEXTS = ("text/", "application/javascript", "application/json", "application/xml")


class Serving:
    """Serves the document and the files of one page."""

    def __init__(self, page: Page, request: RenderRequest, html: str) -> None:
        self._page = page
        self._html = html
        self.address = request.base_url or OWN_ADDRESS
        #: The document's URL, once it has been requested.
        self._document: str | None = None
        self._left = _MAX_SERVED_BYTES
        self._has_own_address = request.base_url is None
        self._files = {
            _key(ada_url.join_url(self.address, name)): (name, asset)
            for name, asset in request.assets.items()
        }

    def begin(self, interception: Interception) -> None:
        """Start serving. Call it before the page navigates to its address."""
        interception.add(self._answer, self._patterns)

    @property
    def _patterns(self) -> list[Params]:
        """The patterns of documents, and of URLs below the folder of the address."""
        documents: Params = {"resourceType": "Document"}
        if not (self._files or self._has_own_address):
            return [documents]
        folder, _, _ = self.address.partition("#")[0].partition("?")[0].rpartition("/")
        return [documents, {"urlPattern": f"{_escaped(folder)}/*"}]

    def _answer(self, paused: Paused) -> None:
        if self._is_document(paused):
            self._fulfil(paused, self._headers, self._html.encode())
        elif paused.method in _READS and (found := self._files.get(_key(paused.url))) is not None:
            name, asset = found
            body = asset.encode() if isinstance(asset, str) else asset.base64
            self._fulfil(paused, {"Content-Type": content_type(name, asset)}, body)
        elif self._has_own_address and paused.url.startswith(OWN_ADDRESS):
            # `Aborted` is what Chromium reports if the page itself cancels a request: the page, or
            # the frame, then stays as it is. With `Failed` it would show an error page.
            paused.fail("Failed" if self._files else "Aborted")

    @property
    def _headers(self) -> dict[str, str]:
        """The headers of the document."""
        headers = {"Content-Type": "text/html; charset=utf-8"}
        if self._has_own_address:
            # No site knows the address, and some refuse images to pages that they do not know.
            headers["Referrer-Policy"] = "no-referrer"
        return headers

    def _is_document(self, paused: Paused) -> bool:
        if paused.kind != "Document" or paused.frame != self._page.id:
            return False
        if self._has_own_address:  # a form that is sent to its own page shows the page again
            return paused.url.partition("?")[0] == OWN_ADDRESS
        # The first one is the document, however the browser writes the address.
        self._document = self._document or paused.url
        return paused.method in _READS and paused.url == self._document

    def _fulfil(self, paused: Paused, headers: dict[str, str], body: bytes | str) -> None:
        self._left -= len(body)
        if self._left < 0:
            paused.fail("Failed")
        else:
            paused.fulfil(200, headers, body)


def content_type(name: str, asset: str | Asset) -> str:
    """The file's `Content-Type`."""
    if isinstance(asset, Asset) and asset.content_type is not None:
        return asset.content_type
    guessed, encoding = _TYPES.guess_type(name)
    if guessed is None or encoding is not None:
        return "text/plain; charset=utf-8" if isinstance(asset, str) else "application/octet-stream"
    # An XML file may declare its encoding itself.
    is_text = guessed.startswith(_TEXTS) or (isinstance(asset, str) and guessed.endswith("+xml"))
    return f"{guessed}; charset=utf-8" if is_text else guessed


def _key(url: str) -> str:
    """The part of a URL that identifies a file: without the query, and with its path unescaped."""
    return unquote(url.partition("#")[0].partition("?")[0])


def _escaped(url: str) -> str:
    """The URL as a pattern, with the pattern's special characters escaped."""
    return url.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")
