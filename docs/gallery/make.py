"""Renders docs/gallery.md's pictures and writes the page: `make gallery`."""

import json
from pathlib import Path
from typing import Any

import pypdfium2

from farm.render import Engine
from farm.request import HTML_OR_URL, RenderRequest
from farm.settings import Settings

_HERE = Path(__file__).parent
_PAGE = (_HERE / "page.html").read_text()
_NOTE = (_HERE / "note.md").read_text()
_LOGO = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 60 60">
<circle cx="30" cy="30" r="28" fill="#2d7d90"/>
<path d="M8 36q11-10 22 0t22 0" fill="none" stroke="#fff" stroke-width="5"/></svg>"""
_HEAD = """# Gallery: what the options look like

The farm renders one page, [page.html](gallery/page.html), once for each option with a visible
effect. Below each picture are the options of the request, apart from `"width": 480, "height": 320`
(a device has its own size). `make gallery` makes this page. [options.md](options.md) explains each
option.

"""
_PDF_HEAD = """Each picture shows the first page of a PDF. All requests have `"format": "pdf"` too.

"""
_SMALL = "font-size: 9px; width: 100%; text-align: center"
#: Name, what is asked for beside the viewport, and what there is to see.
_PICTURES: list[tuple[str, dict[str, Any], str]] = [
    ("plain", {}, "Nothing asked for."),
    ("full-page", {"fullPage": True}, "The whole page."),
    ("selector", {"selector": "#chart"}, "One element."),
    ("clip", {"clip": {"x": 0, "y": 0, "width": 240, "height": 160}}, "A part of the page."),
    ("scale", {"width": 240, "deviceScaleFactor": 2}, "A viewport half as wide, twice as sharp."),
    (
        "transparent",
        {"styles": ["html { background: none }"], "omitBackground": True},
        "No background where the page paints none.",
    ),
    ("quality", {"format": "jpeg", "quality": 5}, "A very small JPEG."),
    ("resize", {"resize": {"width": 160}}, "Made smaller after it was captured."),
    ("device", {"device": "iPhone 13", "resize": {"width": 240}}, "As on a phone."),
    ("dark", {"colorScheme": "dark"}, "Dark mode."),
    ("contrast", {"contrast": "more"}, "With more contrast."),
    ("forced-colors", {"forcedColors": "active"}, "With the system's colours."),
    ("print", {"mediaType": "print"}, "With the styles for print."),
    ("locale", {"locale": "de-DE", "timezone": "Asia/Tokyo"}, "In German, in Tokyo."),
    ("no-scripts", {"javaScript": False}, "Without its scripts."),
    ("animations", {"animations": "finish"}, "Animations at their end: see the circle."),
    (
        "styles",
        {"styles": ["#chart i { border-radius: 50% 50% 0 0 }", "h1 { color: #2d7d90 }"]},
        "With the caller's CSS.",
    ),
    (
        "scripts",
        {"scripts": ["document.querySelector('h1').textContent = 'Good morning'"]},
        "After the caller's script.",
    ),
    ("hide", {"hide": ["#banner"]}, "With something hidden."),
    ("remove", {"remove": ["#chart", ".spin"]}, "With something taken out."),
    ("scroll", {"scroll": {"to": ".long"}}, "Scrolled to an element."),
]
_PDFS: list[tuple[str, dict[str, Any], str]] = [
    ("pdf-a6", {"pdf": {"paper": "A6", "margin": "8mm"}}, "Paper and margins."),
    (
        "pdf-landscape",
        {"pdf": {"paper": "A6", "landscape": True, "scale": 0.8}},
        "Landscape, four fifths as large.",
    ),
    (
        "pdf-header",
        {
            "pdf": {
                "paper": "A5",
                "margin": "18mm",
                "header": f"<div style='{_SMALL}' class='title'></div>",
                "footer": f"<div style='{_SMALL}'>"
                "<span class='pageNumber'></span> / <span class='totalPages'></span></div>",
            }
        },
        "A header and a footer.",
    ),
    (
        "pdf-single",
        {"pdf": {"singlePage": True, "paper": "A6"}},
        "One page, as high as it has to be.",
    ),
]
_SOURCES: list[tuple[str, dict[str, Any], str]] = [
    ("markdown", {"markdown": _NOTE, "options": {"fullPage": True}}, "Markdown."),
    (
        "assets",
        {
            "html": "<body style='font: 20px sans-serif'><img src=logo.svg width=120> Boats",
            "assets": {"logo.svg": _LOGO},
        },
        "A page with a file that was sent along.",
    ),
]


def main() -> None:
    engine = Engine(Settings.from_environment(log_level="error"))
    engine.start()
    try:
        engine.wait_started()
        with (_HERE.parent / "gallery.md").open("w") as page:
            page.write(_HEAD)
            for name, options, says in _PICTURES:
                _show(page, engine, name, {"html": _PAGE, "options": options}, options, says)
            page.write(f"## PDF\n\n{_PDF_HEAD}")
            for name, options, says in _PDFS:
                body = {"html": _PAGE, "options": options | {"format": "pdf"}}
                _show(page, engine, name, body, options, says)
            page.write("## What the page is\n\n")
            for name, body, says in _SOURCES:
                shown = {
                    key: "…" if key in ("html", "markdown") else value
                    for key, value in body.items()
                }
                _show(page, engine, name, body, shown, says)
    finally:
        engine.close()


def _show(
    page: Any, engine: Engine, name: str, body: dict[str, Any], shown: object, says: str
) -> None:
    options = {"format": "png"} | body.get("options", {})
    if "device" not in options:
        options = {"width": 480, "height": 320} | options
    text = json.dumps(body | {"options": options}).encode()
    result = engine.render(RenderRequest.parse(text, HTML_OR_URL, engine.limits))
    file = _HERE / f"{name}.{'png' if options['format'] == 'pdf' else result.format.name}"
    if options["format"] == "pdf":
        document = pypdfium2.PdfDocument(result.data)
        document[0].render(scale=0.8).to_pil().save(file)
    else:
        file.write_bytes(result.data)
    page.write(
        f"![{says}](gallery/{file.name})\n\n{says} `{json.dumps(shown, ensure_ascii=False)}`\n\n"
    )


if __name__ == "__main__":
    main()
