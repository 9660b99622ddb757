"""Options of a PDF, against Playwright's own `page.pdf` where it has them."""

import base64
import ctypes
import re
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import falcon.testing
import pypdfium2
import pytest
from PIL import Image, ImageChops
from playwright.sync_api import Browser

from farm.errors import InvalidRequest, OutputTooLarge, PageCrashes
from farm.render import Engine
from farm.render.page.pdf import parameters
from farm.request import RenderResult
from farm.request.pdf import DEFAULTS
from tests.conftest import request_for
from tests.support.quiet import serving
from tests.support.site import running_site

MakeEngine = Callable[..., Engine]

#: Text that goes on for about three pages of A4, with boxes to tell the pages apart.
TEXT = (
    "<title>Words</title><style>body { font: 20px/1.4 sans-serif; background: #fed } "
    "p:nth-child(odd) { color: white; background: teal }</style>"
    + "".join(
        f"<p>{number}: the quick brown fox jumps over the lazy dog.</p>" for number in range(60)
    )
)
CORPUS = Path(__file__).parent / "corpus"
#: A font of the corpus, as a `data:` URL.
FONT = re.findall(r'url\("(data:font[^"]+)"\)', (CORPUS / "web-font.html").read_text())[0]
PAGE = "<p style='break-after: page'>page"


def result(engine: Engine, html: str, **pdf: object) -> RenderResult:
    return engine.render(request_for(engine, html, format="pdf", pdf=pdf))


def pages(engine: Engine, html: str, **pdf: object) -> pypdfium2.PdfDocument:
    rendered = result(engine, html, **pdf)
    document = pypdfium2.PdfDocument(rendered.data)
    assert rendered.facts["pages"] == len(document)
    return document


def texts(document: pypdfium2.PdfDocument) -> list[str]:
    return [page.get_textpage().get_text_range() for page in document]


def drawn(page: pypdfium2.PdfPage) -> Image.Image:
    picture: Image.Image = page.render().to_pil()
    return picture.convert("RGB")


def playwrights(browser: Browser, html: str, **options: Any) -> pypdfium2.PdfDocument:
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.set_content(html)
    options = {"print_background": True, "prefer_css_page_size": True, "tagged": True, **options}
    file = page.pdf(**options)
    page.close()
    return pypdfium2.PdfDocument(file)


HEADER = "<b style='font-size: 12px'>Page <i class=pageNumber></i> of <i class=totalPages></i>"
ARIAL = "<style>#header, #footer { font-family: Arial }</style>"


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"paper": "Letter"}, {"format": "Letter"}),
        ({"paper": "a6", "landscape": True}, {"format": "A6", "landscape": True}),
        ({"paper": "Ledger"}, {"format": "Ledger"}),
        ({"paper": {"width": "5in", "height": 300}}, {"width": "5in", "height": "300px"}),
        (
            {"margin": {"top": "1in", "left": 72, "bottom": "36px"}},
            {"format": "A4", "margin": {"top": "1in", "left": "72px", "bottom": "36px"}},
        ),
        (
            {"scale": 0.5, "margin": "0.5in"},
            {
                "format": "A4",
                "scale": 0.5,
                "margin": dict.fromkeys(("top", "right", "bottom", "left"), "0.5in"),
            },
        ),
        ({"scale": 2}, {"format": "A4", "scale": 2}),
        ({"pages": "3, 1"}, {"format": "A4", "page_ranges": "3, 1"}),
        ({"background": False}, {"format": "A4", "print_background": False}),
        (
            {"header": HEADER, "margin": "1in"},
            {
                "format": "A4",
                "display_header_footer": True,
                "header_template": ARIAL + HEADER,
                "footer_template": "<span></span>",
                "margin": dict.fromkeys(("top", "right", "bottom", "left"), "1in"),
            },
        ),
    ],
    ids=lambda options: ",".join(options),
)
def test_pages_are_those_of_playwrights_pdf(
    engine: Engine, browser: Browser, ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    actual, expected = pages(engine, TEXT, **ours), playwrights(browser, TEXT, **theirs)
    assert len(actual) == len(expected)
    for our_page, their_page in zip(actual, expected, strict=True):
        assert our_page.get_size() == pytest.approx(their_page.get_size())
        difference = ImageChops.difference(drawn(our_page), drawn(their_page))
        assert difference.getbbox() is None


def test_the_css_names_the_page_unless_it_is_told_not_to(engine: Engine) -> None:
    html = "<style>@page { size: 3in 4in }</style>text"
    assert pages(engine, html, paper="A6")[0].get_size() == pytest.approx((216, 288), abs=1)
    a6 = pages(engine, html, paper="A6", preferCssPageSize=False)[0].get_size()
    assert a6 == pytest.approx((4.13 * 72, 5.83 * 72), abs=1)


def test_nothing_more_is_sent_for_the_defaults() -> None:
    margins = {"marginTop": 0, "marginBottom": 0, "marginLeft": 0, "marginRight": 0}
    assert repr(parameters(DEFAULTS)) == repr(
        {
            "printBackground": True,
            "preferCSSPageSize": True,
            "paperWidth": 8.27,
            "paperHeight": 11.7,
            **margins,
        }
    )


def test_an_outline_is_made_of_headings(engine: Engine) -> None:
    html = "<h1>One</h1><h2>Two</h2><p>text"
    document = pages(engine, html, outline=True)
    assert [(mark.level, mark.get_title()) for mark in document.get_toc()] == [
        (0, "One"),
        (1, "Two"),
    ]
    assert list(pages(engine, html).get_toc()) == []


def test_files_are_tagged_unless_disabled(engine: Engine) -> None:
    assert b"/StructTreeRoot" in result(engine, "<h1>x</h1>").data
    assert b"/StructTreeRoot" not in result(engine, "<h1>x</h1>", tagged=False).data


# ---- Ranges and caps


def test_pages_are_counted_with_and_without_options(engine: Engine) -> None:
    assert result(engine, PAGE * 3).facts["pages"] == 3
    html = "<p>one<p style='break-before: page'>two<p style='break-before: page'>three"
    assert texts(pages(engine, html, pages="2")) == ["two"]


def test_pages_after_the_last_are_a_problem(engine: Engine) -> None:
    assert len(pages(engine, PAGE * 3, pages="2-100")) == 2
    with pytest.raises(InvalidRequest, match=r"pdf\.pages: the document has fewer pages"):
        result(engine, PAGE * 3, pages="4-5")


def test_ranges_have_the_cap_of_a_files_pages(make_engine: MakeEngine) -> None:
    engine = make_engine(max_pdf_pages=3)
    assert len(pages(engine, PAGE * 9, pages="2,4,9")) == 3
    with pytest.raises(OutputTooLarge, match="more than 3 pages"):
        result(engine, PAGE * 9, pages="2,4,6-7")


def test_a_paper_that_is_too_small_for_the_document_is_not_tried(engine: Engine) -> None:
    tiny = {"width": 24, "height": 24}
    assert len(pages(engine, "<body style='margin: 0'>x", paper=tiny)) == 1
    with pytest.raises(OutputTooLarge, match="more than 10,000 pages"):
        result(engine, "words " * 100_000, paper=tiny, pages="1")
    with pytest.raises(OutputTooLarge, match="more than 10,000 pages of that paper"):
        result(engine, "<div style='height: 1500000px'>", scale=2, paper="A6")


# ---- Headers and footers


def test_headers_and_footers_are_filled_in_on_300_pages(engine: Engine) -> None:
    header = "<b style='font-size: 12px'><i class=pageNumber></i>/<i class=totalPages></i>"
    footer = "<b style='font-size: 12px'><i class=title></i> at <i class=url></i>"
    html = "<title>Annual</title>" + PAGE * 300
    with running_site("127.0.0.2", {"/300": html}) as site:
        request = request_for(
            engine,
            url=f"{site.url}/300",
            format="pdf",
            pdf={"header": header, "footer": footer, "margin": "2cm"},
        )
        document = pypdfium2.PdfDocument(engine.render(request).data)
    found = texts(document)
    assert len(found) == 300
    assert all(f"{number}/300" in text for number, text in enumerate(found, 1))
    assert all(f"Annual at {site.url}/300" in text for text in found)


class _FontSite(BaseHTTPRequestHandler):
    """Gives its server's `files` to any other site."""

    def do_GET(self) -> None:
        media_type, body = self.server.files[self.path]  # type: ignore[attr-defined]
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def font_site() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.3", 0), _FontSite)
    rule = b"@font-face { font-family: 'My Font'; src: url(/font) format('woff2') }"
    server.files = {  # type: ignore[attr-defined]
        "/font": ("font/woff2", base64.b64decode(FONT.partition(",")[2])),
        "/font.css": ("text/css", rule),
        "/import.css": ("text/css", b"@import '/font.css';"),
    }
    server.asked = []  # type: ignore[attr-defined]
    with serving(server):
        yield server


def font_of(page: pypdfium2.PdfPage, text: str) -> str:
    """The name of the font in which a page has the text."""
    textpage = page.get_textpage()
    name, flags = ctypes.create_string_buffer(200), ctypes.c_int()
    at = textpage.get_text_range().index(text)
    pypdfium2.raw.FPDFText_GetFontInfo(textpage, at, name, 200, flags)
    return name.value.decode().partition("+")[2]


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "html",
    [
        "<style>@import 'URL/font.css';</style>",
        "<link rel=stylesheet href=URL/import.css>",
        "<style>@media all { @font-face { font-family: 'My Font'; src: url(URL/font) } }</style>",
        "<link rel=stylesheet href=URL/font.css><form name=styleSheets></form><img name=fonts>",
    ],
    ids=["import", "link", "rule", "hostile"],
)
@pytest.mark.parametrize("fixture", ["engine", "kept_engine"])
def test_headers_have_the_fonts_of_the_page(
    request: pytest.FixtureRequest, fixture: str, font_site: ThreadingHTTPServer, html: str
) -> None:
    engine = request.getfixturevalue(fixture)
    header = "<b style=\"font: 20px 'My Font'\">Affable</b><i style='font: 20px serif'>other</i>"
    html = html.replace("URL", f"http://127.0.0.3:{font_site.server_port}")
    html += (
        "<script>document.querySelectorAll = CSSStyleSheet = FontFace = null</script>"
        "<style>p { font: 30px 'My Font' }</style><p>Grand"
    )
    for _ in range(2):
        page = pages(engine, html, header=header, margin="2cm")[0]
        assert font_of(page, "Affable") == font_of(page, "Grand")
        assert font_of(page, "Affable") != font_of(page, "other")
    asked = font_site.asked  # type: ignore[attr-defined]
    assert asked.count("/font") == 2


def test_a_header_has_the_font_of_the_text(engine: Engine) -> None:
    header = "<i style='font-size: 20px; font-style: normal'>Affable</i>"
    html = "<style>body {{ font-family: {} }} @font-face {{ font-family: Specimen; src: url({}) }}"
    for family in ("Specimen", "serif", "sans-serif", "monospace", "'Odd, serif', sans-serif"):
        text = html.format(family, FONT) + "</style><p>Grand"
        page = pages(engine, text, header=header, margin=80)[0]
        assert font_of(page, "Affable") == font_of(page, "Grand")


def test_a_header_may_bring_a_font(engine: Engine) -> None:
    html = f"<style>@font-face {{ font-family: Specimen; src: url({FONT}) }}</style><p>Grand"
    brought = html.replace("<p>Grand", "<b style='font: 20px Specimen'>Affable</b>")
    page = pages(engine, "<p>Grand", header=brought, margin=80)[0]
    assert font_of(page, "Affable") != font_of(page, "Grand")


def test_names_of_fonts_are_no_markup(engine: Engine) -> None:
    name = "'<' + '/style><b>markup</b>'"
    html = f"<p>x<script>document.body.style.fontFamily = JSON.stringify({name})</script>"
    text = texts(pages(engine, html, header="<b style='font-size: 20px'>Header</b>", margin=80))[0]
    assert "Header" in text
    assert "}" not in text


def test_headers_run_no_scripts(engine: Engine) -> None:
    script = "document.body.append(`RAN`)"
    header = (
        f"<b style='font-size: 20px'>Header</b><img src='data:x' onerror='{script}'>"
        f"<svg onload='{script}'></svg><details open ontoggle='{script}'>details</details>"
        f"<input autofocus onfocus='{script}'><img onload='{script}' src='data:image/gif;base64,"
        "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7'>"
    )
    text = texts(pages(engine, "x", header=header, margin="2in"))[0]
    assert "Header" in text
    assert "RAN" not in text


def test_headers_reach_no_network(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the request's own check lets through."""
    monkeypatch.setattr("farm.request.pdf.check_template", lambda html: html)
    header = (
        "<b style='font-size: 20px; background: url(URL/background)'>Header</b>"
        "<script src=URL/script></script><script>new Image().src = 'URL/inline'</script>"
        "<img src=URL/image srcset='URL/set 1x'><iframe src=URL/frame></iframe>"
        "<object data=URL/object></object><embed src=URL/embed><video src=URL/video poster=URL/p>"
        "</video><svg><use href='URL/use.svg#x'/><image href=URL/svg-image /></svg>"
        "<img src='data:x' onerror=\"fetch('URL/onerror')\">"
    )
    crash = "<link rel=stylesheet href=URL/link><style>@import 'URL/import';</style>"
    with running_site("127.0.0.2") as site:
        footer = header.replace("URL", site.url)
        assert "Header" in texts(pages(engine, "x", footer=footer, margin="2in"))[0]
        with pytest.raises(PageCrashes):
            pages(engine, "x", footer=crash.replace("URL", site.url), margin="2in")
        assert engine.render(request_for(engine, url=site.url)).size > 0
        assert [path for path, _ in site.requests] == ["/"]


# ---- One page


@pytest.mark.parametrize(
    ("html", "height"),
    [
        ("<div style='height: 300px'>low</div>", 300),
        ("<div style='height: 3000px'>high</div>", 3000),
        ("<div style='height: 1500px; width: 9000px'>wide</div>", 1000),
        ("<div style='height: 200vh'>of the viewport</div><div style='height: 60px'>", 1500),
        ("<div style='min-height: 100vh'><p style='margin: 0; height: 40px'>lower</div>", 40),
        (
            (
                "<style>@page { size: A6; margin: 9cm } p { height: 90px; margin: 0 } "
                "p { break-before: page }</style><p>one<p>two<p>three"
            ),
            270,
        ),
        (
            "<style>@media print { b { display: none } }</style><b>x</b><hr style='height: 50px'>",
            68,
        ),
        (
            (
                "<style>div { height: 100vh }</style><div><form><input name=style></form></div>"
                "<form name=querySelectorAll></form><div>"
            ),
            1440,
        ),
        ("<div style='height: 100vh'>a slide", 720),
        ("<div style='height: 50vh'>half</div><div style='height: 60px'>", 420),
        ("<div style='position: absolute; inset: 0'>a cover", 720),
        (
            (
                "<style>html, body { height: 100%; overflow: hidden } "
                "main { height: 100%; overflow: auto }</style>"
                "<main><div style='height: 3000px'>scrolls"
            ),
            720,
        ),
        ("<style>body { min-height: 100vh; margin: 8px }</style><p style='height: 3000px'>", 3032),
        (
            (
                "<style>html, body { height: 100% } div { min-height: 100% } "
                "p { height: 3000px }</style><div><p>"
            ),
            3016,
        ),
        ("<div style='padding: 25vh 0'></div><div style='height: 3000px'>", 3360),
        (
            (
                "<style>section { content-visibility: auto; contain-intrinsic-size: 300px } "
                "p { margin: 0; height: 500px }</style>" + "<section><p>long</section>" * 20
            ),
            10_000,
        ),
    ],
    ids=[
        *("low", "high", "wide", "vh", "min-vh", "css", "media", "hostile", "slide", "half"),
        *("cover", "scroller", "min-vh-high", "percent-high", "padding", "skipped"),
    ],
)
def test_one_page_is_as_high_as_the_content(engine: Engine, html: str, height: int) -> None:
    html = f"<!doctype html><style>body {{ margin: 0 }}</style>{html}"
    document = pages(engine, html, singlePage=True)
    assert len(document) == 1
    width_pt, height_pt = document[0].get_size()
    assert width_pt == pytest.approx(8.27 * 72, abs=1)
    assert height <= height_pt / 0.75 <= height + 2


def test_one_page_has_margins_a_scale_and_a_header(engine: Engine) -> None:
    html = "<!doctype html><style>body { margin: 0 }</style><div style='height: 3000px'>high</div>"
    options = {"margin": {"top": 100, "bottom": 50}, "scale": 0.5, "paper": "A5", "landscape": True}
    header = "<b style='font-size: 20px'>Header</b>"
    page = pages(engine, html, singlePage=True, header=header, **options)[0]
    assert page.get_size() == pytest.approx((8.27 * 72, (1500 + 150) * 0.75), abs=2)
    assert "Header" in page.get_textpage().get_text_range()


def test_a_single_page_has_a_maximum_height(engine: Engine) -> None:
    with pytest.raises(OutputTooLarge, match="at most 19,200"):
        result(engine, "<div style='height: 20000px'>", singlePage=True)
    assert len(pages(engine, "<div style='height: 20000px'>", singlePage=True, scale=0.5)) == 1


# ---- After the browser


def test_metadata_is_what_was_asked_for(engine: Engine) -> None:
    asked = {"author": "Ada Ü", "subject": "s", "keywords": "a, b", "creator": "me"}
    document = pages(engine, "<title>Title</title>x", metadata=asked)
    found = document.get_metadata_dict()
    assert found["Title"] == "Title"
    assert found["Producer"].startswith("Skia")
    expected = {"Author": "Ada Ü", "Subject": "s", "Keywords": "a, b", "Creator": "me"}
    assert expected.items() <= found.items()


def test_a_password_opens_the_file_and_nothing_else_does(engine: Engine) -> None:
    file = result(engine, "<p>secret text", password="pässword").data
    assert len(pypdfium2.PdfDocument(file, password="pässword")) == 1
    for wrong in (None, "", "password"):
        with pytest.raises(pypdfium2.PdfiumError):
            pypdfium2.PdfDocument(file, password=wrong)
    assert b"/AESV3" in file


def test_the_next_render_in_a_context_finds_a_screen_again(kept_engine: Engine) -> None:
    sees = "<script>document.write(matchMedia('print').matches, innerWidth)</script>"
    for _ in range(5):  # so that a context is used again, whichever is ready first
        assert texts(pages(kept_engine, sees, singlePage=True, paper="A5")) == ["false1280"]


def test_answers_tell_how_many_pages_there_are(client: falcon.testing.TestClient) -> None:
    body: dict[str, Any] = {"html": PAGE * 2 + "<p>last", "options": {"format": "pdf"}}
    assert client.simulate_post("/render", json=body).json["data"]["pages"] == 3
    body["options"]["pdf"] = {"pages": "2-9", "metadata": {"title": "x"}}
    assert client.simulate_post("/render", json=body).json["data"]["pages"] == 2
    body["options"]["pdf"] = {"pages": "7"}
    answer = client.simulate_post("/render", json=body)
    assert answer.status_code == 400
    assert answer.json["details"] == [
        {"field": "options.pdf.pages", "problem": "the document has fewer pages"}
    ]
