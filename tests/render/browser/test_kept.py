"""Contexts that are used again (`FARM_ISOLATION=key`): what is left in them, and when they go."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from urllib.parse import unquote

import psutil
import pypdfium2
import pytest

from farm.errors import FarmError, OutputTooLarge
from farm.render import Engine
from tests.conftest import request_for
from tests.render.kept import is_renewed, render
from tests.support.farm_process import command_line, wait_until
from tests.support.images import LIME, is_filled, opened
from tests.support.site import Site

MakeEngine = Callable[..., Engine]


def renderers(engine: Engine) -> set[int]:
    browser = psutil.Process(engine.chromium_pid)
    return {
        child.pid
        for child in browser.children(recursive=True)
        if "--type=renderer" in command_line(child)
    }


def shows_if(expression: str) -> str:
    """A page that is green if so."""
    return (
        "<!doctype html><body><script>let found; try { found = "
        f"({expression}) }} catch (error) {{ found = false }}"
        "document.body.style.background = found ? 'lime' : 'red'</script>"
    )


#: A script of a first page, and what a second one finds if nothing of it is left.
LEFT = {
    "globals": (
        (
            "var left = 1; window.left2 = 1; Object.prototype.left = 1; Array.prototype.map = null;"
            "document.write = null; window.fetch = null; const Left = class {}"
        ),
        (
            "typeof left === 'undefined' && window.left2 === undefined && !({}).left && "
            "[1].map((x) => x)[0] === 1 && typeof document.write === 'function' && "
            "typeof fetch === 'function' && typeof Left === 'undefined'"
        ),
    ),
    "the window's name": ("name = 'left'", "name === ''"),
    "history": (
        "history.pushState({left: 1}, '', '#left'); location.hash = 'more'",
        "history.length === 1 && history.state === null && location.href === 'about:blank'",
    ),
    "scroll": (
        "document.body.style.height = '9000px'; scrollTo(0, 5000)",
        "document.body.style.height = '9000px', scrollY === 0",
    ),
    "focus": (
        "document.body.innerHTML = '<input id=left>'; document.getElementById('left').focus()",
        "document.activeElement === document.body && document.hasFocus()",
    ),
    "selection": (
        "document.body.innerHTML = 'left'; getSelection().selectAllChildren(document.body)",
        "getSelection().rangeCount === 0",
    ),
    "fonts": (
        "document.fonts.add(new FontFace('left', 'local(\"Arial\")'))",
        "document.fonts.size === 0 && document.fonts.status === 'loaded'",
    ),
    "styles": (
        (
            "document.adoptedStyleSheets = [new CSSStyleSheet()];"
            "CSS.registerProperty("
            "{name: '--left', syntax: '*', inherits: true, initialValue: '1'});"
            "document.body.append(document.createElement('style'))"
        ),
        (
            "document.adoptedStyleSheets.length === 0 && document.styleSheets.length === 0 && "
            "getComputedStyle(document.body).getPropertyValue('--left') === ''"
        ),
    ),
    "elements and listeners": (
        (
            "customElements.define('x-left', class extends HTMLElement {});"
            "document.title = 'left'; addEventListener('load', () => { name = 'left' })"
        ),
        (
            "customElements.get('x-left') === undefined && document.title === '' && "
            "document.querySelectorAll('body > *').length === 1"
        ),
    ),
    "zoom": (
        (
            "document.documentElement.style.zoom = 3;"
            "document.head.innerHTML = '<meta name=viewport content=\"initial-scale=3\">'"
        ),
        (
            "visualViewport.scale === 1 && devicePixelRatio === 1 && innerWidth === 1280 && "
            "outerWidth === 1280 && screen.width === 1280"
        ),
    ),
    "media": (
        (
            "navigator.mediaSession.playbackState = 'playing'; window.sound = new AudioContext();"
            "navigator.mediaSession.metadata = new MediaMetadata({title: 'left'});"
            "document.body.append(Object.assign(document.createElement('video'), {muted: true}))"
        ),
        (
            "navigator.mediaSession.playbackState === 'none' && "
            "navigator.mediaSession.metadata === null && document.querySelector('video') === null"
        ),
    ),
    "what was measured": (
        "performance.mark('left'); performance.setResourceTimingBufferSize(0)",
        "performance.getEntriesByType('mark').length === 0",
    ),
    "frames": (
        "document.body.innerHTML = '<iframe name=left srcdoc=left></iframe>'",
        "window.length === 0 && window.left === undefined && window.opener === null",
    ),
    "timers": (
        (
            "setInterval(() => { name = 'left'; document.title = 'left'; window.left = 1 });"
            "const again = () => { name = 'left'; requestAnimationFrame(again) }; again();"
            "const turn = async () => { for (let n = 0; n < 1e4; n++) await 0; setTimeout(turn) };"
            "turn()"
        ),
        "name === '' && window.left === undefined",
    ),
    "what is done when it goes": (
        (
            "onpagehide = onunload = onbeforeunload = document.onvisibilitychange = () => {"
            "name = 'left'; history.pushState(1, '', '#left'); window.left = 1 }"
        ),
        "name === '' && history.length === 1 && window.left === undefined",
    ),
}


@pytest.mark.one_in(3)
@pytest.mark.parametrize("what", LEFT)
def test_nothing_that_a_page_left_is_there_for_the_next(kept_engine: Engine, what: str) -> None:
    leave, is_not_left = LEFT[what]
    before = kept_engine.status.context_ends
    for _ in range(2):
        render(kept_engine, f"<!doctype html><body><script>{leave}</script>", caller="same")
        found = render(kept_engine, shows_if(is_not_left), caller="same", waitFor=50)
        assert is_filled(found, LIME)
    assert kept_engine.status.context_ends == before, "all of it was one context"


#: What cannot be undone, or not always: Chromium's process for the page is told of a new history
#: early enough, or not. The context is given up where it stays.
LEFT_FOR_GOOD = {
    "history by an address alone": (
        "location.hash = 'left'",
        "history.length === 1 && location.href === 'about:blank'",
    ),
    "history by a blob": (
        "location = URL.createObjectURL(new Blob(['x'], { type: 'text/html' }))",
        "history.length === 1 && location.href === 'about:blank'",
    ),
    "the window's place and size": (
        "resizeTo(500, 400); moveTo(33, 44); onpagehide = () => resizeTo(510, 410)",
        "innerWidth === 1280 && innerHeight === 720 && outerWidth === 1280 && screenX !== 33",
    ),
}


@pytest.mark.parametrize("what", LEFT_FOR_GOOD)
def test_a_context_in_which_something_stays_is_not_used_again(
    kept_engine: Engine, what: str
) -> None:
    leave, is_not_left = LEFT_FOR_GOOD[what]
    page = f"<!doctype html><body><script>{leave}</script>"
    render(kept_engine, page, caller="same", waitFor=60)
    found = render(kept_engine, shows_if(is_not_left), caller="same")
    assert is_filled(found, LIME)
    assert opened(found).size == (1280, 720)


LEAVES_NOTHING = {
    "styles": ["body { color: red }"],
    "scripts": ["let left = 1; var more = 1; window.left2 = 1"],
    "scroll": "through",
    "hide": ["b"],
    "remove": ["b"],
    "waitForFunction": "document.body",
    "waitForSelector": "b",
    "waitUntil": "networkidle",
    "timeout": 20_000,
    "failOn": {"status": [404], "resourceStatus": [404], "resourceError": True},
}
LEAVES_MORE: dict[str, dict[str, object]] = {
    "click": {"click": ["b"]},
    "pageError": {"failOn": {"pageError": True}},
    "onTimeout": {"onTimeout": "capture", "timeout": 4_000, "waitForSelector": "#never"},
}


def test_most_changes_to_a_page_are_undone_by_a_new_document(kept_engine: Engine) -> None:
    ends = kept_engine.status.context_ends
    is_not_left = "typeof left === 'undefined' && typeof more === 'undefined' && !window.left2"
    for _ in range(2):
        html = "<b>b</b><p style='height:2000px'>"
        render(kept_engine, html, caller="same", **LEAVES_NOTHING)
        found = render(kept_engine, shows_if(is_not_left), caller="same", failOn={"status": [404]})
        assert is_filled(found, LIME)
    assert kept_engine.status.context_ends == ends


@pytest.mark.parametrize("what", LEAVES_MORE)
def test_a_context_with_which_more_was_done_is_not_used_again(
    kept_engine: Engine, what: str
) -> None:
    before = kept_engine.status.context_ends.get("remains", 0)
    render(kept_engine, "<b>b</b>", caller="same", **LEAVES_MORE[what])
    assert kept_engine.status.context_ends["remains"] == before + 1


def test_a_page_that_is_slow_to_go_holds_up_no_other(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("farm.render.browser.renewal._STEP_S", 5.0)
    engine = make_engine(isolation="key", pages_per_browser=1)
    page = "<script>onpagehide = () => { while (true); }</script>"
    engine.render(request_for(engine, page), caller="slow")
    wait_until(lambda: engine.status.rendering == 0 and not is_renewed(engine))
    found = engine.render(request_for(engine, shows_if("true")), caller="other").data
    assert is_filled(found, LIME)
    assert engine.status.context_ends.get("remains", 0) == 0, "the slow one is still at it"


def test_what_is_printed_leaves_a_page_for_the_screen(kept_engine: Engine) -> None:
    ends = kept_engine.status.context_ends
    render(kept_engine, "<h1>printed", caller="same", format="pdf")
    is_screen = "matchMedia('screen').matches && innerWidth === 1280 && innerHeight === 720"
    assert is_filled(render(kept_engine, shows_if(is_screen), caller="same"), LIME)
    assert kept_engine.status.context_ends == ends


def test_a_viewport_is_one_renders(kept_engine: Engine) -> None:
    ends = kept_engine.status.context_ends
    for width, height in [(400, 300), (1280, 720), (1920, 1080), (1, 1), (1280, 720)]:
        sides = f"{width}, {height}"
        is_so = (
            f"'' + [innerWidth, innerHeight] === '' + [{sides}] && "
            f"'' + [outerWidth, outerHeight] === '' + [{sides}] && "
            f"'' + [screen.width, screen.height] === '' + [{sides}]"
        )
        found = render(kept_engine, shows_if(is_so), caller="same", width=width, height=height)
        assert is_filled(found, LIME)
    assert kept_engine.status.context_ends == ends


def test_a_blob_of_the_last_page_cannot_be_read(kept_engine: Engine) -> None:
    ends = kept_engine.status.context_ends
    leave = (
        "<body><script>document.body.append(URL.createObjectURL(new Blob(['<svg/>'],"
        "{type: 'image/svg+xml'})))</script>"
    )
    printed = pypdfium2.PdfDocument(render(kept_engine, leave, caller="same", format="pdf"))
    url = "".join(printed[0].get_textpage().get_text_range().split())
    assert url.startswith("blob:null/")
    look = (
        f"<body><img src='{url}' onload=\"document.body.style.background = 'red'\" "
        "onerror=\"document.body.style.background = 'lime'; this.remove()\">"
    )
    assert is_filled(render(kept_engine, look, caller="same", waitFor=50), LIME)
    assert kept_engine.status.context_ends == ends


#: What a site can leave, and what a later page of it tells the site.
_STORE = """<script type=module>
document.cookie = 'left=1; Max-Age=3600';
localStorage.left = sessionStorage.left = 1;
await (await caches.open('left')).put('/left', new Response('left'));
await new Promise((done) => {
  const opened = indexedDB.open('left', 1);
  opened.onupgradeneeded = () => opened.result.createObjectStore('left');
  opened.onsuccess = done;
});
await navigator.serviceWorker.register('/worker.js');
await navigator.serviceWorker.ready;
await fetch('/stored');
</script>"""
_FIND = """<script type=module>
const found = {
  cookie: document.cookie, local: localStorage.left, session: sessionStorage.left, name,
  caches: await caches.keys(), databases: await indexedDB.databases(),
  workers: (await navigator.serviceWorker.getRegistrations()).length,
};
await fetch('/found?' + JSON.stringify(found));
</script>"""


def test_nothing_that_a_site_stored_is_there_for_the_next(kept_engine: Engine, site: Site) -> None:
    site.pages = {"/store": _STORE, "/find": _FIND}
    remains = kept_engine.status.context_ends.get("remains", 0)

    def told(path: str, tells: str) -> list[str]:
        """What the page told: on a busy machine it may be captured before it has come so far."""
        render(kept_engine, url=site.url + path, caller="site", waitFor=200)
        return [unquote(path) for path, _ in site.requests if path.startswith(tells)]

    wait_until(lambda: bool(told("/store", "/stored")))
    stores = len([path for path, _ in site.requests if path == "/store"])
    assert kept_engine.status.context_ends.get("remains", 0) == remains + stores, (
        "none of the contexts is used again"
    )
    site.requests.clear()
    wait_until(lambda: bool(told("/find", "/found")))
    found = next(unquote(path) for path, _ in site.requests if path.startswith("/found"))
    assert found == '/found?{"cookie":"","name":"","caches":[],"databases":[],"workers":0}'
    assert {cookies for _, cookies in site.requests} == {""}


def test_a_page_that_was_loaded_from_the_network_is_loaded_again(
    kept_engine: Engine, site: Site
) -> None:
    html = f"<body><img src='{site.url}/red.svg'>"
    first = render(kept_engine, html, caller="cache")
    assert render(kept_engine, html, caller="cache") == first
    assert [path for path, _ in site.requests] == ["/red.svg"] * 2


def test_what_goes_on_beside_the_page_ends_with_it(kept_engine: Engine, site: Site) -> None:
    """Requests, sockets and workers: their context is closed."""
    worker = "new Worker(URL.createObjectURL(new Blob(['setInterval(() => 1)'])))"
    request = f"setInterval(() => fetch('{site.url}/', {{mode: 'no-cors'}}), 10)"
    socket = f"new WebSocket('{site.url.replace('http', 'ws')}/')"
    beacon = f"onpagehide = () => navigator.sendBeacon('{site.url}/')"
    for script in (worker, request, socket, beacon):
        ends = kept_engine.status.context_ends.get("remains", 0)
        render(kept_engine, f"<body><script>{script}</script>", caller="beside")
        is_new = "name === '' && history.length === 1"
        assert is_filled(render(kept_engine, shows_if(is_new), caller="beside"), LIME)
        assert kept_engine.status.context_ends.get("remains", 0) == ends + 1, script


@pytest.mark.one_in(4)
@pytest.mark.parametrize(
    "script",
    [
        "onpagehide = () => { while (true); }",
        "setTimeout(() => { while (true); }, 100)",
        "onpagehide = () => { location = 'data:,left' }",
        "setInterval(() => { location = 'http://192.0.2.1/' })",
        "onbeforeunload = (event) => { event.preventDefault(); return 'stay' }",
        "navigation.onnavigate = (event) => { event.preventDefault() }",
        "setInterval(() => location.reload(), 1)",
        "setInterval(() => { location.hash = Math.random() })",
    ],
)
def test_a_page_that_resists_unloading_does_not_affect_the_next_render(
    kept_engine: Engine, script: str
) -> None:
    with suppress(FarmError):
        render(kept_engine, f"<body><script>{script}</script>", caller="stays")
    is_new = "name === '' && history.length === 1 && location.href === 'about:blank'"
    for _ in range(3):
        assert is_filled(render(kept_engine, shows_if(is_new), caller="stays"), LIME)


def test_callers_share_no_process(make_engine: MakeEngine) -> None:
    engine = make_engine(isolation="key", spare_contexts=0)
    render(engine, "a", caller="a")
    of_a = renderers(engine)
    render(engine, "b", caller="b")
    of_b = renderers(engine) - of_a
    assert len(of_a) == len(of_b) == 1
    for caller in "abba":
        render(engine, caller, caller=caller)
    assert renderers(engine) == of_a | of_b, "each has its own still"
    psutil.Process(*of_a).kill()
    wait_until(lambda: renderers(engine) == of_b)
    render(engine, "b", caller="b")
    assert not engine.status.context_ends, "it was not in the process that died"
    render(engine, "a", caller="a")
    assert engine.status.context_ends == {"died": 1}


def test_callers_without_a_key_share_contexts(make_engine: MakeEngine) -> None:
    engine = make_engine(isolation="key", spare_contexts=0)
    for _ in range(3):
        render(engine, "x")
    assert engine.status.kept_contexts == 1


def test_the_context_that_was_unused_longest_makes_room(make_engine: MakeEngine) -> None:
    engine = make_engine(isolation="key", spare_contexts=0, pages_per_browser=2)
    for caller in "abac":
        render(engine, caller, caller=caller)
    assert engine.status.kept_contexts == 2
    wait_until(lambda: engine.status.context_ends == {"room": 1})
    for caller in "aca":
        render(engine, caller, caller=caller)
    assert engine.status.context_ends == {"room": 1}, "it was b's"


def test_no_more_contexts_are_made_than_renders_come_at_once(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there are enough, a render waits for one that is being made ready."""
    monkeypatch.setattr("farm.render.browser.kept._ENOUGH", 0)
    monkeypatch.setattr("farm.render.browser.kept._RENEWAL_S", 30.0)
    engine = make_engine(isolation="key", spare_contexts=0)
    with ThreadPoolExecutor(3) as pool:
        frames = "<iframe srcdoc=x></iframe>"
        list(pool.map(lambda _: engine.render(request_for(engine, frames), caller="a"), range(30)))
    wait_until(lambda: engine.status.rendering == 0 and is_renewed(engine))
    assert engine.status.kept_contexts <= 3
    assert not engine.status.context_ends


def test_a_context_is_replaced_after_so_many_renders(make_engine: MakeEngine) -> None:
    engine = make_engine(isolation="key", spare_contexts=0, context_renders=3)
    for _ in range(7):
        render(engine, "x", caller="a")
    assert engine.status.context_ends == {"renders": 2}
    assert engine.status.kept_contexts == 1


def test_a_context_is_replaced_when_it_is_old(make_engine: MakeEngine) -> None:
    engine = make_engine(isolation="key", spare_contexts=0, context_age_s=0.5)
    render(engine, "x", caller="a")
    wait_until(lambda: engine.status.context_ends == {"age": 1})
    assert engine.status.kept_contexts == 0
    wait_until(lambda: not renderers(engine))


def test_a_context_whose_render_ended_in_an_error_is_replaced(make_engine: MakeEngine) -> None:
    engine = make_engine(isolation="key", spare_contexts=0, max_output_bytes=20_000)
    render(engine, "x", caller="a", width=10, height=10)
    noise = "<canvas id=c width=500 height=500></canvas><script>"
    noise += "const at = c.getContext('2d'); for (let n = 0; n < 9999; n++) at.fillRect("
    noise += "Math.random() * 500, Math.random() * 500, 2, 2)</script>"
    with pytest.raises(OutputTooLarge):
        render(engine, noise, caller="a")
    wait_until(lambda: engine.status.context_ends == {"error": 1})
    assert engine.status.kept_contexts == 0


def test_refusals_of_one_render_are_not_reported_for_the_next(kept_engine: Engine) -> None:
    def refusals(html: str) -> list[str]:
        result = kept_engine.render(request_for(kept_engine, html), caller="refused")
        wait_until(lambda: kept_engine.status.rendering == 0)
        return [refusal.host for refusal in result.refusals]

    assert refusals("<img src='http://10.0.0.1/'>") == ["10.0.0.1"]
    assert refusals("<img src='http://10.0.0.2/'>") == ["10.0.0.2"]
    assert refusals("nothing") == []


def test_features_are_disabled_in_one_list(kept_engine: Engine) -> None:
    """Chromium heeds the last of several only, and Playwright has one of its own."""
    line = command_line(psutil.Process(kept_engine.chromium_pid))
    (disabled,) = [arg for arg in line if arg.startswith("--disable-features=")]
    assert "RenderDocument" in disabled
    assert "MediaRouter" in disabled
