"""What the soak has rendered: each number's page has a colour of its own, so no answer can pass for
another's.
"""

import base64
import io
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pypdfium2
import requests
from PIL import Image

#: A page that cannot end, and one that waits for a silent site, in turn.
HANGS_EVERY = 500
SIZES = [(1280, 720), (800, 600), (1024, 768)]
#: Of A4 at 72 dots an inch.
PDF_SCALE = 0.2
PDF_SIZE = (120, 169)
#: PDFium is not safe to call from two threads.
_pdfium = threading.Lock()

Check = Callable[[requests.Response], str]


@dataclass(frozen=True)
class Work:
    """One request, and what is wrong with its answer: `problem`, empty if nothing is."""

    name: str
    path: str
    body: dict[str, Any]
    problem: Check
    accept: str = "application/json"


@dataclass(frozen=True)
class Shows:
    """The answer is an image or a page of this size and colour, as JSON or as the file."""

    size: tuple[int, int]
    colour: tuple[int, int, int]

    def __call__(self, response: requests.Response) -> str:
        if response.status_code != 200:
            return f"{response.status_code} {response.text[:200]}"
        image = opened(_file(response))
        if image.size != self.size:
            return f"its size is {image.size}"
        # At the lower right, where none of the pages has text.
        seen = image.getpixel((self.size[0] - 10, self.size[1] - 10))
        return "" if seen == self.colour else f"its colour is {seen}, not {self.colour}"


@dataclass(frozen=True)
class Fails:
    """The answer is this error."""

    status: int
    code: str

    def __call__(self, response: requests.Response) -> str:
        if response.status_code == self.status and response.json()["code"] == self.code:
            return ""
        return f"{response.status_code} {response.text[:200]}"


def _file(response: requests.Response) -> bytes:
    if response.headers["Content-Type"].startswith("application/json"):
        return base64.b64decode(response.json()["data"]["imageBase64"])
    return response.content


def opened(data: bytes) -> Image.Image:
    """An image, or a PDF's only page."""
    if not data.startswith(b"%PDF"):
        return Image.open(io.BytesIO(data)).convert("RGB")
    with _pdfium, pypdfium2.PdfDocument(data) as document:
        if len(document) != 1:
            raise ValueError(f"{len(document)} pages")
        picture: Image.Image = document[0].render(scale=PDF_SCALE).to_pil()
        return picture.convert("RGB")


def colour(number: int) -> tuple[int, int, int]:
    return number % 256, number // 256 % 256, 200


def simple(number: int) -> str:
    """About 1 KB."""
    text = "<p>Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod.</p>" * 6
    style = f"margin:0;font-family:sans-serif;background:rgb{colour(number)}"
    return f"<!doctype html><body style='{style}'><h1>Render {number}</h1>{text}"


def large(number: int) -> str:
    """About 60 KB: a table of 500 rows made by a script, gradients and an inline SVG."""
    rows = [[row, f"customer {row * number % 9973}", "paid" * (row % 7), "x" * 60, row * 1.19]
            for row in range(500)]  # fmt: skip
    return f"""<!doctype html><style>
        body {{ margin: 0; font: 12px sans-serif; background: linear-gradient(#fff, #dde) }}
        td {{ background: linear-gradient(90deg, #eef, #fff); border-radius: 4px; padding: 2px }}
        #corner {{ position: fixed; right: 0; bottom: 0; width: 60px; height: 60px;
                   background: rgb{colour(number)} }}
        </style><svg width=600 height=100><g fill=teal>{
        "".join(f"<circle cx={10 * i} cy={10 + i} r=8 />" for i in range(60))
    }</g></svg><table></table><div id=corner></div><script>
        for (const row of {json.dumps(rows)}) {{
            const tr = document.querySelector("table").insertRow();
            for (const cell of row) tr.insertCell().textContent = cell;
        }}</script>"""


def work(number: int, site_url: str) -> Work:
    """The request of this number."""
    if number % HANGS_EVERY == HANGS_EVERY // 2:
        late = Fails(504, "render_timeout")
        if number // HANGS_EVERY % 2:
            return Work("silent site", "/render-url", {"url": f"{site_url}/slow"}, late)
        spin = simple(number) + "<script>while (true);</script>"
        return Work("script without end", "/render", {"html": spin}, late)
    if number % 100 == 33:
        refused = Fails(403, "url_refused")
        return Work("refused address", "/render-url", {"url": "http://10.0.0.1/"}, refused)
    if number % 100 == 66:
        failed = Fails(422, "navigation_failed")
        return Work("site hangs up", "/render-url", {"url": f"{site_url}/hang-up"}, failed)
    return _drawn(number, site_url)


def _drawn(number: int, site_url: str) -> Work:
    size = SIZES[number % len(SIZES)]
    options = {"width": size[0], "height": size[1]}
    match number % 20:
        case 3 | 9 | 15:
            body = {"html": large(number), "options": options}
            return Work("large PNG", "/render", body, Shows(size, colour(number)))
        case 6 | 16:
            body = {"html": simple(number), "options": {"format": "pdf"}}
            shows = Shows(PDF_SIZE, colour(number))
            return Work("PDF", "/render", body, shows, "application/pdf")
        case 1 | 11:
            body = {"html": simple(number), "options": options | {"format": "webp"}}
            return Work("WebP", "/render", body, Shows(size, colour(number)), "image/webp")
        case 4 | 14:
            body = {"url": f"{site_url}/", "options": options}
            return Work("URL", "/render-url", body, Shows(size, (0, 255, 0)))
        case _:
            body = {"html": simple(number), "options": options}
            return Work("simple PNG", "/render", body, Shows(size, colour(number)), "image/png")
