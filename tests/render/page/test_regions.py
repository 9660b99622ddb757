"""Parts of a page: as Playwright captures them, and where Playwright cannot."""

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from farm.errors import InvalidRequest, OutputTooLarge, SelectorNotFound
from farm.render import Engine
from farm.request import RenderResult
from tests.conftest import request_for
from tests.render.kept import render
from tests.render.page.references import CORPUS, assert_same, shown
from tests.support.images import LIME, RED, colour, is_filled, opened
from tests.support.site import Site, running_site

#: Stripes, each of its own colour, so that every row says where it is.
STRIPES = """<!doctype html><body style='margin:0'><script>
const stripe = (i) => `<p style="margin:0;height:100px;background:hsl(${i * 37 % 360} 90% 50%)">
row ${i} <span style="position:relative;left:${i % 900}px">&#9632;</span>`;
const add = (from, to) => {
  let html = ''; for (let i = from; i < to; i++) html += stripe(i);
  document.body.insertAdjacentHTML('beforeend', html) };
</script>"""


def striped(height: int, more: str = "") -> str:
    return f"{STRIPES}<script>add(0, {height // 100})</script>{more}"


def rendered(engine: Engine, html: str, **options: object) -> RenderResult:
    result = engine.render(request_for(engine, html, **options))
    assert opened(result.data).size == (result.width, result.height)
    return result


# ---- clip

CLIPS = [
    {"x": 10, "y": 20, "width": 300, "height": 200},
    {"x": 0, "y": 600, "width": 1280, "height": 700},
    {"x": 0.5, "y": 33.3, "width": 100.5, "height": 60.9},
    {"x": 100, "y": 2500, "width": 50, "height": 50},
]


@pytest.mark.parametrize("clip", CLIPS)
def test_a_clip_is_as_playwrights_of_the_full_page(
    engine: Engine, browser: Browser, clip: dict[str, float], tmp_path: Path
) -> None:
    html = striped(3000)
    with shown(browser, html) as page:
        expected = page.screenshot(full_page=True, clip=clip)  # type: ignore[arg-type]
    assert_same(opened(rendered(engine, html, clip=clip).data), opened(expected), tmp_path)


def test_a_clip_beyond_the_page_shows_its_background(engine: Engine) -> None:
    clip = {"x": 5000, "y": 5000, "width": 30, "height": 20}
    result = rendered(engine, "<html style='background:lime'>", clip=clip)
    assert (result.width, result.height) == (30, 20)
    assert is_filled(result.data, LIME)


def test_a_clip_is_of_the_page_wherever_it_is_scrolled_to(engine: Engine) -> None:
    html = striped(3000, "<script>scrollTo(0, 1500)</script>")
    clip = {"x": 0, "y": 100, "width": 200, "height": 100}
    moved = rendered(engine, html, clip=clip)
    assert moved.data == rendered(engine, striped(3000), clip=clip).data


# ---- selector

ELEMENTS = {
    "plain": "<p id=e style='width:300px;height:50px;background:#fa0'>x",
    "below the fold": "<div style='height:3000px'></div><p id=e style='background:#fa0'>x",
    "half pixels": "<p id=e style='position:absolute;left:10.5px;top:20.3px;width:33.3px;"
    "height:44.7px;margin:0;background:#fa0'>",
    "an inline element over two lines": "<div style='width:200px;font:20px Arial'>some words and "
    "<b id=e style='background:#fa0'>more of them that go on and on</b> here",
    "rotated": "<p id=e style='width:100px;height:100px;margin:60px;background:#fa0;"
    "transform:rotate(30deg) scale(1.3)'>x",
    "in a scrolled container": "<div style='height:200px;overflow:auto;margin:20px'>"
    "<div style='height:1500px'></div><p id=e style='height:90px;background:#fa0'>x</p>"
    "<div style='height:500px'></div></div>",
    "larger than the viewport": "<div id=e style='width:1500px;height:2000px;"
    "background:linear-gradient(45deg,red,blue)'>x",
    "under a fixed header": "<div style='position:fixed;top:0;left:0;right:0;height:50px;"
    "background:#00f'></div><div style='height:1500px'></div><p id=e style='background:#fa0'>x",
    "border and margin": "<p id=e style='margin:30px;border:7px solid #0a0;padding:5px;width:99px;"
    "box-shadow:0 0 9px red'>x",
    "svg": "<svg width=300 height=300><circle id=e cx=100 cy=100 r=50.5 fill=red /></svg>",
    "smooth scrolling": "<style>html{scroll-behavior:smooth}</style><div style='height:3000px'>"
    "</div><p id=e style='background:#fa0'>x",
}


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", ELEMENTS)
def test_an_element_is_as_playwrights(
    engine: Engine, browser: Browser, name: str, tmp_path: Path
) -> None:
    html = f"<!doctype html>{ELEMENTS[name]}"
    with shown(browser, html) as page:
        expected = opened(page.locator("#e").screenshot())
    assert_same(opened(rendered(engine, html, selector="#e").data), expected, tmp_path)


@pytest.mark.parametrize("scale", [0.5, 1.5, 3])
def test_an_element_is_as_playwrights_at_another_scale(
    engine: Engine, browser: Browser, scale: float, tmp_path: Path
) -> None:
    html = f"<!doctype html>{ELEMENTS['half pixels']}"
    context = browser.new_context(
        viewport={"width": 1280, "height": 720}, device_scale_factor=scale
    )
    page = context.new_page()
    page.set_content(html)
    expected = opened(page.locator("#e").screenshot())
    context.close()
    result = rendered(engine, html, selector="#e", deviceScaleFactor=scale)
    assert_same(opened(result.data), expected, tmp_path)


def test_an_element_is_waited_for_until_it_has_a_box(engine: Engine) -> None:
    html = (
        "<!doctype html><script>setTimeout(() => { document.body.innerHTML ="
        "'<p id=e style=\"margin:0;width:0;height:20px;background:lime\">';"
        "setTimeout(() => e.style.width = '30px', 300) }, 300)</script>"
    )
    result = rendered(engine, html, selector="#e")
    assert (result.width, result.height) == (30, 20)
    assert is_filled(result.data, LIME)


def test_an_element_that_does_not_come_is_not_found(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine(render_deadline_s=3)
    for html in ("<p>x", "<p id=e style='display:none'>x", "<p id=e style='height:0'>"):
        with pytest.raises(SelectorNotFound):
            rendered(engine, html, selector="#e")


@pytest.mark.parametrize("selector", ["p:::", "'); alert(1); ('", "[", " "])
def test_what_is_no_selector_is_refused(engine: Engine, selector: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        rendered(engine, "<p>x", selector=selector)
    assert [(each.field, each.problem) for each in caught.value.problems] == [
        ("options.selector", "must be a CSS selector")
    ]


def test_the_page_cannot_disturb_the_search(engine: Engine) -> None:
    html = (
        "<!doctype html><p id=e style='margin:0;height:20px;background:lime'><script>"
        "document.querySelector = Element.prototype.getBoundingClientRect = () => { throw 1 }"
        "</script>"
    )
    assert is_filled(rendered(engine, html, selector="#e").data, LIME)


def test_what_loads_when_an_element_comes_into_view_is_waited_for(
    engine: Engine, site: Site
) -> None:
    html = (
        "<!doctype html><div style='height:9000px'></div>"
        f"<img id=e loading=lazy width=50 height=50 src='{site.url}/slow.svg'>"
    )
    release = threading.Timer(0.3, site.hold.set)
    release.start()
    result = rendered(engine, html, selector="#e")
    release.join()
    assert colour(result.data, 20, 20) == RED


def test_an_element_that_is_too_large_is_refused_before_it_is_drawn(
    make_engine: Callable[..., Engine],
) -> None:
    engine = make_engine(max_pixels=1_000_000)
    html = "<div id=e style='width:100000px;height:100000px'>"
    with pytest.raises(OutputTooLarge, match="10,000,000,000 pixels"):
        rendered(engine, html, selector="#e")


@pytest.mark.parametrize("style", ["width:0.01px;height:0.01px", "width:1px;height:1px;scale:1e38"])
def test_an_element_of_an_odd_size_is_no_defect(
    make_engine: Callable[..., Engine], style: str
) -> None:
    engine = make_engine(render_deadline_s=2)
    html = f"<!doctype html><body style='margin:0'><div id=e style='{style}'>"
    with suppress(OutputTooLarge, SelectorNotFound):
        rendered(engine, html, selector="#e")


# ---- fullPage

PAGES = {
    "shorter than the viewport": "<p>x",
    "high": striped(3000),
    "wide": "<div style='width:2000px;height:900px;background:linear-gradient(45deg,red,blue)'>",
    "fixed": striped(
        2500,
        "<div style='position:fixed;top:0;left:0;right:0;height:50px;background:#000'></div>"
        "<div style='position:fixed;bottom:0;left:0;right:0;height:50px;background:#fff'></div>",
    ),
    "sticky": "<!doctype html><div style='height:900px'></div><h1 style='position:sticky;top:0;"
    "bottom:0;background:#fa0'>x</h1><div style='height:2000px'></div>",
    "100vh": "<!doctype html><body style='margin:0'><div style='height:100vh;background:#fa0'>"
    "</div><div style='height:100vh;background:#0af'></div>"
    "<div style='height:50vh;width:50vw;background:#a0f'></div>",
    "a fixed background": "<!doctype html><body style='margin:0;background:linear-gradient(red,"
    "blue) fixed'><div style='height:2500px'></div>",
    "a nested scroller": "<!doctype html><div style='height:300px;overflow:auto'>"
    "<div style='height:2000px;background:linear-gradient(red,blue)'></div></div>"
    "<div style='height:1500px'></div>",
    "scrolled": striped(3000, "<script>scrollTo(0, 1500)</script>"),
    "scrolled and fixed": striped(
        3000,
        "<div style='position:fixed;top:10px;left:0;right:0;height:50px;background:#000'></div>"
        "<script>scrollTo(0, 1500)</script>",
    ),
    "quirks": "<body style='height:2000px;background:#fa0'>",
    "body scrolls": "<!doctype html><style>html,body{height:100%;margin:0}body{overflow:auto}"
    "</style><div style='height:2000px;background:linear-gradient(red,blue)'></div>",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "corpus_page" in metafunc.fixturenames:
        paths = CORPUS if metafunc.config.getoption("whole_corpus") else CORPUS[1::8]
        metafunc.parametrize("corpus_page", paths, ids=[path.stem for path in paths])


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", PAGES)
def test_a_full_page_is_as_playwrights(
    engine: Engine, browser: Browser, name: str, tmp_path: Path
) -> None:
    with shown(browser, PAGES[name]) as page:
        expected = opened(page.screenshot(full_page=True))
    assert_same(opened(rendered(engine, PAGES[name], fullPage=True).data), expected, tmp_path)


@pytest.mark.one_in(3)
def test_a_full_page_of_the_corpus_is_as_playwrights(
    engine: Engine, browser: Browser, corpus_page: Path, tmp_path: Path
) -> None:
    html = corpus_page.read_text()
    with shown(browser, html) as page:
        expected = opened(page.screenshot(full_page=True))
    assert_same(opened(rendered(engine, html, fullPage=True).data), expected, tmp_path)


@pytest.mark.dedicated
def test_a_page_higher_than_a_surface_has_no_seams(
    engine: Engine, browser: Browser, tmp_path: Path
) -> None:
    """Every slice of it is as Playwright's."""
    html = striped(
        40_000,
        "<div style='position:fixed;top:0;right:0;width:100px;height:50px;background:#000'></div>"
        "<div style='position:fixed;bottom:0;right:0;width:100px;height:50px;background:#fff'>"
        "</div><div style='position:absolute;top:0;left:600px;width:300px;height:100%;"
        "background:linear-gradient(45deg,red,blue)'></div>",
    )
    result = rendered(engine, html, fullPage=True)
    assert (result.width, result.height) == (1280, 40_000)
    picture = opened(result.data)
    with shown(browser, html) as page:
        for y in (0, 8_000, 16_000, 24_000, 32_000):
            clip = {"x": 0, "y": y, "width": 1280, "height": 8_000}
            expected = page.screenshot(full_page=True, clip=clip)  # type: ignore[arg-type]
            assert_same(picture.crop((0, y, 1280, y + 8_000)), opened(expected), tmp_path)


def test_a_page_may_be_a_pixel_wide_and_very_high(engine: Engine) -> None:
    html = "<!doctype html><body style='margin:0;background:lime'><div style='height:200000px'>"
    result = rendered(engine, html, width=1, height=1, fullPage=True)
    assert (result.width, result.height) == (1, 200_000)
    assert is_filled(result.data, LIME)


def test_a_full_page_at_scale_3_has_no_seams(engine: Engine) -> None:
    html = striped(9000)
    result = rendered(engine, html, width=400, fullPage=True, deviceScaleFactor=3)
    assert (result.width, result.height) == (1200, 27_000)
    picture = opened(result.data)
    for y in (0, 4_000, 8_000):
        clip = {"x": 0, "y": y, "width": 400, "height": 1_000}
        part = rendered(engine, html, width=400, clip=clip, deviceScaleFactor=3)
        assert picture.crop((0, 3 * y, 1200, 3 * y + 3_000)).tobytes() == (
            opened(part.data).tobytes()
        )


def test_a_page_that_grows_meanwhile_is_as_high_as_it_was(engine: Engine) -> None:
    """And all of the picture is of one moment, though it is drawn in parts."""
    html = (
        "<!doctype html><body style='margin:0'><div id=e style='height:40000px'></div><script>"
        "let n = 0; const change = () => { e.style.background = `rgb(0, ${n++ % 256}, 0)`;"
        "document.body.append(document.createElement('hr')) };"
        "addEventListener('resize', change); setInterval(change, 5)</script>"
    )
    picture = opened(rendered(engine, html, width=300, fullPage=True).data)
    assert 40_000 <= picture.height < 60_000
    assert len(picture.crop((0, 0, 300, 40_000)).getcolors() or []) == 1


def test_a_page_that_is_too_high_is_refused_before_it_is_drawn(
    make_engine: Callable[..., Engine],
) -> None:
    engine = make_engine(max_pixels=5_000_000, max_page_height_px=50_000)
    html = "<!doctype html><body style='margin:0'><div style='height:{}px'>"
    with pytest.raises(OutputTooLarge, match="5,120,000 pixels"):
        rendered(engine, html.format(4_000), fullPage=True)
    with pytest.raises(OutputTooLarge, match="50,001 pixels high"):
        rendered(engine, html.format(50_001), width=10, fullPage=True)


@pytest.mark.parametrize(("format_", "height"), [("webp", 16_384), ("jpeg", 65_536)])
def test_a_page_higher_than_its_format_is_refused(
    engine: Engine, format_: str, height: int
) -> None:
    html = f"<!doctype html><body style='margin:0'><div style='height:{height}px'>"
    with pytest.raises(OutputTooLarge, match=f"{format_} has sides of at most {height - 1:,}"):
        rendered(engine, html, width=10, fullPage=True, format=format_)
    small = rendered(engine, html, width=10, fullPage=True, format=format_, resize={"height": 1000})
    assert small.height == 1000


def test_the_next_render_of_the_same_caller_is_as_ever(kept_engine: Engine) -> None:
    plain = render(kept_engine, PAGES["fixed"])
    for options in ({"fullPage": True}, {"clip": CLIPS[3]}, {"selector": "p:nth-child(20)"}):
        render(kept_engine, PAGES["fixed"], **options)
        assert render(kept_engine, PAGES["fixed"]) == plain


def test_a_document_without_a_root_is_as_large_as_the_viewport(engine: Engine) -> None:
    html = "<script>document.documentElement.remove()</script>"
    result = rendered(engine, html, width=300, height=200, fullPage=True)
    assert (result.width, result.height) == (300, 200)


@pytest.mark.parametrize("options", [{"fullPage": True}, {"selector": "iframe"}])
def test_frames_of_other_sites_are_in_the_picture(
    engine: Engine, browser: Browser, options: dict[str, object], tmp_path: Path
) -> None:
    """Another process draws each: one below the fold has not been drawn before."""
    inner = {"/inner": "<body style='background:#fa0'><h1>inner"}
    with running_site("127.0.0.3", inner) as other:
        frame = f"<iframe src='{other.url}/inner'></iframe>"
        middle = {"/middle": f"<body style='background:#0af'>middle{frame}"}
        with running_site("127.0.0.2", middle) as site:
            html = (
                "<!doctype html><div style='height:3000px'></div>"
                f"<iframe src='{site.url}/middle' width=500 height=400></iframe>"
            )
            with shown(browser, html) as page:
                page.frame_locator("iframe").frame_locator("iframe").locator("h1").wait_for()
                expected = (
                    page.screenshot(full_page=True)
                    if "fullPage" in options
                    else page.locator("iframe").screenshot()
                )
            actual = rendered(engine, html, **options).data
    assert_same(opened(actual), opened(expected), tmp_path)


@pytest.mark.parametrize("on_timeout", ["fail", "capture"])
def test_the_requests_own_time_holds_for_the_element_too(engine: Engine, on_timeout: str) -> None:
    with pytest.raises(SelectorNotFound):
        rendered(engine, "<p>x", selector="#no", timeout=3000, onTimeout=on_timeout)


def test_an_element_is_not_there_either_where_the_time_is_over(engine: Engine) -> None:
    options = {"waitForFunction": "false", "timeout": 1500, "onTimeout": "capture"}
    with pytest.raises(SelectorNotFound):
        rendered(engine, "<p>x", selector="#no", **options)


def test_a_picture_of_very_many_parts_is_refused(engine: Engine) -> None:
    with pytest.raises(OutputTooLarge, match="parts"):
        rendered(engine, "<p>x", clip={"x": 0, "y": 0, "width": 10_000_000, "height": 1})
