"""`report: true`: what a page did, lacked and took, all of it bounded."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest

from farm.render import Engine
from farm.render.page.report import MAX_BYTES, within_bounds
from farm.request import HTML_OR_URL, RenderRequest
from tests import field
from tests.conftest import request_for
from tests.support.farm_process import wait_until
from tests.support.site import Site, running_site

#: Its only glyph is the X.
BLOCK_FONT = (Path(field.__file__).parent / "block.ttf").read_bytes()

#: What differs between two PDFs of one page.
_DATES = re.compile(rb"/(CreationDate|ModDate) \(D:[^)]*\)")


def report_of(engine: Engine, **body: Any) -> dict[str, Any]:
    fields = {**body, "report": True}
    request = RenderRequest.from_fields(fields, HTML_OR_URL, engine.limits)
    report: dict[str, Any] = engine.render(request).facts["report"]
    assert len(json.dumps(report)) < 1 << 16
    return report


def complete_report_of(engine: Engine, **body: Any) -> dict[str, Any]:
    """A report whose search for characters was not cut short, as it may be on a busy machine."""
    reports = (report_of(engine, **body) for _ in range(10))
    return next(report for report in reports if "fontsAreIncomplete" not in report)


def script(text: str) -> str:
    return f"<!doctype html><body><script>{text}</script>"


def test_there_is_no_report_by_default(engine: Engine) -> None:
    assert "report" not in engine.render(request_for(engine, script("console.log(1)"))).facts


@pytest.mark.parametrize("format_", ["png", "pdf"])
def test_the_picture_is_the_same(engine: Engine, format_: str) -> None:
    html = "<title>x</title><h1>Hi \u0378</h1><input autofocus><script>console.log(1)</script>"
    fields = {"html": html, "options": {"format": format_}}
    asked, plain = (
        RenderRequest.from_fields(fields | {"report": report}, HTML_OR_URL, engine.limits)
        for report in (True, False)
    )
    pictures = [_DATES.sub(b"", engine.render(request).data) for request in (asked, plain)]
    assert pictures[0] == pictures[1]


def test_a_page_that_does_nothing_has_a_report_of_nothing(engine: Engine) -> None:
    report = report_of(engine, html="<p>")
    timings = report.pop("timings")
    assert list(timings) == ["wait", "load", "settle", "capture", "report"]
    assert report == {
        "requests": {"count": 0, "bytes": 0, "slowest": [], "failed": []},
        "redirects": [],
        "console": [],
        "pageErrors": [],
        "blocked": [],
        "missingGlyphs": [],
        "fonts": [],
    }


# ---- Requests


def test_requests_are_counted_and_the_failed_ones_named(engine: Engine, site: Site) -> None:
    images = "".join(f"<img src=/{name}>" for name in ("red.svg", "none.svg", "hang-up"))
    site.pages = {"/start": images}
    report = report_of(engine, url=f"{site.url}/redirect?to=/start")
    requests = report["requests"]
    assert requests["count"] == 5
    assert requests["bytes"] > len(images)
    assert {told["url"].removeprefix(site.url) for told in requests["slowest"]} == {
        *("/redirect?to=/start", "/start", "/red.svg", "/none.svg", "/hang-up")
    }
    spent = [told["ms"] for told in requests["slowest"]]
    assert spent == sorted(spent, reverse=True)
    failed = {told["url"].removeprefix(site.url): told for told in requests["failed"]}
    assert failed.keys() == {"/none.svg", "/hang-up"}
    assert failed["/none.svg"]["reason"] == "its answer has the status 404"
    assert failed["/none.svg"]["type"] == "image"
    assert failed["/hang-up"]["reason"] == "its host sent no answer"
    assert report["redirects"] == [{"url": f"{site.url}/redirect?to=/start", "status": 302}]


def test_what_frames_and_workers_ask_for_counts(engine: Engine, site: Site) -> None:
    with running_site("127.0.0.2", {"/frame": f"<img src={site.url}/none-1.svg>"}) as other:
        html = script(
            f"new Worker(URL.createObjectURL(new Blob([`fetch('{site.url}/none-2.svg')`])))"
        )
        html += f"<iframe src={other.url}/frame></iframe>"
        report = report_of(engine, html=html, options={"waitFor": 200})
    failed = {told["url"] for told in report["requests"]["failed"]}
    assert {f"{site.url}/none-1.svg", f"{site.url}/none-2.svg"} <= failed
    assert report["requests"]["count"] == 3


def test_what_the_policy_refuses_is_blocked_and_the_reason_of_the_failure(engine: Engine) -> None:
    report = report_of(engine, html="<img src=http://10.9.8.7/x.png>")
    assert report["blocked"] == [{"host": "10.9.8.7", "reason": "its address is not public"}]
    (failed,) = report["requests"]["failed"]
    assert failed["reason"] == "the egress policy refuses it: its address is not public"


def test_passwords_in_urls_are_not_told_and_long_urls_are_cut(engine: Engine, site: Site) -> None:
    address = site.url.replace("://", "://ada:secret@")
    html = script(f"console.log('{address}/'); throw Error('at {address}/')")
    html += f"<img src='{address}/x.svg?{'q' * 400}'>"
    report = report_of(engine, html=html)
    assert "secret" not in json.dumps(report)
    assert report["console"][0]["text"] == site.url + "/"
    (told,) = report["requests"]["slowest"]
    assert told["url"] == f"{site.url}/x.svg?{'q' * 400}"[:300]


# ---- Console


def test_console_messages_and_uncaught_errors_are_reported(engine: Engine, site: Site) -> None:
    site.pages = {
        "/start": script(
            "console.log('one', 2, 1.5, true, null, undefined, {a: 1});\n"
            "console.warn('\\ud83d');\n"
            "Promise.reject(Error('late'));\n"
            "throw new TypeError('thrown')"
        )
    }
    report = report_of(engine, url=site.url + "/start")
    said, warned = report["console"]
    place = {"url": site.url + "/start"}
    assert said == {
        "level": "log",
        "text": "one 2 1.5 true null undefined Object",
        **place,
        "line": 1,
    }
    assert warned == {"level": "warning", "text": "?", **place, "line": 2}
    errors = {error["text"].partition("\n")[0]: error for error in report["pageErrors"]}
    assert errors.keys() == {"Error: late", "TypeError: thrown"}
    assert errors["TypeError: thrown"]["line"] == 4


def test_what_frames_and_workers_say_is_told(engine: Engine) -> None:
    page = script("console.log('frame'); throw 'of the frame'")
    with running_site("127.0.0.2", {"/frame": page}) as other:
        worker = "console.log(`worker`); throw `of the worker`"
        html = script(f"new Worker(URL.createObjectURL(new Blob(['{worker}'])))")
        html += f"<iframe src={other.url}/frame></iframe>"
        report = report_of(engine, html=html, options={"waitFor": 200})
    assert {"frame", "worker"} <= {said["text"] for said in report["console"]}
    errors = " ".join(error["text"] for error in report["pageErrors"])
    assert "of the frame" in errors
    assert "of the worker" in errors


def test_very_many_console_messages_are_reported_in_part(engine: Engine) -> None:
    html = script("for (let n = 0; n < 2_000; n++) { console.log('\\u00e9'.repeat(2_000), n) }")
    counts: list[int] = []
    # On a busy machine, not all of them arrive within the time of a report.
    while 1_000 not in counts and len(counts) < 10:
        report = report_of(engine, html=html)
        assert {said["text"] for said in report["console"]} == {"\u00e9" * 500}
        counts.append(len(report["console"]) + report["omitted"]["console"])
    # Chromium keeps a thousand.
    assert max(counts) == 1_000


def test_what_is_said_before_the_document_is_not_told(engine: Engine, site: Site) -> None:
    site.pages = {"/start": script("console.log(1); onload = () => { location = '/' }")}
    assert report_of(engine, url=site.url + "/start")["console"] == []


def test_looking_at_a_page_asks_the_network_for_nothing(engine: Engine, site: Site) -> None:
    site.pages = {"/start": "<link rel=stylesheet href=/no-store.css><p>x"}
    is_whole = False
    while not is_whole:  # a busy machine may cut the search short, and then it is made again
        asked = len(site.requests)
        report = report_of(engine, url=site.url + "/start")
        assert len(site.requests) - asked == 2
        is_whole = "fontsAreIncomplete" not in report
    assert report["fonts"]


# ---- Fonts


def test_characters_that_no_font_has_are_named(engine: Engine) -> None:
    html = "<p>seen: a \u0378 b<p hidden>\u0379</p><script>'\u0380'</script><input value='\u0381'>"
    missing = complete_report_of(engine, html=html)["missingGlyphs"]
    assert missing == [
        {"character": "\u0378", "codePoints": "U+0378"},
        {"character": "\u0381", "codePoints": "U+0381"},
    ]


@pytest.mark.parametrize(
    "text",
    [
        "caf\u00e9 e\u0301 x\u0302\u0323",
        "\N{GRINNING FACE} \u2764\ufe0f 1\ufe0f\u20e3 \U0001f1e9\U0001f1ea",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f44d\U0001f3fd",
        "a\u200db \u00ad\u200b\ufeff \t\u0001\u0085 \u2028",
        "\u6f22\u5b57 \u0e01\u0e33 \u0928\u093f",
        "\u2800\u3164",
    ],
    ids=["combining", "emoji", "sequences", "invisible", "scripts", "blank"],
)
def test_characters_that_are_seen_are_not_named(engine: Engine, text: str) -> None:
    report = complete_report_of(engine, html=f"<meta charset=utf-8><p>x{text}")
    assert report["missingGlyphs"] == []


def test_a_font_of_the_pages_has_what_no_other_has(engine: Engine) -> None:
    data = base64.b64encode(BLOCK_FONT).decode()
    html = f"""<style>@font-face {{ font-family: Block; src: url(data:font/ttf;base64,{data}) }}
        p {{ font-family: Block }} b::before {{ content: '\\e001' }}</style><p>X<b></b>"""
    report = complete_report_of(engine, html=html)
    assert [font["isWebFont"] for font in report["fonts"]].count(True) == 1
    assert report["missingGlyphs"] == [{"character": "\ue001", "codePoints": "U+E001"}]


def test_fonts_are_those_that_were_drawn_with(engine: Engine) -> None:
    html = """<style>i { font: 20px 'Not There', monospace } u { font: 20px serif }</style>
        <i>x</i><u hidden>x</u>"""
    fonts = complete_report_of(engine, html=html)["fonts"]
    assert [font["isWebFont"] for font in fonts] == [False]
    assert "Mono" in fonts[0]["family"]
    assert fonts[0]["name"]


def test_frames_of_other_sites_and_shadow_trees_are_looked_at(engine: Engine) -> None:
    pages = {"/frame": "<meta charset=utf-8><p>\u0378"}
    with running_site("127.0.0.2", pages) as other:
        html = script(
            "document.body.attachShadow({mode: 'open'}).innerHTML ="
            f"'<p>\\u0379</p><iframe src={other.url}/frame></iframe>'"
        )
        report = complete_report_of(engine, html=html, options={"waitFor": 200})
    assert {told["character"] for told in report["missingGlyphs"]} == {"\u0378", "\u0379"}


NAMED = (
    "<form name=fonts>x<input name=shadowRoot><input name=checkVisibility></form>"
    "<form name=documentElement></form><img name=createTreeWalker>"
)


@pytest.mark.parametrize(
    "html",
    [
        NAMED + "<p>\u0378",
        "<style>* { display: block !important; font: 90px serif !important }</style><p>\u0378",
        "<script>Set = Map = FontFace = Element.prototype.attachShadow = 1</script><p>\u0378",
    ],
    ids=["named elements", "styles", "globals"],
)
def test_a_page_does_not_disturb_the_search(engine: Engine, html: str) -> None:
    report = complete_report_of(engine, html="<meta charset=utf-8>" + html)
    assert [told["character"] for told in report["missingGlyphs"]] == ["\u0378"]
    assert report["fonts"]


def test_a_page_that_hangs_once_it_is_looked_at_has_its_picture(engine: Engine) -> None:
    html = script(
        "new MutationObserver(() => { for (;;); })"
        ".observe(document.documentElement, {childList: true})"
    )
    report = report_of(engine, html=html)
    assert report["fontsAreIncomplete"]


def test_a_worker_that_never_rests_holds_no_fonts_back(engine: Engine) -> None:
    html = script("new Worker(URL.createObjectURL(new Blob(['for (;;);'])))") + "<p>x"
    report = complete_report_of(engine, html=html)
    assert report["fonts"]


def test_very_many_missing_characters_are_reported_in_part(engine: Engine) -> None:
    text = "".join(map(chr, range(0xE000, 0xF000)))
    report = report_of(engine, html=f"<meta charset=utf-8>{text}")
    assert len(report["missingGlyphs"]) == 100
    assert report["fontsAreIncomplete"]


def test_a_context_that_was_looked_at_is_not_used_again(kept_engine: Engine) -> None:
    before = kept_engine.status.context_ends.get("remains", 0)
    report_of(kept_engine, html="<p>x")
    wait_until(lambda: kept_engine.status.context_ends.get("remains", 0) == before + 1)


# ---- Bounds


def test_a_report_is_cut_where_it_is_longest() -> None:
    report = {
        "requests": {"slowest": [], "failed": [{"url": "x" * 300}] * 50},
        "console": [{"text": "\u00e9" * 500}] * 50,
        "fonts": [{"family": "x"}],
    }
    told = within_bounds(report, {"console": 70, "requests.failed": 50})
    assert len(json.dumps(told)) <= MAX_BYTES + 100
    assert told["fonts"] == [{"family": "x"}]
    assert len(told["requests"]["failed"]) == 50
    assert len(told["console"]) + told["omitted"]["console"] == 70
