"""gotenberg's routes as its clients use them, with the real engine behind."""

import base64
import io
import json
import zipfile
from collections.abc import Sequence

import falcon.testing
import pikepdf
import pypdfium2
import pytest
from structlog.testing import capture_logs

from farm.jobs.queue import RedisJobQueue
from farm.render import Engine
from farm.settings import Settings
from farm.web.compat.gotenberg import downloads
from tests.conftest import MakeApp
from tests.support.images import colour, opened
from tests.support.recording_site import running_recording_site
from tests.support.site import BLUE as BLUE_SVG
from tests.support.site import RED as RED_SVG
from tests.support.site import Site
from tests.web.compat.forms import CONTENT_TYPE, Part, form

Client = falcon.testing.TestClient
Result = falcon.testing.Result
KEY = "0123456789abcdef"
CONVERT, SCREENSHOT = "/forms/chromium/convert", "/forms/chromium/screenshot"
THREE_PAGES = "<title>Three</title>" + "".join(
    f"<h1 style='break-after: page'>Page {number}</h1>" for number in (1, 2)
)
THREE_PAGES += "<h1>Page 3</h1>"


def post(client: Client, path: str, parts: Sequence[Part], **headers: str) -> Result:
    """Headers by their names with underscores: `Gotenberg_Trace="x"`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    named = {"Content-Type": CONTENT_TYPE} | named
    return client.simulate_post(path, body=form(parts), headers=named)


def html(text: str | bytes, *more: Part) -> list[Part]:
    return [("files", text, "index.html"), *more]


def file(result: Result, media_type: str = "application/pdf") -> bytes:
    assert result.status_code == 200, result.text
    assert result.headers["Content-Type"] == media_type
    return result.content


def refused(result: Result, status: int) -> str:
    assert result.status_code == status, result.text
    assert result.headers["Content-Type"] == "text/plain; charset=UTF-8"
    assert result.headers["Gotenberg-Trace"]
    return result.text


def texts(pdf: bytes) -> list[str]:
    pages = pypdfium2.PdfDocument(pdf)
    return [" ".join(page.get_textpage().get_text_range().split()) for page in pages]


def size_in(pdf: bytes) -> tuple[float, float]:
    width, height = pypdfium2.PdfDocument(pdf)[0].get_size()
    return round(width / 72, 2), round(height / 72, 2)


# PDFs.


def test_html_is_converted_on_their_paper(client: Client) -> None:
    pdf = file(post(client, f"{CONVERT}/html", html("<p>Grüße", ("unknown", "x"))))
    assert texts(pdf) == ["Grüße"]
    assert size_in(pdf) == (8.5, 11)


def test_a_url_is_converted(client: Client, site: Site) -> None:
    site.pages = {"/a": "<p>from a site"}
    assert texts(file(post(client, f"{CONVERT}/url", [("url", f"{site.url}/a")]))) == [
        "from a site"
    ]


def test_markdown_is_put_into_its_page(client: Client) -> None:
    page = '<h1>Title</h1>{{ toHTML "a.md" }}<hr>{{- `b.MD` | toHTML -}} <i>end</i>'
    more: list[Part] = [
        ("files", "*one* & `two`", "a.md"),
        ("files", "| x |\n|---|\n| y |", "b.MD"),
    ]
    pdf = file(post(client, f"{CONVERT}/markdown", html(page, *more)))
    assert texts(pdf) == ["Title one & two x y end"]


@pytest.mark.parametrize(
    ("given", "size"),
    [
        ({"paperWidth": "5", "paperHeight": "2in"}, (5, 2)),
        ({"paperWidth": "254mm", "paperHeight": "96px", "landscape": "true"}, (10, 1)),
        ({"preferCssPageSize": "true"}, (4, 3)),
    ],
)
def test_the_paper_is_theirs_to_choose(
    client: Client, given: dict[str, str], size: tuple[float, float]
) -> None:
    margins: list[Part] = [(f"margin{s}", "0.1") for s in ("Top", "Bottom", "Left", "Right")]
    page = "<style>@page { size: 4in 3in }</style>x"
    pdf = file(post(client, f"{CONVERT}/html", html(page, *margins, *given.items())))
    assert size_in(pdf) == size


def test_files_are_found_by_their_names(client: Client) -> None:
    page = "<style>body { margin: 0 }</style><img src='a%23b%20ü.svg?v=1'>"
    nameless: list[Part] = [("x", "x", name) for name in (".", "..", "a/.")]
    parts = html(page, ("x", RED_SVG, "some/folder/a#b ü.svg"), ("clip", "true"), *nameless)
    assert colour(file(post(client, f"{SCREENSHOT}/html", parts), "image/png"), 20, 20) == (
        255,
        0,
        0,
    )


def test_a_header_and_a_footer_are_printed(client: Client) -> None:
    style = "<style>p { font-size: 12px; margin: 0 20px }</style>"
    header = f"<html><head>{style}</head><body><p class=title></p></body></html>"
    footer = f"{style}<p><span class=pageNumber></span> of <span class=totalPages></span></p>"
    files = [("files", header, "header.html"), ("files", footer, "footer.HTML")]
    pages = texts(file(post(client, f"{CONVERT}/html", html(THREE_PAGES, *files))))
    assert pages[2].replace(" ", "") in ("Page3Three3of3", "ThreePage33of3")


def test_pages_are_chosen(client: Client) -> None:
    asked: Part = ("nativePageRanges", "2-")
    pages = texts(file(post(client, f"{CONVERT}/html", html(THREE_PAGES, asked))))
    assert pages == ["Page 2", "Page 3"]


def test_a_pdf_says_of_itself_what_is_asked(client: Client) -> None:
    metadata = {
        "Author": "A",
        "Keywords": ["first", "second"],
        "CreateDate": "2006:09:18 16:27:50-04:00",
        "Marked": True,
        "Trapped": "Unknown",
        "PDFVersion": 1.7,
    }
    pdf = file(post(client, f"{CONVERT}/html", html("x", ("metadata", json.dumps(metadata)))))
    with pikepdf.open(io.BytesIO(pdf)) as document:
        info = document.docinfo
        assert info["/Author"] == "A"
        assert info["/Keywords"] == "first, second"
        assert info["/CreationDate"] == "D:20060918162750-04'00"
        assert info["/Trapped"] == pikepdf.Name.Unknown


def test_passwords_and_permissions(client: Client) -> None:
    asked: list[Part] = [("ownerPassword", "bar"), ("allowCopying", "false")]
    pdf = file(post(client, f"{CONVERT}/html", html("x", *asked)))
    with pikepdf.open(io.BytesIO(pdf)) as document:
        assert not document.allow.extract
        assert document.allow.print_highres
    pdf = file(post(client, f"{CONVERT}/html", html("x", ("userPassword", "foo"), *asked)))
    with pytest.raises(pikepdf.PasswordError):
        pikepdf.open(io.BytesIO(pdf))
    with pikepdf.open(io.BytesIO(pdf), password="bar") as document:
        assert document.owner_password_matched


def test_a_pdf_is_split(client: Client) -> None:
    asked: list[Part] = [("splitMode", "intervals"), ("splitSpan", "2"), ("userPassword", "foo")]
    result = post(
        client, f"{CONVERT}/html", html(THREE_PAGES, *asked), Gotenberg_Output_Filename="C:\\a/b"
    )
    assert 'filename="b.zip"' in result.headers["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(file(result, "application/zip"))) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    assert list(found) == ["b_0.pdf", "b_1.pdf"]
    with pikepdf.open(io.BytesIO(found["b_0.pdf"]), password="foo") as document:
        assert len(document.pages) == 2
        assert document.docinfo["/Title"] == "Three"


def test_chosen_pages_are_one_file(client: Client) -> None:
    asked: list[Part] = [("splitMode", "pages"), ("splitSpan", "3,1"), ("splitUnify", "true")]
    pdf = file(post(client, f"{CONVERT}/html", html(THREE_PAGES, *asked)))
    assert texts(pdf) == ["Page 3", "Page 1"]


# Pictures.


def test_a_picture_is_of_the_whole_page(client: Client) -> None:
    page = "<body style='margin:0'><div style='height:900px;background:blue'>"
    result = post(client, f"{SCREENSHOT}/html", html(page))
    picture = opened(file(result, "image/png"))
    assert (picture.width, picture.height) == (800, 900)
    result = post(client, f"{SCREENSHOT}/html", html(page, ("clip", "true"), ("format", "webp")))
    picture = opened(file(result, "image/webp"))
    assert (picture.width, picture.height) == (800, 600)


def test_a_picture_of_an_element(client: Client) -> None:
    page = f"<body style='padding:50px'><p style='height:50px'>{BLUE_SVG.decode()}"
    result = post(client, f"{SCREENSHOT}/html", html(page, ("selector", "svg"), ("format", "jpeg")))
    picture = opened(file(result, "image/jpeg"))
    assert (picture.width, picture.height) == (40, 40)
    result = post(client, f"{SCREENSHOT}/html", html(page, ("selector", "video")))
    assert refused(result, 400) == (
        "The selector 'video' (selector) matched no element with a visible box"
    )


# How a page is loaded.


def test_what_is_waited_for(client: Client) -> None:
    page = (
        "<p id=p>early<script>setTimeout(() => {"
        " window.status = 'x'; window.done = true; p.textContent = 'late' }, 300)</script>"
    )
    for asked in (
        ("waitDelay", "500ms"),
        ("waitForExpression", "window.done === true"),
        ("waitForExpression", "(async () => window.done === true)()"),
        ("waitWindowStatus", "x"),
    ):
        assert texts(file(post(client, f"{CONVERT}/html", html(page, asked)))) == ["late"]


def test_files_are_downloaded(client: Client) -> None:
    page = "/attachment/index.html"
    with running_recording_site(pages={page: "<p>downloaded"}) as site:
        asked = json.dumps([{"url": site.url + page, "extraHttpHeaders": {"X-Foo": "bar"}}])
        result = post(client, f"{CONVERT}/html", [("downloadFrom", asked)], Gotenberg_Trace="t")
        assert texts(file(result)) == ["downloaded"]
        sent = site.sent[0].headers
        assert (sent["X-Foo"], sent["Gotenberg-Trace"]) == ("bar", "t")
        unnamed = json.dumps([{"url": site.url}])
        result = post(client, f"{CONVERT}/html", [("downloadFrom", unnamed)])
        assert refused(result, 400) == f"No 'Content-Disposition' header from '{site.url}/'"
        private = json.dumps([{"url": f"{site.url}/private"}])
        result = post(client, f"{CONVERT}/html", [("downloadFrom", private)])
        assert "got status: '401'" in refused(result, 400)


@pytest.mark.parametrize("name", ["idna''a", "punycode''a-%ff", "%00''a"])
def test_a_name_in_a_charset_that_cannot_be_is_none(name: str) -> None:
    header = f"attachment; filename*={name}"
    assert downloads.filename_in(header) is None


def test_what_is_downloaded_is_in_no_log(client: Client) -> None:
    asked = json.dumps([{"url": "http://10.0.0.1/secret"}, {"url": "http://127.0.0.1:1/secret"}])
    with capture_logs() as logs:
        refused(post(client, f"{CONVERT}/html", [("downloadFrom", asked)]), 403)
    assert logs
    assert "secret" not in str(logs)


def test_media_are_emulated(client: Client) -> None:
    page = (
        "<style>p { display: none } @media print and (prefers-color-scheme: dark)"
        " { #a { display: block } } @media screen { #b { display: block } }</style>"
        "<p id=a>print, dark<p id=b>screen"
    )
    dark: Part = ("emulatedMediaFeatures", '{"prefers-color-scheme": "dark"}')
    assert texts(file(post(client, f"{CONVERT}/html", html(page, dark)))) == ["print, dark"]
    screen: Part = ("emulatedMediaType", "screen")
    assert texts(file(post(client, f"{CONVERT}/html", html(page, screen)))) == ["screen"]


def test_headers_go_where_their_scope_is(client: Client) -> None:
    headers = {
        "X-All": "1",
        "X-Scoped": r"a;scope=https?:\/\/127\.0\.0\.1:(\d+)\/.*",
        "X-Elsewhere": "b;scope=https://example.com/.*",
    }
    with running_recording_site(pages={"/": "x"}) as site:
        parts: list[Part] = [("url", site.url), ("extraHttpHeaders", json.dumps(headers))]
        parts.append(("cookies", '[{"name": "c", "value": "d", "domain": "127.0.0.1:80"}]'))
        file(post(client, f"{CONVERT}/url", parts))
        sent = site.sent[0].headers
    assert (sent["X-All"], sent["X-Scoped"], sent["Cookie"]) == ("1", "a", "c=d")
    assert "X-Elsewhere" not in sent


# What is wrong.


def test_all_that_is_wrong_with_a_form_is_told_in_gos_words(client: Client) -> None:
    wrong: list[Part] = [
        ("waitDelay", "foo"),
        ("scale", "1,5"),
        ("marginTop", "1m"),
        ("singlePage", "yes"),
        ("cookies", "foo"),
        ("waitForSelector", ""),
    ]
    assert refused(post(client, f"{CONVERT}/html", wrong), 400) == (
        "Invalid form data: form field 'waitDelay' is invalid (got 'foo', resulting to time: "
        'invalid duration "foo")\n'
        "form field 'cookies' is invalid (got 'foo', resulting to unmarshal cookies: invalid "
        "character 'o' in literal false (expecting 'a'))\n"
        "form field 'scale' is invalid (got '1,5', resulting to strconv.ParseFloat: parsing "
        '"1,5": invalid syntax)\n'
        "form field 'singlePage' is invalid (got 'yes', resulting to strconv.ParseBool: parsing "
        '"yes": invalid syntax)\n'
        "form field 'marginTop' is invalid (got '1m', resulting to strconv.ParseFloat: parsing "
        '"1m": invalid syntax)\n'
        "form file 'index.html' is required"
    )


@pytest.mark.parametrize(
    ("path", "parts", "status", "says"),
    [
        ("convert/url", [], 400, "Invalid form data: form field 'url' is required"),
        ("convert/url", [("url", "FILE:///etc/passwd")], 400, "file:// URLs are not accepted"),
        ("convert/url", [("url", "example.com")], 400, "Invalid URL: "),
        ("convert/url", [("url", "http://10.0.0.1/")], 403, "Forbidden"),
        ("convert/markdown", html("x"), 400, "no form file found for extensions: [.md]"),
        (
            "convert/markdown",
            [*html('{{ toHTML "b.md" }}'), ("files", "x", "a.md")],
            400,
            "Markdown file(s) not found: 'b.md'",
        ),
        ("convert/markdown", [*html("{{ .x }}"), ("f", "x", "a.md")], 501, "{{ .x }}"),
        ("convert/html", html("x", ("nativePageRanges", "foo")), 400, "page ranges 'foo'"),
        ("convert/html", html("x", ("nativePageRanges", "2-3")), 400, "exceeds the page count"),
        ("convert/html", html("x", ("paperWidth", "0")), 400, "does not handle the provided"),
        ("convert/html", html("x", ("scale", "nan")), 400, "does not handle the provided"),
        ("convert/html", html("x", ("omitBackground", "1")), 400, "requires printBackground"),
        ("convert/html", html("x", ("waitForExpression", "undefined")), 400, "'undefined'"),
        ("convert/html", html("x", ("waitForExpression", "a b")), 400, "exception or undefined"),
        ("convert/html", html("x", ("waitForSelector", "##")), 400, "The selector '##'"),
        ("convert/html", html("x", ("pdfa", "PDF/A-1b")), 501, "pdfa: "),
        ("convert/html", html("x", ("pdfa", "PDF/A-9")), 400, "PDF format is not supported"),
        ("convert/html", html("x", ("pdfua", "true")), 501, "pdfua: "),
        ("convert/html", html("x", ("embeds", "x", "a.xml")), 501, "embeds: "),
        ("convert/html", html("x", ("stampSource", "pdf")), 400, "a stamp file is required"),
        ("convert/html", html("x", ("watermarkSource", "text")), 501, "watermarkSource: "),
        ("convert/html", html("x", ("metadata", '{"X": 1}')), 501, "metadata: "),
        ("convert/html", html("x", ("allowPrinting", "false")), 400, "require a 'userPassword'"),
        ("convert/html", html("x", ("splitMode", "pages")), 400, "split mode is not supported"),
        ("convert/html", html("x", ("splitMode", "intervals")), 400, "(got '', resulting to"),
        ("convert/html", html("x", ("metadata", '{"Title": null}')), 400, "'Title' must be a text"),
        (
            "convert/html",
            html("x", ("emulatedMediaFeatures", '{"prefers-contrast": "x"}')),
            400,
            "form field 'emulatedMediaFeatures' is invalid: must be one of",
        ),
        (
            "convert/html",
            html("x", ("waitDelay", "24h")),
            400,
            "form field 'waitDelay' is invalid: must",
        ),
        (
            "convert/html",
            html("x", ("files", "<script src=a.js></script>", "header.html")),
            400,
            "form field 'header.html' is invalid: must have nothing that is loaded",
        ),
        (
            "convert/html",
            html("x", ("metadata", '{"Title": "\\u0000"}')),
            400,
            "form field 'metadata' is invalid: must be text",
        ),
        ("convert/html", [("downloadFrom", "foo")], 400, "Invalid 'downloadFrom' form field"),
        ("convert/html", [("downloadFrom", '[{"url": ""}]')], 400, "entry 0: URL must be set"),
        ("convert/html", [("downloadFrom", '[{"url": "x"}]')], 400, "entry 0: URL must be an"),
        ("convert/html", [("downloadFrom", '[{"url": "http://10.0.0.1/"}]')], 403, "Forbidden"),
        ("convert/html", [("downloadFrom", '[{"url": "http://127.0.0.1:9/"}]')], 403, "Forbidden"),
        ("screenshot/html", html("x", ("width", "0")), 400, "form field 'width' is invalid: must"),
        ("screenshot/html", html("x", ("quality", "101")), 400, "value is superior to 100"),
    ],
)
def test_what_cannot_be_is_told(
    client: Client, path: str, parts: list[Part], status: int, says: str
) -> None:
    assert says in refused(post(client, f"/forms/chromium/{path}", parts), status)


def test_a_scope_that_is_none_is_told(client: Client) -> None:
    for scope in ("*.", "a(?=b)", "(a{9}){9}"):
        headers = json.dumps({"foo": f"bar;scope={scope}"})
        result = post(client, f"{CONVERT}/html", html("x", ("extraHttpHeaders", headers)))
        assert "Invalid form data: " in refused(result, 400)


def test_failures_of_the_page_are_conflicts(client: Client, site: Site) -> None:
    missing: Part = ("url", f"{site.url}/missing")
    assert refused(post(client, f"{CONVERT}/url", [missing]), 409) == (
        "Invalid HTTP status code from the main page: 404: Not Found"
    )
    file(post(client, f"{CONVERT}/url", [missing, ("failOnHttpStatusCodes", "[599]")]))
    site.pages = {"/a": "<script src=/missing></script><script>throw new Error('first')</script>"}
    page: Part = ("url", f"{site.url}/a")
    codes: Part = ("failOnResourceHttpStatusCodes", "[404]")
    assert refused(post(client, f"{CONVERT}/url", [page, codes]), 409) == (
        f"Invalid HTTP status code from resources:\n{site.url}/missing - 404: Not Found"
    )
    ignored: Part = ("ignoreResourceHttpStatusDomains", '["http://127.0.0.1:80/x"]')
    file(post(client, f"{CONVERT}/url", [page, codes, ignored]))
    thrown = post(client, f"{CONVERT}/url", [page, ("failOnConsoleExceptions", "true")])
    assert refused(thrown, 409) == "Chromium console exceptions:\nError: first"
    lacking = html("<link rel=stylesheet href=none.css>", ("failOnResourceLoadingFailed", "true"))
    lacks = post(client, f"{CONVERT}/html", lacking)
    assert "resource Stylesheet: net::ERR_FILE_NOT_FOUND" in refused(lacks, 409)


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({"Content-Type": "application/json"}, "want 'multipart/form-data'"),
        ({"Content-Type": "multipart/form-data"}, "no boundary"),
    ],
)
def test_what_is_no_form_is_told(client: Client, headers: dict[str, str], says: str) -> None:
    result = client.simulate_post(f"{CONVERT}/html", body=b"{}", headers=headers)
    assert says in refused(result, 415)


@pytest.mark.parametrize(
    "path",
    ["libreoffice/convert", "pdfengines/merge", "pdfengines/metadata/read"],
)
def test_what_needs_another_program_says_so(client: Client, path: str) -> None:
    assert "the farm" in refused(post(client, f"/forms/{path}", []), 501).lower()


# What stands around.


def test_an_answer_has_a_name_and_a_trace(client: Client) -> None:
    result = post(
        client,
        f"{CONVERT}/html",
        html("x"),
        Gotenberg_Trace="my trace",
        Gotenberg_Output_Filename="na\u00c3\u00afve",
    )
    assert result.headers["Gotenberg-Trace"] == "my trace"
    assert result.headers["Content-Disposition"] == (
        "attachment; filename=\"na?ve.pdf\"; filename*=UTF-8''na%C3%AFve.pdf"
    )


def test_a_password_is_a_key(engine: Engine, make_app: MakeApp) -> None:
    client = Client(make_app(engine, Settings.model_validate({"api_keys": f"me:{KEY}"})))
    result = post(client, f"{CONVERT}/html", html("x"))
    assert refused(result, 401) == "Unauthorized"
    assert result.headers["WWW-Authenticate"].startswith("Basic ")
    basic = base64.b64encode(f"anybody:{KEY}".encode()).decode()
    file(post(client, f"{CONVERT}/html", html("x"), Authorization=f"Basic {basic}"))
    wrong = base64.b64encode(b"\xff:nobody").decode()
    refused(post(client, f"{CONVERT}/html", html("x"), Authorization=f"Basic {wrong}"), 401)


def test_their_monitors_are_answered(client: Client) -> None:
    assert client.simulate_head("/health").status_code == 200
    details = client.simulate_get("/health").json["details"]
    assert details["chromium"]["status"] == "up"
    version = client.simulate_get("/version", headers={"Gotenberg-Trace": "v"})
    assert version.headers["Gotenberg-Trace"] == "v"
    assert version.text.startswith("8.")
    assert client.simulate_get("/").headers["Content-Type"] == "text/html; charset=UTF-8"
    assert client.simulate_get("/favicon.ico").status_code == 204


def test_none_of_it_is_there_where_it_is_turned_off(engine: Engine, make_app: MakeApp) -> None:
    client = Client(make_app(engine, Settings.model_validate({"compat": "off"})))
    assert post(client, f"{CONVERT}/html", html("x")).status_code == 404


# Webhooks.


def test_a_webhook_is_a_job(client: Client, jobs: RedisJobQueue) -> None:
    hooks = {
        "Gotenberg_Webhook_Url": "https://example.com/done",
        "Gotenberg_Webhook_Method": "put",
        "Gotenberg_Webhook_Events_Url": "https://example.com/events",
        "Gotenberg_Webhook_Error_Url": "https://example.com/error",
        "Gotenberg_Webhook_Extra_Http_Headers": '{"X-Foo": "bar"}',
    }
    result = post(client, f"{CONVERT}/html", html("x"), Gotenberg_Trace="50%d $x", **hooks)
    assert (result.status_code, result.content) == (204, b"")
    assert result.headers["Gotenberg-Trace"] == "50%d $x"
    assert jobs.figures().waiting == 1


@pytest.mark.parametrize(
    ("hooks", "says"),
    [
        ({}, "At least one of 'Gotenberg-Webhook-Error-Url'"),
        ({"Error_Url": "nowhere"}, "Invalid 'Gotenberg-Webhook-Error-Url' header value"),
        ({"Events_Url": "https://x.com/", "Method": "GET"}, "but got 'GET'"),
        ({"Events_Url": "https://x.com/", "Extra_Http_Headers": "foo"}, "in literal false"),
    ],
)
def test_a_webhook_that_is_none_is_told(client: Client, hooks: dict[str, str], says: str) -> None:
    named = {f"Gotenberg_Webhook_{name}": value for name, value in hooks.items()}
    named["Gotenberg_Webhook_Url"] = "https://example.com/done"
    assert says in refused(post(client, f"{CONVERT}/html", html("x"), **named), 400)
