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

from farm.render.browser.devtools import Params, Session
from farm.render.browser.page import Page
from farm.render.page.interception import Interception, Paused
from farm.request import Asset, RenderRequest

#: Browsers trust names below `localhost` (https://w3c.github.io/webappsec-secure-contexts/), so the
#: page may do what pages of https may: `crypto.subtle`, say. And since it is not https, what it
#: loads by plain http is not blocked as mixed content, as nothing is in HTML without an address.
OWN_ADDRESS = "http://page.localhost/"
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
        self._document, _, _ = self.address.partition("#")
        self._has_own_address = request.base_url is None
        self._files = {
            _key(ada_url.join_url(self.address, name)): (name, asset)
            for name, asset in request.assets.items()
        }

    def begin(self, interception: Interception) -> None:
        """From now on; to be called before the page goes to its address."""
        # One of the site's would be asked in the place of the farm.
        bypass = {"bypass": True}
        self._page.session.post("Network.setBypassServiceWorker", bypass)

        def prepare(info: Params, session: Session) -> None:
            if info.get("type") == "iframe":
                session.post("Network.setBypassServiceWorker", bypass)

        self._page.prepare_child.append(prepare)
        interception.add(self._answer, self._patterns)

    @property
    def _patterns(self) -> list[Params]:
        """Of the document, and of all that lies beside or below it."""
        folder, _, _ = self._document.partition("?")[0].rpartition("/")
        urls = [self._document, *([folder + "/"] if self._files else [])]
        if self._has_own_address:
            urls = [OWN_ADDRESS]
        return [{"urlPattern": _escaped(url) + "*"} for url in urls]

    def _answer(self, paused: Paused) -> None:
        is_read = paused.method in ("GET", "HEAD")
        if is_read and self._is_document(paused):
            headers = {"Content-Type": "text/html; charset=utf-8"}
            paused.fulfil(200, headers, self._html.encode())
        elif is_read and (found := self._files.get(_key(paused.url))) is not None:
            name, asset = found
            body = asset.encode() if isinstance(asset, str) else asset.base64
            paused.fulfil(200, {"Content-Type": content_type(name, asset)}, body)
        elif self._has_own_address and paused.url.startswith(OWN_ADDRESS):
            paused.fail("Failed")

    def _is_document(self, paused: Paused) -> bool:
        is_own = paused.kind == "Document" and paused.frame == self._page.id
        return is_own and paused.url == self._document


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
