"""What is done to a page before it is captured."""

from typing import Any

import pytest

from farm.errors import RenderTimeout, ScriptFailed
from farm.render import Engine
from farm.request import RenderResult
from tests.conftest import request_for
from tests.support.images import BLUE, LIME, RED, colour
from tests.support.site import Site, running_site

STRICT = (
    "<meta http-equiv=Content-Security-Policy content=\"default-src 'none';"
    " require-trusted-types-for 'script'\">"
)
SIZE = {"width": 200, "height": 100}
WHITE = (255, 255, 255)
LIMIT = "document.body.style.background = 'lime'"


AFTER = "const after = (ms) => new Promise((done) => setTimeout(done, ms))"


def page(body: str) -> str:
    return f"<!doctype html>{STRICT}<body>{body}"


def rendered(engine: Engine, html: str, **options: Any) -> RenderResult:
    return engine.render(request_for(engine, html, **{**SIZE, **options}))


def corner(result: RenderResult) -> tuple[int, int, int]:
    return colour(result.data, 190, 90)


def test_styles_are_added_whatever_the_page_allows(engine: Engine) -> None:
    html = page("<p>x")
    styles = ["body { background: red }", "body { background: lime }"]
    assert corner(rendered(engine, html)) == WHITE
    assert corner(rendered(engine, html, styles=styles)) == LIME


def test_styles_may_import_others(engine: Engine) -> None:
    style = "@import url('data:text/css,body{background:lime}');"
    assert corner(rendered(engine, "<p>x", styles=[style])) == LIME


@pytest.mark.parametrize(
    "script",
    [
        LIMIT,
        f"(async () => {{ await new Promise((done) => setTimeout(done, 200)); {LIMIT} }})()",
        f"await new Promise((done) => setTimeout(done, 200)); {LIMIT}",
        f"{AFTER}; await (async () => after(200))(); {LIMIT}",
        f"{AFTER}; (async () => {{ await after(200); {LIMIT} }})()",
        f"(async () => {{ await (new Promise((done) => setTimeout(done, 200))); {LIMIT} }})();",
        f"if (true) {{ {LIMIT} }}",
        f"function paint() {{ {LIMIT} }}\npaint()",
        f"// a comment\nlet twice = 1; {LIMIT} // and another",
    ],
)
def test_scripts_are_run_and_awaited_whatever_the_page_allows(engine: Engine, script: str) -> None:
    assert corner(rendered(engine, page("<p>x"), scripts=[script])) == LIME


def test_scripts_run_in_order_in_the_pages_own_world(engine: Engine) -> None:
    html = "<script>var pages = 'li'</script><p>x"
    scripts = [
        "var mine = pages + 'me'",
        "async function paint() { await 1; document.body.style.background = mine }",
        "await paint()",
    ]
    assert corner(rendered(engine, html, scripts=scripts)) == LIME


def test_a_script_that_throws_is_an_error_with_the_pages_message(engine: Engine) -> None:
    with pytest.raises(ScriptFailed, match=r"scripts.1 threw .*: ReferenceError: none is not"):
        rendered(engine, page(""), scripts=["1", "none.such"])
    with pytest.raises(ScriptFailed, match="refused"):
        rendered(engine, page(""), scripts=["Promise.reject(Error('refused'))"])


def test_what_a_script_goes_to_is_what_the_next_one_runs_in(engine: Engine, site: Site) -> None:
    site.pages["/next"] = "<p>x"
    scripts = [f"location = '{site.url}/next'", f"if (location.pathname === '/next') {LIMIT}"]
    assert corner(rendered(engine, page(""), scripts=scripts)) == LIME


BUTTON = "<button id=b style='position:absolute;top:%s;left:10px'>b</button>"
ON_CLICK = """<script>
    b.onclick = (event) => { if (event.isTrusted && navigator.userActivation.isActive)
      document.documentElement.style.background = 'lime' }
</script>"""


@pytest.mark.parametrize("top", ["10px", "3000px"])
def test_a_click_is_a_real_one_wherever_the_element_is(engine: Engine, top: str) -> None:
    html = BUTTON % top + ON_CLICK
    assert corner(rendered(engine, html)) == WHITE
    assert corner(rendered(engine, html, click=["#none", "#b"])) == LIME


@pytest.mark.parametrize(
    "html",
    [
        "<div style='height:50px;overflow:auto'><div style='height:900px'></div>%s</div>",
        "<div style='transform:rotate(30deg) scale(.5)'>%s</div>",
        "<div style='width:60px'>some words <a>%s</a></div>",
        "<form name=getBoundingClientRect><input name=scrollIntoView>%s</form>",
    ],
    ids=["in a scroller", "transformed", "inline", "among names of its methods"],
)
def test_an_element_is_clicked_in_its_middle(engine: Engine, html: str) -> None:
    html = html % "<button id=b type=button>b</button>" + ON_CLICK
    assert corner(rendered(engine, html, click=["#b"])) == LIME


def test_what_a_click_leads_to_is_captured_with_its_styles(engine: Engine, site: Site) -> None:
    site.pages["/next"] = "<p id=p style='background:red;height:50px'>x"
    html = f"<a href='{site.url}/next'>next</a>"
    options: dict[str, Any] = {
        "click": ["a"],
        "hide": ["#p"],
        "styles": ["body { background: lime }"],
    }
    result = rendered(engine, html, **options)
    assert corner(result) == LIME
    assert colour(result.data, 100, 30) == LIME
    assert ("/next", "") in site.requests


def test_a_page_that_asks_before_it_is_left_is_left(engine: Engine, site: Site) -> None:
    html = f"<a href='{site.url}/'>next</a><script>onbeforeunload = () => 'stay'</script>"
    assert corner(rendered(engine, html, click=["a"])) == LIME


def test_what_a_click_begins_to_load_is_waited_for(engine: Engine, site: Site) -> None:
    site.pages["/page"] = (
        "<button id=b>b</button><script>b.onclick = async () => {"
        f"await fetch('/set-cookie'); await fetch('/'); {LIMIT} }}</script>"
    )
    request = request_for(engine, url=site.url + "/page", click=["#b"], **SIZE)
    assert corner(engine.render(request)) == LIME


@pytest.mark.parametrize(
    "body",
    [
        "<input type=file id=b>",
        "<select id=b><option>o</select>",
        "<b id=b>",
        "<b hidden id=b>b</b>",
        "<a id=b href=http://127.0.0.1:1/ target=_blank>a</a>",
        "<a id=b href=mailto:a@b.example>a</a>",
        "<button id=b onclick='alert(1); open(`about:blank`); this.requestFullscreen()'>b",
    ],
)
def test_a_click_on_any_element_is_no_error(engine: Engine, body: str) -> None:
    assert rendered(engine, body, click=["#b"]).size


def test_a_page_is_scrolled_to_an_element_or_an_offset(engine: Engine) -> None:
    html = (
        "<html style='scroll-behavior:smooth'><body style='margin:0'><div style='height:1000px'>"
        "</div><div id=d style='height:1000px;background:lime'></div>"
    )
    for to in ("#d", 1000):
        assert colour(rendered(engine, html, scroll={"to": to}).data, 5, 5) == LIME


LAZY = """<p id=p>p</p>%s<script>
    new IntersectionObserver((seen) => { if (seen[0].isIntersecting)
      document.documentElement.style.background = 'lime' }).observe(%s)
</script>"""
FILLED = "<div style='height:3000px'></div><b id=end>end</b>"


@pytest.mark.parametrize(
    "html",
    [
        LAZY % (FILLED, "end"),
        "<style>html { height: 100%; overflow: hidden } body { height: 100%; overflow: auto;"
        "margin: 0 }</style>" + LAZY % (FILLED, "end"),
        LAZY % (f"<main style='height:90vh;overflow:auto'>{FILLED}</main>", "end"),
    ],
    ids=["the document", "its body", "an element"],
)
def test_what_loads_when_it_is_seen_is_seen_by_scrolling_through(engine: Engine, html: str) -> None:
    assert corner(rendered(engine, html)) == WHITE
    assert corner(rendered(engine, html, height=500, scroll="through")) == LIME


def test_a_page_is_where_it_was_after_scrolling_through(engine: Engine) -> None:
    html = "<body style='margin:0'><div style='height:50px;background:blue'></div>" + FILLED
    assert colour(rendered(engine, html, height=500, scroll="through").data, 5, 5) == BLUE


def test_a_page_that_grows_at_its_end_is_scrolled_to_the_end_it_gets(
    engine: Engine, site: Site
) -> None:
    site.pages["/page"] = (
        FILLED
        + """<script>
        let rounds = 0;
        new IntersectionObserver(async (seen) => {
          if (rounds === 3 || !seen.some((each) => each.isIntersecting)) return;
          for (let n = 0; n < 10; n++) await fetch('/');
          end.insertAdjacentHTML('beforebegin', '<div style="height:2000px"></div>');
          if (++rounds === 3) document.documentElement.style.background = 'lime';
        }).observe(end)
    </script>"""
    )
    request = request_for(engine, url=site.url + "/page", scroll="through", width=200, height=500)
    assert corner(engine.render(request)) == LIME


def test_a_page_that_grows_without_an_end_is_left_at_a_bound(engine: Engine) -> None:
    html = (
        FILLED
        + """<script>
        onscroll = () =>
          end.insertAdjacentHTML('beforebegin', '<div style="height:20000px"></div>')
    </script>"""
    )
    assert rendered(engine, html, scroll="through").size


BOX = (
    "<div class=box style='background:red;width:200px;height:100px;position:absolute;top:0;left:0'>"
)


@pytest.mark.parametrize("action", ["hide", "remove"])
def test_hidden_elements_are_invisible(engine: Engine, action: str) -> None:
    html = page("") + f"{BOX}<b style='visibility:visible;background:blue'>b</b></div>"
    html = html.replace("default-src 'none'", "script-src 'none'")
    assert corner(rendered(engine, html)) == RED
    result = rendered(engine, html, **{action: ["#none", ".box"]})
    assert corner(result) == WHITE
    assert colour(result.data, 3, 10) == WHITE


def test_what_is_hidden_keeps_its_place_and_what_is_removed_does_not(engine: Engine) -> None:
    html = (
        "<body style='margin:0'><p style='height:50px;margin:0'></p>"
        "<div style='height:50px;background:lime'></div>"
    )
    assert colour(rendered(engine, html, hide=["p"]).data, 5, 5) == WHITE
    assert colour(rendered(engine, html, remove=["p"]).data, 5, 5) == LIME


def test_what_the_page_adds_later_is_hidden_too(engine: Engine) -> None:
    again = f"document.body.innerHTML = `{BOX}`"
    html = f"<script>setInterval(() => {{ {again} }}, 5)</script>"
    assert corner(rendered(engine, html)) == RED
    assert corner(rendered(engine, html, hide=[".box"])) == WHITE


def test_a_selector_cannot_contain_more_css(engine: Engine) -> None:
    """Text that browsers forgive ends where the selector does."""
    html = "<p title='a'>x</p><style>body { background: lime }</style>"
    assert corner(rendered(engine, html, hide=['[title="a', "p::before"])) == LIME


def test_frames_are_left_alone(engine: Engine) -> None:
    with running_site("127.0.0.2", {"/frame": "<body style='background:lime;margin:0'>"}) as other:
        place = "width:200px;height:100px;border:0;position:absolute;top:0;left:0"
        frame = f"<iframe src={other.url}/frame style='{place}'>"
        options: dict[str, Any] = {
            "styles": ["body { background: red !important }"],
            "hide": ["body > :not(iframe)"],
            "scripts": ["1"],
        }
        assert corner(rendered(engine, frame, **options)) == LIME


@pytest.mark.parametrize(
    "html",
    [
        "<script>document.documentElement.remove()</script>",
        "<svg xmlns='http://www.w3.org/2000/svg'></svg>",
        "<script>Document.prototype.querySelector = Element.prototype.scrollTo = null</script>",
        "<script>CSSStyleSheet = Promise = undefined; document.adoptedStyleSheets = []</script>",
        "<script>setInterval(() => history.pushState(0, '', '#' + Math.random()), 1)</script>",
        "<img name=adoptedStyleSheets>",
        "<form name=querySelectorAll><input name=remove></form>",
    ],
)
def test_no_page_prevents_its_capture(engine: Engine, html: str) -> None:
    options: dict[str, Any] = {
        "styles": ["p { color: red }", "@import 'data:text/css,'"],
        "scripts": ["1"],
        "click": ["form", "b"],
        "scroll": "through",
        "hide": ["form"],
        "remove": ["form"],
    }
    assert rendered(engine, html, **options).size


def test_a_forms_fields_stand_in_the_way_of_no_scrolling(engine: Engine) -> None:
    fields = "<input name=parentElement><input name=scrollTo><input name=style>"
    html = f"<!doctype html><body style=margin:0><form style=height:900px>{fields}</form><p id=e>x"
    html += "<style>body { background: linear-gradient(red 900px, lime 0) }</style>"
    assert corner(rendered(engine, html, scroll={"to": "#e"})) == LIME
    assert corner(rendered(engine, html, scroll="through")) == RED


def test_a_page_that_changes_what_promises_become_is_told_of_in_time(engine: Engine) -> None:
    html = "<script>Object.prototype.then = function (done) { done(1) }</script>"
    with pytest.raises((ScriptFailed, RenderTimeout)):
        rendered(engine, html, waitForFunction="1", scripts=["2"], timeout=2000)


def test_scripts_on_load_are_run_before_anything_is_waited_for(engine: Engine) -> None:
    script = f"setTimeout(() => {{ document.body.id = 'late'; {LIMIT} }}, 200)"
    result = rendered(engine, page("x"), onLoad=[script], waitForSelector="#late", timeout=20_000)
    assert corner(result) == LIME
    with pytest.raises(ScriptFailed, match=r"onLoad\.0 threw an error"):
        rendered(engine, "x", onLoad=["nothing.of.it"])
