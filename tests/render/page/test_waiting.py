"""When a page is captured: what is waited for, how long, and what becomes of it then."""

from collections.abc import Callable
from typing import Any

import pytest

from farm.errors import InvalidRequest, RenderTimeout, ScriptFailed
from farm.render import Engine
from farm.request import RenderResult
from tests.conftest import request_for
from tests.support.images import LIME, colour
from tests.support.site import Site

LATER = "setTimeout(() => { document.body.style.background = 'lime'; %s }, 300)"
SIZE = {"width": 200, "height": 100}


def page(script: str, body: str = "") -> str:
    return f"<!doctype html><body style='margin:0'>{body}<script>{script}</script>"


def rendered(engine: Engine, html: str, **options: Any) -> RenderResult:
    return engine.render(request_for(engine, html, **SIZE, **options))


def is_lime(result: RenderResult) -> bool:
    return colour(result.data, 150, 90) == LIME


@pytest.mark.parametrize(
    ("selector", "script"),
    [
        ("#late", LATER % "document.body.insertAdjacentHTML('beforeend', '<b id=late>b</b>')"),
        ({"selector": "#there", "state": "visible"}, LATER % "there.hidden = false"),
        ("#veiled", LATER % "veiled.style.visibility = 'visible'"),
        (
            {"selector": "#there", "state": "hidden"},
            "there.hidden = false;" + LATER % "there.remove()",
        ),
        (
            {"selector": "#late", "state": "attached"},
            LATER % "document.body.insertAdjacentHTML('beforeend', '<b hidden id=late>b</b>')",
        ),
    ],
    ids=["a string", "visible", "not invisible", "hidden", "attached"],
)
def test_a_selector_is_waited_for(engine: Engine, selector: object, script: str) -> None:
    html = page(script, "<b id=there hidden>b</b><b id=veiled style='visibility:hidden'>b</b>")
    assert not is_lime(rendered(engine, html))
    assert is_lime(rendered(engine, html, waitForSelector=selector))


def test_a_selector_is_waited_for_where_the_page_goes(engine: Engine, site: Site) -> None:
    site.pages["/late"] = page(LATER % "document.body.append(document.createElement('i'))")
    site.pages["/late"] += "<style>i { display: block; width: 9px; height: 9px }</style>"
    html = page(f"setTimeout(() => location = '{site.url}/late', 200)")
    assert is_lime(rendered(engine, html, waitForSelector="i"))


def test_a_page_that_has_names_of_its_own_for_the_documents_is_waited_for(engine: Engine) -> None:
    body = "<img name=querySelector><img name=createDocumentFragment><b id=b>b</b>"
    assert rendered(engine, page("", body), waitForSelector="#b").size


@pytest.mark.parametrize("options", [{"waitForSelector": "a:nope("}, {"click": ["b", "]"]}])
def test_an_invalid_selector_is_an_invalid_request(engine: Engine, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        rendered(engine, page(""), **options)
    places = {"waitForSelector": "options.waitForSelector", "click": "options.click.1"}
    assert [problem.field for problem in caught.value.problems] == [places[next(iter(options))]]


@pytest.mark.parametrize(
    "function",
    [
        "window.ready",
        "window.ready;",
        "() => window.ready",
        "async () => window.ready",
        "function () { return window.ready }",
        "function named() { return {ready} }",
        "new Promise((done) => setTimeout(() => done(window.ready), 20))",
        "await window.ready",
    ],
)
def test_a_function_is_waited_for_until_it_is_truthy(engine: Engine, function: str) -> None:
    html = page(LATER % "window.ready = {cyclic: window}")
    if "named" in function:
        html = page(LATER % "" + "; var ready = 1; ready = 0;" + LATER % "ready = 1")
        function = "function named() { return ready && {ready} }"
    assert is_lime(rendered(engine, html, waitForFunction=function))


def test_a_function_is_waited_for_where_the_page_goes(engine: Engine, site: Site) -> None:
    site.pages["/late"] = page(LATER % "window.ready = 1")
    html = page(f"setTimeout(() => location = '{site.url}/late', 200)")
    assert is_lime(rendered(engine, html, waitForFunction="window.ready"))


def test_no_policy_of_the_pages_keeps_a_function_from_it(engine: Engine) -> None:
    policy = "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'\">"
    assert rendered(engine, policy + "<b>x</b>", waitForFunction="() => document.body").size


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (
            "() => { throw new TypeError('no good') }",
            "waitForFunction threw .*: TypeError: no good$",
        ),
        ("Promise.reject('a text')", "a text"),
        ("not JavaScript", "SyntaxError"),
        ("() => { throw new Error('x'.repeat(10_000)) }", "Error: x{493}$"),
        ("() => { throw {toString() { throw 1 }} }", "an object"),
        ("() => { throw 'x'.repeat(50_000_000) }", ": x{500}$"),
    ],
)
def test_a_function_that_throws_is_an_error_with_the_pages_message(
    engine: Engine, function: str, says: str
) -> None:
    with pytest.raises(ScriptFailed, match=says):
        rendered(engine, page(""), waitForFunction=function)


#: A tenth of it is for the picture, which on a busy machine takes hundreds of milliseconds.
TIMEOUT_MS = 4_000

NEVER = {
    "waitForSelector": "#never",
    "waitForFunction": "() => false",
    "scripts": ["new Promise(() => {})"],
}


@pytest.mark.parametrize("name", NEVER)
def test_what_never_comes_is_named_when_the_time_has_passed(engine: Engine, name: str) -> None:
    html = page("document.body.style.background = 'lime'")
    named = "scripts.0" if name == "scripts" else name
    with pytest.raises(RenderTimeout, match=f"{named} was still waited for"):
        rendered(engine, html, timeout=1000, **{name: NEVER[name]})
    result = rendered(engine, html, timeout=TIMEOUT_MS, onTimeout="capture", **{name: NEVER[name]})
    assert is_lime(result)
    assert result.facts["timedOut"] == named


def test_a_promise_that_never_settles_is_waited_for(engine: Engine) -> None:
    options = {"timeout": TIMEOUT_MS, "onTimeout": "capture"}
    result = rendered(engine, page(""), waitForFunction="new Promise(() => {})", **options)
    assert result.facts["timedOut"] == "waitForFunction"


def test_what_never_comes_is_named_at_the_deadline_too(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine(render_deadline_s=12, spare_contexts=0)  # a busy machine loads slowly
    with pytest.raises(RenderTimeout, match="waitForSelector was still waited for"):
        rendered(engine, page(""), waitForSelector="#never")


def test_a_wait_that_succeeds_is_not_reported(engine: Engine) -> None:
    result = rendered(engine, page(""), timeout=20_000, onTimeout="capture")
    assert "timedOut" not in result.facts


@pytest.mark.parametrize("path", ["/with-slow-image", "/endless"])
def test_a_page_that_loads_for_ever_is_captured(engine: Engine, site: Site, path: str) -> None:
    request = request_for(engine, url=site.url + path, timeout=TIMEOUT_MS, onTimeout="capture")
    result = engine.render(request)
    assert result.facts["timedOut"] == "waitUntil"
    assert result.unfinished
    with pytest.raises(RenderTimeout, match="waitUntil was still waited for"):
        engine.render(request_for(engine, url=site.url + path, timeout=300))


def test_html_is_printed_without_the_image_that_never_comes(engine: Engine, site: Site) -> None:
    """Chromium waits two seconds for it, which is more than there is left."""
    html = page("", f"<img src='{site.url}/slow.svg'>")
    result = rendered(engine, html, timeout=TIMEOUT_MS, onTimeout="capture", format="pdf")
    assert result.data.startswith(b"%PDF")
    assert result.facts["timedOut"] == "waitUntil"


def test_a_page_that_is_about_to_leave_is_captured_as_it_is(engine: Engine, site: Site) -> None:
    html = f"<body style='background:lime'><script>location = '{site.url}/slow'</script>"
    result = rendered(engine, html, timeout=TIMEOUT_MS, onTimeout="capture")
    assert result.facts["timedOut"] == "waitUntil"
    assert is_lime(result)


def test_a_page_that_never_answers_is_not_captured(engine: Engine, site: Site) -> None:
    request = request_for(engine, url=site.url + "/slow", timeout=TIMEOUT_MS, onTimeout="capture")
    with pytest.raises(RenderTimeout, match="Nothing of the page came in time"):
        engine.render(request)


@pytest.mark.parametrize("when", ["for (;;);", "setTimeout(() => { for (;;); }, 50)"])
def test_a_page_in_an_endless_loop_is_not_captured(engine: Engine, when: str) -> None:
    options = {"timeout": 2500, "onTimeout": "capture", "waitFor": 500}
    with pytest.raises(RenderTimeout, match="too busy to be captured"):
        rendered(engine, page(when), **options)


@pytest.mark.parametrize("until", ["load", "domcontentloaded"])
def test_less_than_a_settled_page_may_be_waited_for(engine: Engine, site: Site, until: str) -> None:
    """What is under way is not waited for: after the load event a fetch, before it an image."""
    what = "onload = () => fetch('/slow')" if until == "load" else ""
    image = "" if until == "load" else "<img src=/slow.svg>"
    site.pages["/page"] = page(what, image)
    for request in (
        request_for(engine, url=site.url + "/page", waitUntil=until),
        request_for(
            engine, site.pages["/page"].replace("/slow", f"{site.url}/slow"), waitUntil=until
        ),
    ):
        assert engine.render(request).unfinished == ()


def test_an_idle_page_has_asked_for_nothing_for_half_a_second(engine: Engine, site: Site) -> None:
    site.pages["/data"] = "data"
    site.pages["/page"] = page("""(async () => {
        const after = (ms) => new Promise((done) => setTimeout(done, ms));
        for (let n = 0; n < 2; n++) { await after(300); await fetch('/data') }
        document.body.style.background = 'lime';
    })()""")
    settled = engine.render(request_for(engine, url=site.url + "/page", **SIZE))
    assert not is_lime(settled)
    idle = request_for(engine, url=site.url + "/page", waitUntil="networkidle", **SIZE)
    assert is_lime(engine.render(idle))


def test_a_page_that_is_never_idle_is_captured_as_one_that_never_settles(
    make_engine: Callable[..., Engine], site: Site
) -> None:
    engine = make_engine(settle_max_s=1, spare_contexts=0)
    site.pages["/page"] = page("setInterval(() => fetch('/red.svg'), 100)")
    request = request_for(engine, url=site.url + "/page", waitUntil="networkidle")
    assert engine.render(request).size


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"waitForSelector": "#never"}, "waitForSelector"),
        ({"waitForFunction": "new Promise(() => {})"}, "waitForFunction"),
        ({"waitForSelector": "#never", "waitForFunction": "false"}, "waitForSelector"),
    ],
)
def test_a_wait_may_have_a_time_of_its_own(
    engine: Engine, options: dict[str, Any], named: str
) -> None:
    with pytest.raises(RenderTimeout, match=f"{named} was still waited for"):
        rendered(engine, page(""), waitTimeout=300, **options)
    script = "document.body.style.background = 'lime'"
    result = rendered(
        engine, page(""), waitTimeout=300, onTimeout="capture", scripts=[script], **options
    )
    assert result.facts["timedOut"] == named
    assert is_lime(result)


def test_the_time_for_all_of_it_ends_a_wait_that_has_more(engine: Engine) -> None:
    options = {"waitForSelector": "#never", "waitTimeout": 20_000, "timeout": TIMEOUT_MS}
    with pytest.raises(RenderTimeout, match="waitForSelector was still waited for"):
        rendered(engine, page(""), **options)
    result = rendered(engine, page(""), onTimeout="capture", **options)
    assert result.facts["timedOut"] == "waitForSelector"
