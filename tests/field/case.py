"""One case: a page, how it is asked for, and what is right."""

import json
from dataclasses import dataclass
from urllib.parse import quote

from tests.field.outcome import Right, shows
from tests.field.site import Page, Site

LIME = shows("lime")
#: A page is red until it has all that it shows, and lime then.
_WAITING = "<!doctype html><body style='margin:0;background:red'>"
_DONE = "<!doctype html><body style='margin:0;background:lime'>"
#: Functions for the scripts of pages.
HELPERS = (
    "const green = () => { document.body.style.background = 'lime' };"
    "const made = (tag, more) => Object.assign(document.createElement(tag), more);"
    "const add = (tag, more) => document.body.appendChild(made(tag, more));"
)
#: The style of an image, a frame or a box in a page's upper left corner.
BOX = "position:absolute;left:0;top:0;width:200px;height:200px;border:0"


@dataclass(frozen=True)
class Case:
    """Either `html` or `url` is asked for; `page` is what the site serves at the case's name."""

    name: str
    right: Right
    html: str | None = None
    url: str | None = None
    page: Page | None = None
    format: str = "png"
    note: str = ""

    def source(self, site: Site) -> dict[str, str]:
        """The field of a request that names the page, and its value."""
        if self.html is not None:
            return {"html": site.fill_in(self.html)}
        return {"url": site.fill_in(self.url or f"$site/page/{self.name}")}


def by_url(
    name: str,
    html: str,
    right: Right = LIME,
    *headers: str,
    status: str = "200 OK",
    url: str | None = None,
    note: str = "",
) -> Case:
    """A page that the site serves; `headers` are lines of the answer's head."""
    return Case(name, right, url=url, page=Page(html, status, headers), note=note)


def raw(name: str, answer: bytes, right: Right = LIME, note: str = "") -> Case:
    """An answer that the site sends byte by byte, and then hangs up."""
    return Case(name, right, page=Page(raw=answer), note=note)


def at(name: str, url: str, right: Right = LIME, note: str = "") -> Case:
    """A URL of the site's."""
    return Case(name, right, url=url, note=note)


def as_html(name: str, html: str, right: Right = LIME, note: str = "") -> Case:
    """HTML that is sent."""
    return Case(f"{name}:html", right, html=html, note=note)


def both(name: str, html: str, right: Right = LIME, note: str = "") -> list[Case]:
    """The same page by its URL, and sent as HTML."""
    return [by_url(name, html, right, note=note), as_html(name, html, right, note)]


def printed(case: Case) -> Case:
    """The same case as a PDF."""
    kind, _, way = case.name.partition(":")
    name = f"{kind}-pdf" + (f":{way}" if way else "")
    return Case(name, case.right, case.html, case.url, case.page, "pdf", case.note)


def waiting(body: str) -> str:
    """A red page."""
    return _WAITING + body


def done(body: str) -> str:
    """A green page."""
    return _DONE + body


def waiting_for(code: str) -> str:
    """A red page whose script calls `green()`; `add` and `made` make elements."""
    return waiting(f"<script>{HELPERS}{code}</script>")


def worker(code: str, kind: str = "classic") -> str:
    """A red page that is green once its worker, which runs the code, has sent it a message."""
    return waiting_for(
        f"const code = {json.dumps(code)};"
        "const blob = new Blob([code], { type: 'text/javascript' });"
        f"const worker = new Worker(URL.createObjectURL(blob), {{ type: '{kind}' }});"
        "worker.onmessage = green; worker.postMessage(0)"
    )


def done_with(code: str) -> str:
    """A green page with the same script."""
    return done(f"<script>{HELPERS}{code}</script>")


def doc(html: str, origin: str = "$site", delay_s: float = 0, route: str = "doc") -> str:
    """The URL of a document at this origin."""
    return f"{origin}/{route}?s={delay_s}&html=" + quote(html, safe="$")


def script(code: str, delay_s: float = 0) -> str:
    """The URL of a script."""
    return f"$site/script?s={delay_s}&do=" + quote(code, safe="$")


def style(css: str, delay_s: float = 0) -> str:
    """The URL of a stylesheet."""
    return f"$site/style?s={delay_s}&css=" + quote(css, safe="$")


def image(colour: str = "gold", delay_s: float = 0.3) -> str:
    """The URL of an image."""
    return f"$site/image?colour={colour}&s={delay_s}"


def frame(url: str, attributes: str = "") -> str:
    """A frame in the upper left corner."""
    return f'<iframe {attributes} style="{BOX}" src="{url}"></iframe>'


GOLD_DOC = "<!doctype html><body style='margin:0;background:gold'>"
