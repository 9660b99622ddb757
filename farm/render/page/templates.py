"""Makes the header and the footer of a PDF's pages.

Chromium draws them in documents of their own, which have none of the page's fonts. So the fonts
that the page has loaded are added to them as `data:` URLs. These documents cannot load anything,
not even `data:` URLs, except from the memory cache of the page's process. So the page loads all of
these URLs first.
"""

import re
from collections.abc import Iterator
from typing import Any

from farm.render.browser.devtools import CommandFailed, Params
from farm.render.browser.page import GENERIC_FAMILIES
from farm.render.page.caps import Send
from farm.render.page.scripts import function_in
from farm.render.page.work import Work
from farm.request.pdf import PdfOptions

_FUNCTION = function_in("printing.js")
#: For an empty header or footer Chromium would use its own.
_NOTHING = "<span></span>"
#: How many of the page's fonts a header and a footer get, and their length in base64. Every printed
#: page has a header and a footer document, and each reads the fonts.
_MAX_FACES = 16
_MAX_FONTS = 4_000_000
#: How many of the style sheets are read that only the browser can read.
_MAX_SHEETS = 20

#: How many fonts, of the page and of the templates, the page loads.
_MAX_LOADED = 2 * _MAX_FACES
_DATA_URL = re.compile(r"""url\(\s*["']?(data:[^"')\s]*)""", re.IGNORECASE)
_FAMILY = re.compile(r"""\s*"(?:[^"\\]|\\.)*"|[^,"]+""")
#: How many bytes the page's process keeps of all answers, and of one answer.
_BUFFERS = {"maxTotalBufferSize": 32 << 20, "maxResourceBufferSize": 4 << 20}

#: An `@font-face` rule: its `family`, its other descriptors, and its `urls`.
Face = dict[str, Any]


def prepare(work: Work) -> None:
    """Before anything is loaded, have the browser keep the page's fonts for `parameters`."""
    printed = [file.options.pdf for file in work.request.files if file.options.pdf is not None]
    if all(asked.header is None and asked.footer is None for asked in printed):
        return
    work.page.is_altered = True
    work.page.session.post("Network.enable", _BUFFERS)


def parameters(work: Work, send: Send, asked: PdfOptions) -> Params:
    """The parameters of `Page.printToPDF` for the header and the footer. Raises `DevToolsError`."""
    if asked.header is None and asked.footer is None:
        return {}
    templates = [asked.header or "", asked.footer or ""]
    style = _style(work, send, " ".join(templates))
    fonts = _DATA_URL.findall(style + " ".join(templates))
    work.call("loadFonts", fonts[:_MAX_LOADED], function=_FUNCTION)
    header, footer = (style + template if template else _NOTHING for template in templates)
    return {"displayHeaderFooter": True, "headerTemplate": header, "footerTemplate": footer}


def _style(work: Work, send: Send, templates: str) -> str:
    """A style element with those of the page's fonts that the templates or the page's text name."""
    found = work.call("fontFaces", function=_FUNCTION) or {}
    loaded = _Loaded(work, send)
    faces = [*found["faces"], *_faces_elsewhere(work, loaded, found["read"])]
    wanted = f"{templates} {found['families']}".lower()
    css = [f"#header, #footer {{ font: 10px {_named(found['families'])}; }}"]
    left = _MAX_FONTS
    for face in faces:
        family = face["family"].strip("\"'").lower()
        data = loaded.font(face["urls"]) if family in wanted else None
        if data is not None and len(data) <= left and len(css) <= _MAX_FACES:
            left -= len(data)
            rule = f'font-family: {face["family"]}; {face["css"]} src: url("{data}")'
            css.append(f"@font-face {{ {rule}; }}")
    # No name in the page may end the element.
    text = "\n".join(css).replace("<", r"\3c ")
    return f"<style>{text}</style>"


def _named(families: str) -> str:
    """A CSS font list with generic families replaced, which are other fonts in a header."""
    names = [name.strip() for name in _FAMILY.findall(families)]
    return ", ".join(GENERIC_FAMILIES.get(name, name) for name in names)


def _faces_elsewhere(work: Work, loaded: "_Loaded", read: list[str]) -> Iterator[Face]:
    """The rules of style sheets that the page itself cannot read."""
    unread = [url for url in loaded.requests if url not in read]
    for url in unread[:_MAX_SHEETS]:
        if (text := loaded.text(url)) is not None:
            found = work.call("fontFacesIn", text, url, function=_FUNCTION) or {}
            yield from found["faces"]


class _Loaded:
    """The fonts and style sheets that the page has loaded. Loads nothing itself."""

    def __init__(self, work: Work, send: Send) -> None:
        self.requests = work.activity.document.style_requests
        self._send = send

    def text(self, url: str) -> str | None:
        answer = self._body(url)
        return None if answer is None or answer["base64Encoded"] else answer["body"]

    def font(self, urls: list[str]) -> str | None:
        """The first of the fonts that was loaded, as a `data:` URL."""
        for url in urls:
            if url.startswith("data:"):
                return url.replace('"', "%22").replace("\\", "%5C")
            answer = self._body(url)
            if answer is not None and answer["base64Encoded"]:
                return f"data:font/woff2;base64,{answer['body']}"
        return None

    def _body(self, url: str) -> Params | None:
        if (request := self.requests.get(url)) is None:
            return None
        try:
            body: Params = self._send("Network.getResponseBody", {"requestId": request})
        except CommandFailed:  # it is incomplete, or was too long to be kept
            return None
        return body
