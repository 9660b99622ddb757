"""One render: what is loaded, what settled means, what is captured, what is kept apart."""

import json
import threading
import urllib.parse
from collections.abc import Callable

import pypdfium2
import pytest

from farm.errors import InternalError, NavigationFailed
from farm.render import Engine
from farm.render.browser.devtools import Session, Wait
from farm.render.page import scripts, settling
from farm.render.page.scripts import begin_call
from farm.request import RenderRequest
from tests.conftest import request_for
from tests.support.images import BLUE, LIME, ORANGE, RED, colour, is_filled, opened
from tests.support.recording_site import running_recording_site
from tests.support.site import BLUE as BLUE_SVG
from tests.support.site import RED as RED_SVG
from tests.support.site import Site, running_site


def data_url(svg: bytes) -> str:
    return "data:image/svg+xml," + urllib.parse.quote(svg)


def page(body: str) -> str:
    return f"<!doctype html><body style='margin:0'>{body}"


@pytest.mark.parametrize("format_", ["png", "jpeg", "webp"])
@pytest.mark.parametrize("size", [(1280, 720), (1, 1), (300, 1000), (16_384, 2), (2, 16_384)])
def test_an_image_has_the_viewports_size(
    engine: Engine, format_: str, size: tuple[int, int]
) -> None:
    width, height = (min(side, 16_383) if format_ == "webp" else side for side in size)
    result = engine.render(
        request_for(engine, page("<h1>Hi</h1>"), width=width, height=height, format=format_)
    )
    assert opened(result.data).size == (result.width, result.height) == (width, height)
    assert result.size == len(result.data)


def test_the_largest_image_allowed_is_made(engine: Engine) -> None:
    request = request_for(engine, page("<h1>Hi</h1>"), width=16_384, height=4_096)
    assert opened(engine.render(request).data).size == (16_384, 4_096)


def test_a_pdf_is_a4_with_backgrounds(engine: Engine) -> None:
    html = "<style>html{background:lime}</style>"
    result = engine.render(request_for(engine, html, format="pdf"))
    document = pypdfium2.PdfDocument(result.data)
    assert len(document) == 1
    assert document[0].get_size() == pytest.approx((595.3, 841.9), abs=1)
    image = document[0].render().to_pil().convert("RGB")
    assert image.getpixel((image.width // 2, image.height // 2)) == LIME


def test_a_pdf_has_the_page_size_that_css_names(engine: Engine) -> None:
    html = "<style>@page{size:100mm 50mm}</style><p>one<p style='break-before:page'>two"
    result = engine.render(request_for(engine, html, format="pdf"))
    document = pypdfium2.PdfDocument(result.data)
    assert len(document) == 2
    assert document[1].get_size() == pytest.approx((283.5, 141.7), abs=1)


def test_scripts_run_before_the_capture(engine: Engine) -> None:
    html = page("<script>onload = () => { document.body.style.background = 'lime' }</script>")
    assert is_filled(engine.render(request_for(engine, html)).data, LIME)


def test_a_page_cannot_disturb_the_farms_own_scripts(engine: Engine) -> None:
    html = page(
        "<script>Promise = undefined; Array.prototype.filter = () => { throw 1 };"
        "document.write = Element.prototype.getBoundingClientRect = undefined;"
        "document.body.style.background = 'lime'</script>"
    )
    assert is_filled(engine.render(request_for(engine, html)).data, LIME)


def test_a_page_that_requires_trusted_types_is_rendered(engine: Engine) -> None:
    policy = "require-trusted-types-for 'script'; trusted-types 'none'"
    html = f'<meta http-equiv=Content-Security-Policy content="{policy}">'
    html += "<style>html { background: lime }</style>"
    assert is_filled(engine.render(request_for(engine, html)).data, LIME)


def test_a_forms_fields_cannot_disturb_them_either(engine: Engine) -> None:
    html = page(
        "<form tabindex=0 style=outline:0><input name=style type=hidden></form><script>"
        "document.forms[0].focus(); document.body.style.background = 'lime'</script>"
    )
    assert is_filled(engine.render(request_for(engine, html)).data, LIME)


def test_wait_for_is_for_what_the_page_does_later(engine: Engine) -> None:
    html = page("<script>setTimeout(() => document.body.style.background = 'lime', 2000)</script>")
    assert not is_filled(engine.render(request_for(engine, html)).data, LIME)
    assert is_filled(engine.render(request_for(engine, html, waitFor=3000)).data, LIME)


def test_html_larger_than_one_message_arrives_whole(engine: Engine) -> None:
    filler = "\N{GRINNING FACE}x" * 1_500_000
    html = page(f"<!--{filler}--><script>document.body.style.background = 'lime'</script>")
    assert is_filled(engine.render(request_for(engine, html)).data, LIME)


def test_an_image_that_loads_slowly_is_waited_for(engine: Engine, site: Site) -> None:
    release = threading.Timer(0.3, site.hold.set)
    release.start()
    result = engine.render(request_for(engine, url=site.url + "/with-slow-image"))
    release.join()
    assert colour(result.data, 20, 20) == RED


def test_a_lazy_image_in_the_viewport_is_waited_for(engine: Engine) -> None:
    html = page(f'<img loading=lazy src="{data_url(RED_SVG)}">')
    assert colour(engine.render(request_for(engine, html)).data, 20, 20) == RED


def test_an_image_that_a_script_adds_on_load_is_waited_for(engine: Engine) -> None:
    html = page(
        f"<script>onload = () => {{ const image = new Image(); image.src = '{data_url(BLUE_SVG)}';"
        "document.body.append(image) }</script>"
    )
    assert colour(engine.render(request_for(engine, html)).data, 20, 20) == BLUE


INPUT = "<input id=i value=Ada style='caret-color:red;font-size:60px'>"


@pytest.mark.parametrize(
    "html",
    [
        page(f"{INPUT}<script>i.focus()</script>"),
        page(f"{INPUT}<script>setTimeout(() => i.focus(), 200)</script>"),
        page(f'<iframe sandbox=allow-scripts srcdoc="{INPUT}<script>i.focus()</script>"></iframe>'),
        "<body id=i contenteditable style='caret-color:red'>Text<script>i.focus()</script>",
    ],
    ids=["at once", "during the wait", "in a frame of another origin", "in an editable body"],
)
def test_the_text_cursor_is_never_in_the_picture(engine: Engine, html: str) -> None:
    picture = opened(engine.render(request_for(engine, html, waitFor=300)).data)
    assert RED not in {colour for _, colour in picture.getcolors(maxcolors=1 << 20) or []}


def test_frames_of_other_sites_are_settled_however_deep(engine: Engine) -> None:
    """Another process draws each; a text cursor shows whether the farm's script ran there."""
    pages = {"/inner": page(f"{INPUT}<script>i.focus()</script>")}
    with running_site("127.0.0.3", pages) as inner, running_site("127.0.0.2", pages) as outer:
        pages["/outer"] = page(f"<iframe src={inner.url}/inner></iframe>")
        html = page(f"<iframe src={outer.url}/outer width=500 height=300></iframe>")
        picture = opened(engine.render(request_for(engine, html, waitFor=300)).data)
    colours = {colour for _, colour in picture.getcolors(maxcolors=1 << 20) or []}
    assert RED not in colours
    assert (0, 0, 0) in colours, "the input's text"


@pytest.mark.dedicated
def test_frames_that_come_and_go_hold_nothing_up(engine: Engine) -> None:
    with running_site("127.0.0.2", {"/frame": page("frame")}) as other:
        script = f"""
            document.body.style.background = 'lime';
            setInterval(() => {{
              document.querySelectorAll('iframe').forEach((frame) => frame.remove());
              for (let n = 0; n < 3; n++)
                document.body.append(Object.assign(document.createElement('iframe'),
                  {{ src: '{other.url}/frame', height: 20 }}));
            }}, 5)
        """
        result = engine.render(request_for(engine, page(f"<script>{script}</script>")))
    assert colour(result.data, 600, 600) == LIME


def test_a_worker_that_never_rests_holds_nothing_up(engine: Engine) -> None:
    worker = "new Worker(URL.createObjectURL(new Blob(['for (;;);'])))"
    html = page(
        f"<iframe></iframe><script>{worker};document.body.style.background = 'lime'</script>"
    )
    assert colour(engine.render(request_for(engine, html)).data, 600, 600) == LIME


@pytest.mark.parametrize("size", [{}, {"width": 900, "height": 700}], ids=["default", "other"])
def test_the_screen_is_as_large_as_the_viewport(engine: Engine, size: dict[str, int]) -> None:
    html = page(
        "<script>if (screen.width === innerWidth && screen.height === innerHeight)"
        " document.body.style.background = 'lime'</script>"
    )
    assert is_filled(engine.render(request_for(engine, html, **size)).data, LIME)


def in_no_world(session: Session, world: int, name: str, *arguments: object) -> Wait:
    return begin_call(session, 9_999, name, *arguments)


@pytest.mark.parametrize("fault", ["throws", "never ran"])
def test_without_the_farms_own_script_there_is_no_picture(
    make_engine: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    engine = make_engine(spare_contexts=0)
    if fault == "throws":
        monkeypatch.setattr(scripts, "_FUNCTION", "function () { throw Error(1) }")
    else:
        monkeypatch.setattr(settling, "begin_call", in_no_world)
    with pytest.raises(InternalError):
        engine.render(request_for(engine, page("x")))


def test_a_broken_image_holds_nothing_up(engine: Engine) -> None:
    html = page("<img src='data:image/png;base64,AAAA'><p style='background:lime'>here")
    assert engine.render(request_for(engine, html)).size > 0


def test_dialogs_hold_nothing_up(engine: Engine) -> None:
    html = page(
        "<script>alert(1); confirm(2); prompt(3);onbeforeunload = () => 'stay';"
        "document.body.style.background = 'lime'</script>"
    )
    assert is_filled(engine.render(request_for(engine, html)).data, LIME)


def test_html_that_goes_elsewhere_is_rendered_there(engine: Engine, site: Site) -> None:
    html = page(f"<script>location = '{site.url}/'</script>")
    result = engine.render(request_for(engine, html, waitFor=500))
    assert colour(result.data, 600, 600) == LIME


@pytest.mark.parametrize(
    "body",
    [
        "<script>onload = () => location.reload()</script>",
        "<script>onload = () => { location.href = location.href }</script>",
        "<meta http-equiv=refresh content=0>",
        "<a id=again href=''></a><script>onload = () => again.click()</script>",
        "<form id=f><input hidden name=a></form><script>location.search || f.submit()</script>",
        "<form method=post></form><script>onload = () => document.forms[0].submit()</script>",
    ],
    ids=["reload", "location", "refresh", "link", "form", "posted-form"],
)
def test_html_that_loads_itself_anew_is_there_again(engine: Engine, body: str) -> None:
    html = f"<!doctype html><body style='background:lime'>{body}"
    assert is_filled(engine.render(request_for(engine, html)).data, LIME)


@pytest.mark.parametrize(
    ("body", "options"),
    [
        (
            "<script>again || setTimeout(() => location.reload(), 500)</script>",
            {"waitForFunction": "again"},
        ),
        (
            "<script>again || document.write('<meta http-equiv=refresh content=1>')</script>",
            {"waitForFunction": "again"},
        ),
        (
            "<script>again || setTimeout(() => navigation.reload(), 500)</script>",
            {"waitForFunction": "again"},
        ),
        (
            "<script>again || setTimeout(() => open(document.URL, '_self'), 500)</script>",
            {"waitForFunction": "again"},
        ),
        ("", {"scripts": ["location.reload()"]}),
        ("<a href=''>Again</a>", {"scripts": ["document.querySelector('a').click()"]}),
        ("", {"onLoad": ["history.go(0)"]}),
        ("<a href=''>Again</a>", {"click": ["a"]}),
        ("<form><button>Again</button></form>", {"click": ["button"]}),
    ],
    ids=[
        "reload",
        "refresh",
        "navigation",
        "open",
        "script",
        "clicking-script",
        "on-load",
        "link",
        "form",
    ],
)
def test_html_that_loads_itself_anew_after_it_has_settled_is_there_again(
    engine: Engine, body: str, options: dict[str, object]
) -> None:
    html = (
        "<!doctype html><style>a, button { opacity: 0 }</style><body style='background: red'>"
        "<script>const again = 'loaded' in sessionStorage; sessionStorage.loaded = 1;"
        f"if (again) document.body.style.background = 'lime'</script>{body}"
    )
    assert is_filled(engine.render(request_for(engine, html, **options)).data, LIME)


#: Red, then green when it has loaded itself anew. Its words do not say that it will.
RELOADS_UNFORESEEN = (
    "<!doctype html><script>"
    "const again = performance.getEntriesByType('navigation')[0].type === 'reload';"
    "document.documentElement.style.background = again ? 'lime' : 'red';"
    "again || setTimeout(() => window['loca' + 'tion']['reload'](), {ms})</script>"
)


@pytest.mark.parametrize(
    "options",
    [
        {"waitForFunction": "again"},
        {"onLoad": ["await new Promise(() => {})"], "waitForFunction": "again"},
        {"format": "pdf", "waitForFunction": "again"},
        {"deterministic": True},
    ],
    ids=["wait", "on-load", "pdf", "deterministic"],
)
def test_html_that_loads_itself_anew_unforeseen_is_there_again(
    engine: Engine, options: dict[str, object]
) -> None:
    html = RELOADS_UNFORESEEN.format(ms=300)
    data = engine.render(request_for(engine, html, **options)).data
    if "format" in options:
        assert pypdfium2.PdfDocument(data)[0].render().to_pil().getpixel((300, 300)) == LIME
    else:
        assert is_filled(data, LIME)


@pytest.mark.parametrize("at_ms", [600, 900, 1100, 1300])
def test_html_that_loads_itself_anew_when_its_time_ends_is_there_again(
    engine: Engine, at_ms: int
) -> None:
    html = RELOADS_UNFORESEEN.format(ms=at_ms)
    options = {"timeout": 3000, "onTimeout": "capture", "waitForFunction": "false"}
    data = engine.render(request_for(engine, html, **options)).data
    assert is_filled(data, LIME) or is_filled(data, RED)


def test_html_whose_new_address_is_too_long_is_there_again(engine: Engine) -> None:
    html = (
        "<!doctype html><body style='background: lime'><script>"
        "if (window['loca' + 'tion'].protocol === 'about:') {"
        "window['loca' + 'tion'].hash = 'x'.repeat(2 ** 21 - 13);"
        "onload = () => window['loca' + 'tion']['reload']() }</script>"
    )
    assert is_filled(engine.render(request_for(engine, html)).data, LIME)


def test_html_that_a_site_leads_back_to_is_there_again(engine: Engine) -> None:
    leads_back = "<script>setTimeout(() => { location = 'about:blank' }, 20)</script>"
    with running_recording_site(pages={"/": leads_back}) as site:
        html = (
            "<!doctype html><body style='background: lime'><script>location.protocol === 'about:' "
            f"&& (location = '{site.url}/')</script>"
        )
        assert is_filled(engine.render(request_for(engine, html)).data, LIME)


@pytest.mark.parametrize("wait_until", ["load", "settled", "networkidle"])
@pytest.mark.parametrize("ms", [20, 35, 50, 65])
def test_html_that_loads_itself_anew_while_it_is_captured_is_not_white(
    engine: Engine, ms: int, wait_until: str
) -> None:
    html = RELOADS_UNFORESEEN.format(ms=ms)
    data = engine.render(request_for(engine, html, waitUntil=wait_until)).data
    assert is_filled(data, LIME) or is_filled(data, RED)


@pytest.mark.parametrize(
    ("body", "options"),
    [
        ("<a href=other.html>Other</a>", {"click": ["a"]}),
        ("<form action=/search><button>Search</button></form>", {"click": ["button"]}),
        ("<script>setTimeout(() => { location = 'other.html' }, 100)</script>", {"waitFor": 500}),
        ("", {"scripts": ["history.pushState(0, '', '/other'); location.reload()"]}),
        ("<img src=logo.png alt=''><iframe hidden src=/a></iframe>", {"click": ["#none"]}),
    ],
    ids=["link", "form", "script", "reload", "resources"],
)
def test_html_that_leads_nowhere_keeps_its_picture(
    engine: Engine, body: str, options: dict[str, object]
) -> None:
    options = {"failOn": {"resourceError": True}, **options}
    html = (
        "<!doctype html><!-- location --><style>a, button { opacity: 0 }</style>"
        f"<body style='background: lime'>{body}"
    )
    assert is_filled(engine.render(request_for(engine, html, **options)).data, LIME)


def test_html_without_scripts_has_no_address_whatever_its_words(
    engine: Engine, sent: list[tuple[str, object]]
) -> None:
    engine.render(request_for(engine, "<p>Location, history: click (submit)", waitFor=1))
    assert "Page.navigate" not in [command for command, _ in sent]


@pytest.mark.parametrize("options", [{}, {"baseUrl": "http://127.0.0.2/"}])
@pytest.mark.parametrize(
    "script", ["close()", "onload = () => { print(); window.close() }", "self.close()"]
)
def test_a_page_that_closes_itself_is_rendered_as_by_its_url(
    engine: Engine, script: str, options: dict[str, str]
) -> None:
    html = page(f"<body bgcolor=lime><script>{script}</script>")
    body = json.dumps({"html": html, **options}).encode()
    request = RenderRequest.parse(body, ("html",), engine.limits)
    assert is_filled(engine.render(request).data, LIME)


def test_a_url_is_rendered(engine: Engine, site: Site) -> None:
    result = engine.render(request_for(engine, url=site.url))
    assert colour(result.data, 600, 600) == LIME


def test_a_redirect_is_followed(engine: Engine, site: Site) -> None:
    result = engine.render(request_for(engine, url=site.url + "/redirect"))
    assert colour(result.data, 600, 600) == LIME


def test_an_error_with_a_page_is_rendered_as_that_page(engine: Engine, site: Site) -> None:
    result = engine.render(request_for(engine, url=site.url + "/missing"))
    assert colour(result.data, 600, 600) == ORANGE


def test_an_image_is_a_page_too(engine: Engine, site: Site) -> None:
    result = engine.render(request_for(engine, url=site.url + "/red.svg"))
    assert colour(result.data, 20, 20) == RED


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/no-content", "not a page"),
        ("/download", "download"),
        ("/redirect-for-ever", "redirects without an end"),
        ("/garbage", "not HTTP"),
        ("/hang-up", "sent no answer"),
    ],
)
def test_an_answer_that_is_no_page_is_an_error(
    engine: Engine, site: Site, path: str, says: str
) -> None:
    with pytest.raises(NavigationFailed, match=says):
        engine.render(request_for(engine, url=site.url + path))


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://127.0.0.1:1025/", "refused the connection"),
        ("http://127.0.0.1:9/", "refuse its port"),
        ("http://no-such-host.invalid/", "not known"),
    ],
)
def test_a_url_that_cannot_be_reached_is_an_error(engine: Engine, url: str, says: str) -> None:
    with pytest.raises(NavigationFailed, match=says):
        engine.render(request_for(engine, url=url))


def test_tls_without_a_valid_certificate_is_an_error(engine: Engine, site: Site) -> None:
    with pytest.raises(NavigationFailed, match="TLS"):
        engine.render(request_for(engine, url=site.url.replace("http:", "https:")))


def test_no_render_sees_the_cookies_of_another(engine: Engine, site: Site) -> None:
    engine.render(request_for(engine, url=site.url + "/set-cookie"))
    engine.render(request_for(engine, url=site.url + "/"))
    assert ("/", "") in site.requests


def test_no_render_sees_the_storage_or_the_cache_of_another(engine: Engine, site: Site) -> None:
    for _ in range(2):
        engine.render(request_for(engine, url=site.url + "/red.svg"))
    assert [path for path, _ in site.requests].count("/red.svg") == 2


def test_every_step_is_timed(engine: Engine) -> None:
    timings = engine.render(request_for(engine, page("x"), waitFor=100)).timings
    assert timings.settling_ms >= 100
    assert min(timings.waiting_ms, timings.loading_ms, timings.capturing_ms) > 0


@pytest.mark.one_in(3)
@pytest.mark.parametrize("loads", ["", "fetch('{url}/slow')", "new Worker('{url}/slow')"])
@pytest.mark.parametrize(
    "ends", ["worker.terminate()", "setTimeout(() => worker.terminate(), 200)"]
)
def test_an_ended_worker_is_not_waited_for(engine: Engine, loads: str, ends: str) -> None:
    with running_site() as site:
        code = loads.format(url=site.url)
        script = f"const worker = new Worker(URL.createObjectURL(new Blob([`{code}`]))); {ends}"
        request = request_for(engine, page(f"<script>{script}</script>"))
        assert engine.render(request).unfinished == ()


def test_a_worker_that_ends_before_it_begins_is_not_waited_for_until_the_limit(
    make_engine: Callable[..., Engine],
) -> None:
    engine = make_engine(settle_max_s=600, render_deadline_s=600)
    with running_site() as site:
        code = f"new Worker('{site.url}/worker.js?to=/').terminate()"
        site.pages["/page"] = page(f"<script>{code}</script>")
        assert engine.render(request_for(engine, url=site.url + "/page")).unfinished == ()


@pytest.mark.parametrize("more", ["", " as=script"])
def test_what_is_loaded_for_a_later_page_is_not_waited_for(engine: Engine, more: str) -> None:
    with running_site() as site:
        site.pages["/page"] = page(f"<link rel=prefetch href=/slow{more}>")
        assert engine.render(request_for(engine, url=site.url + "/page")).unfinished == ()


@pytest.mark.parametrize("element", ["<div id=hidden>", "<img name=hidden>", "<i id=farm>"])
def test_an_elements_name_disturbs_no_function_of_the_farms(engine: Engine, element: str) -> None:
    html = page(element + "<input autofocus style='position:fixed;top:-99px'>")
    html += "<style>html { background: lime }</style>"
    assert is_filled(engine.render(request_for(engine, html)).data, LIME)
