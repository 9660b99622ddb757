"""A page of HTML that has an address, and its files: answered here, in the place of a site.

The page is navigated to its address, and the request for the document is answered with the HTML.
So the document has that site's origin: relative links, cookies, `fetch` and storage are the site's.
Requests for the files that came with it are answered from memory; all others go to the site, by way
of the egress proxy.

Without a `baseUrl` the address is `OWN_ADDRESS`, where nothing but the document and its files is
found: what else is asked for there fails in the browser.
"""

import mimetypes
from urllib.parse import unquote

import ada_url

from farm.render.browser.devtools import Params
from farm.render.browser.page import Page
from farm.render.page.interception import Interception, Paused
from farm.request import Asset, RenderRequest

#: Browsers trust names below `localhost` (https://w3c.github.io/webappsec-secure-contexts/), so the
#: page may do what pages of https may: `crypto.subtle`, say. And since it is not https, what it
#: loads by plain http is not blocked as mixed content, as nothing is in HTML without an address.
OWN_ADDRESS = "http://page.localhost/"
#: Of one page, however often it asks for its files: each costs the browser's thread some time.
_MAX_SERVED_BYTES = 512 << 20
#: What Python does not know, or calls by an old name.
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
#: Without those of the machine's own files: a page looks alike on each.
_TYPES = mimetypes.MimeTypes()
for _suffix, _type in _MORE_TYPES.items():
    _TYPES.add_type(_type, _suffix)
_TEXTS = ("text/", "application/javascript", "application/json", "application/xml")


class Serving:
    """Of one page."""

    def __init__(self, page: Page, request: RenderRequest, html: str) -> None:
        self._page = page
        self._html = html
        self.address = request.base_url or OWN_ADDRESS
        #: The document's URL, once it has been asked for.
        self._document: str | None = None
        self._left = _MAX_SERVED_BYTES
        self._has_own_address = request.base_url is None
        self._files = {
            _key(ada_url.join_url(self.address, name)): (name, asset)
            for name, asset in request.assets.items()
        }

    def begin(self, interception: Interception) -> None:
        """From now on; to be called before the page goes to its address."""
        interception.add(self._answer, self._patterns)

    @property
    def _patterns(self) -> list[Params]:
        """Of documents, and of what lies where files may be."""
        documents: Params = {"resourceType": "Document"}
        if not self._files:
            return [documents]
        folder, _, _ = self.address.partition("#")[0].partition("?")[0].rpartition("/")
        return [documents, {"urlPattern": f"{_escaped(folder)}/*"}]

    def _answer(self, paused: Paused) -> None:
        is_read = paused.method in ("GET", "HEAD")
        if is_read and self._is_document(paused):
            self._fulfil(paused, "text/html; charset=utf-8", self._html.encode())
        elif is_read and (found := self._files.get(_key(paused.url))) is not None:
            name, asset = found
            body = asset.encode() if isinstance(asset, str) else asset.base64
            self._fulfil(paused, content_type(name, asset), body)
        elif self._has_own_address and paused.url.startswith(OWN_ADDRESS):
            paused.fail("Failed")

    def _is_document(self, paused: Paused) -> bool:
        if paused.kind != "Document" or paused.frame != self._page.id:
            return False
        # The first is, however the browser writes its address.
        self._document = self._document or paused.url
        return paused.url == self._document

    def _fulfil(self, paused: Paused, content_type: str, body: bytes | str) -> None:
        self._left -= len(body)
        if self._left < 0:
            paused.fail("Failed")
        else:
            paused.fulfil(200, {"Content-Type": content_type}, body)


def content_type(name: str, asset: str | Asset) -> str:
    """As an HTTP header has it."""
    if isinstance(asset, Asset) and asset.content_type is not None:
        return asset.content_type
    guessed, encoding = _TYPES.guess_type(name)
    if guessed is None or encoding is not None:
        return "text/plain; charset=utf-8" if isinstance(asset, str) else "application/octet-stream"
    # A file of XML may say by itself how it is encoded.
    is_text = guessed.startswith(_TEXTS) or (isinstance(asset, str) and guessed.endswith("+xml"))
    return f"{guessed}; charset=utf-8" if is_text else guessed


def _key(url: str) -> str:
    """What is the same of two URLs for one file: without the query, however its path is escaped."""
    return unquote(url.partition("#")[0].partition("?")[0])


def _escaped(url: str) -> str:
    """For a pattern, in which these stand for any text."""
    return url.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")
