"""HTML and Markdown that have an address, or files."""

import base64
import json

import pytest

from farm.errors import PageCrashes, UrlRefused
from farm.render import Engine
from farm.render.page import interception, loading, serving
from farm.render.page.serving import content_type
from farm.request import HTML, Asset, RenderRequest, RenderResult
from tests.support.images import BLUE, LIME, RED, colour, is_filled
from tests.support.site import BLUE as BLUE_SVG
from tests.support.site import RED as RED_SVG
from tests.support.site import Site, running_site

#: A fixed point of the page shows what the script found: lime is right.
STYLE = "<!doctype html><style>html{background:red}</style>"


def request_of(engine: Engine, **fields: object) -> RenderRequest:
    return RenderRequest.parse(json.dumps(fields).encode(), HTML, engine.limits)


def rendered(engine: Engine, **fields: object) -> RenderResult:
    return engine.render(request_of(engine, **fields))


def page(script: str) -> str:
    """Lime if what the script returns is true."""
    return (
        f"{STYLE}<body><script>(async () => {{ {script} }})().then((found) => {{ if (found) "
        "document.documentElement.style.background = 'lime' })</script>"
    )


def holds(engine: Engine, script: str, **fields: object) -> bool:
    return colour(rendered(engine, html=page(script), **fields).data, 1200, 700) == LIME


# ---- An address


def test_relative_links_are_the_sites_and_the_document_is_not_asked_for(
    engine: Engine, site: Site
) -> None:
    html = "<!doctype html><body style='margin:0'><img src=red.svg>"
    result = rendered(engine, html=html, baseUrl=site.url + "/page?x=1#part")
    assert colour(result.data, 20, 20) == RED
    assert [path for path, _ in site.requests] == ["/red.svg"]


def test_it_is_a_page_of_that_site(engine: Engine, site: Site) -> None:
    script = """
        localStorage.x = 1;
        document.cookie = 'mine=yes; path=/';
        const answer = await fetch('/red.svg');
        const frame = document.createElement('iframe');
        frame.src = '/set-cookie';
        document.body.append(frame);
        await new Promise((done) => { frame.onload = done });
        return answer.ok && location.href === %r && document.cookie === 'mine=yes; seen=yes' &&
          localStorage.x === '1' && frame.contentDocument.body.textContent === 'set' &&
          document.referrer === '' && document.characterSet === 'UTF-8' && isSecureContext
    """
    address = site.url + "/folder/page"
    assert holds(engine, script % address, baseUrl=address)
    assert ("/red.svg", "mine=yes") in site.requests


def test_markdown_has_an_address_too(engine: Engine, site: Site) -> None:
    markdown = "<style>body, main { margin: 0; padding: 0 }</style>\n\n![red](red.svg)"
    result = rendered(engine, markdown=markdown, baseUrl=site.url, options={"width": 300})
    assert colour(result.data, 20, 20) == RED


@pytest.mark.parametrize("path", ["/redirect", "/hang-up", "/slow", "/download"])
def test_what_the_site_answers_there_is_no_matter(engine: Engine, site: Site, path: str) -> None:
    script = f"return location.pathname === '{path}'"
    assert holds(engine, script, baseUrl=site.url + path)
    assert site.requests == []


def test_a_page_that_loads_itself_again_is_the_same(engine: Engine, site: Site) -> None:
    script = """
        if (sessionStorage.again) return true;
        sessionStorage.again = 1;
        location.reload();
    """
    assert holds(engine, script, baseUrl=site.url + "/page")
    assert site.requests == []


def test_a_page_may_go_elsewhere_from_there(engine: Engine, site: Site) -> None:
    result = rendered(engine, html="<script>location = '/'</script>", baseUrl=site.url + "/page")
    assert is_filled(result.data, LIME) or colour(result.data, 600, 600) == LIME


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://10.0.0.1/", "10.0.0.1"),
        ("http://[::1]/", "::1"),
        ("https://a.example:22/", "a.example"),
    ],
)
def test_an_address_that_the_policy_refuses_is_refused(engine: Engine, url: str, host: str) -> None:
    with pytest.raises(UrlRefused, match=f"refuses {host}:"):
        rendered(engine, html="<p>x", baseUrl=url)


def test_an_address_that_nobody_knows_is_none_the_less_one(engine: Engine) -> None:
    url = "https://a.invalid/b"
    script = f"return location.href === '{url}' && isSecureContext"
    assert holds(engine, script, baseUrl=url)


# ---- Files

FILES: dict[str, object] = {
    "css/a.css": "img { outline: 20px solid url(x) } @import 'b.css';",
    "red.svg": RED_SVG.decode(),
    "pictures/blue one.svg": {"base64": base64.b64encode(BLUE_SVG).decode()},
    "data.json": '{"is": "ä"}',
    "frame.html": "<script>parent.postMessage(location.pathname, '*')</script>",
    "worker.js": "fetch('data.json').then((a) => a.json()).then((b) => postMessage(b.is))",
    "module.js": "export const it = 5",
    "odd": {"base64": "AAEC", "contentType": "x/y; z=1"},
}
LOADS = {
    "a picture": (
        "const i = new Image(); i.src = 'red.svg'; await i.decode(); return i.width === 40"
    ),
    "a name with a space": (
        "const i = new Image(); i.src = 'pictures/blue%20one.svg?v=2';await i.decode(); return true"
    ),
    "fetched": "return (await (await fetch('data.json')).json()).is === 'ä'",
    "its type": "return (await fetch('odd')).headers.get('content-type') === 'x/y; z=1'",
    "its bytes": (
        "const b = await (await fetch('odd')).arrayBuffer();"
        "return String(new Uint8Array(b)) === '0,1,2'"
    ),
    "a module": "return (await import('./module.js')).it === 5",
    "a worker": (
        "const w = new Worker('worker.js');"
        "return await new Promise((done) => { w.onmessage = (e) => done(e.data === 'ä') })"
    ),
    "a frame": (
        "const f = document.createElement('iframe'); f.src = 'frame.html'; document.body.append(f);"
        "return await new Promise((done) => { onmessage = (e) => done(/frame.html/.test(e.data)) })"
    ),
    "XHR": (
        "const x = new XMLHttpRequest(); x.open('GET', 'data.json', false); x.send();"
        "return x.status === 200 && x.responseText.includes('ä')"
    ),
}


@pytest.mark.one_in(3)
@pytest.mark.parametrize("script", LOADS.values(), ids=LOADS)
@pytest.mark.parametrize("at", ["its own address", "a site"])
def test_a_page_has_its_files(engine: Engine, site: Site, script: str, at: str) -> None:
    where = {"baseUrl": site.url + "/folder/page.html"} if at == "a site" else {}
    assert holds(engine, script, assets=FILES, **where)
    assert site.requests == []


def test_what_is_no_file_is_the_sites(engine: Engine, site: Site) -> None:
    script = "return (await fetch('/red.svg')).ok && (await fetch('red.svg')).ok"
    assert holds(engine, script, assets={"red.svg": "x"}, baseUrl=site.url + "/folder/")
    assert [path for path, _ in site.requests] == ["/red.svg"]


def test_at_its_own_address_there_is_nothing_else(engine: Engine) -> None:
    script = """
        const failed = (url, init) => fetch(url, init).then(() => false, () => true);
        return await failed('nothing.png') && await failed('a', {method: 'POST'}) &&
          await failed('/')
    """
    result = rendered(engine, html=page(script), assets={"a": "x"})
    assert is_filled(result.data, LIME)
    assert result.refusals == ()


def test_at_its_own_address_it_may_do_all_that_pages_may(engine: Engine, site: Site) -> None:
    script = f"""
        localStorage.x = 1;
        const image = new Image();
        image.src = '{site.url}/red.svg';
        await image.decode();
        return isSecureContext && !!crypto.subtle
    """
    assert holds(engine, script, assets={"a": "x"})


def test_a_picture_of_markdown_is_a_file(engine: Engine) -> None:
    markdown = "<style>body, main { margin: 0; padding: 0 }</style>\n\n![blue](blue.svg)"
    result = rendered(engine, markdown=markdown, assets={"blue.svg": BLUE_SVG.decode()})
    assert colour(result.data, 20, 20) == BLUE


def test_a_frame_of_another_site_has_the_files_by_their_address(engine: Engine, site: Site) -> None:
    with running_site("127.0.0.2") as other:
        other.pages = {
            "/frame": f"<script>const i = new Image(); i.src = '{site.url}/dir/red.svg';"
            "i.decode().then(() => parent.postMessage('seen', '*'))</script>"
        }
        script = f"""
            const frame = document.createElement('iframe');
            frame.src = '{other.url}/frame';
            document.body.append(frame);
            return await new Promise((done) => {{ onmessage = (e) => done(e.data === 'seen') }})
        """
        assets = {"red.svg": RED_SVG.decode()}
        assert holds(engine, script, assets=assets, baseUrl=site.url + "/dir/")
    assert site.requests == []


def test_a_service_worker_of_the_site_is_not_asked(engine: Engine, site: Site) -> None:
    script = """
        await navigator.serviceWorker.register('/service-worker.js');
        await navigator.serviceWorker.ready;
        while (!navigator.serviceWorker.controller)
          await new Promise((done) => { navigator.serviceWorker.oncontrollerchange = done });
        const texts = ['a.txt', '/'].map(async (url) => (await fetch(url)).text());
        const [file, home] = await Promise.all(texts);
        return file === 'mine' && home.includes('home')
    """
    # What a page waits for that is no request is not waited for.
    wait = {"waitFor": 1000}
    assert holds(engine, script, assets={"a.txt": "mine"}, baseUrl=site.url, options=wait)
    assert ("/service-worker.js", "") in site.requests


def test_a_page_that_never_stops_asking_is_ended(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interception, "_MAX_PAUSED", 50)
    script = "for (;;) await fetch('nothing').catch(() => {})"
    with pytest.raises(PageCrashes):
        rendered(engine, html=page(script), assets={"a": "x"})


def test_a_page_has_its_files_again_and_again_but_not_for_ever(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "_MAX_SERVED_BYTES", 5_500)
    script = """
        let times = 0;
        try { for (;;) { await fetch('a'); times++ } } catch { return times === 2 }
    """
    html = page(script).ljust(1_000)
    result = rendered(engine, html=html, assets={"a": "x" * 2_000})
    assert colour(result.data, 1200, 700) == LIME


def test_a_large_file_arrives_whole(engine: Engine) -> None:
    script = "return (await (await fetch('large')).arrayBuffer()).byteLength === 15_000_000"
    assert holds(engine, script, assets={"large": {"base64": "AAAA" * 5_000_000}})


@pytest.mark.parametrize(
    ("name", "asset", "type_"),
    [
        ("a.css", "", "text/css; charset=utf-8"),
        ("a.js", "", "text/javascript; charset=utf-8"),
        ("a.svg", "", "image/svg+xml; charset=utf-8"),
        ("a.svg", b"", "image/svg+xml"),
        ("a.html", b"", "text/html; charset=utf-8"),
        ("A.PNG", b"", "image/png"),
        ("a.woff2", b"", "font/woff2"),
        ("a.json", "", "application/json; charset=utf-8"),
        ("a.css.gz", b"", "application/octet-stream"),
        ("a", b"", "application/octet-stream"),
        ("a", "", "text/plain; charset=utf-8"),
    ],
)
def test_a_content_type_is_guessed_from_the_name(name: str, asset: str | bytes, type_: str) -> None:
    made = Asset.model_validate({"base64": ""}) if isinstance(asset, bytes) else asset
    assert content_type(name, made) == type_


# ---- What is not asked for


def test_plain_html_is_written_as_ever(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "Serving", None)
    assert holds(engine, "return location.href === 'about:blank'")


def test_a_context_whose_page_had_an_address_is_not_used_again(kept_engine: Engine) -> None:
    before = kept_engine.status.context_ends.get("remains", 0)
    rendered(kept_engine, html="<p>x", assets={"a": "b"})
    rendered(kept_engine, html="<p>x")
    assert kept_engine.status.context_ends["remains"] == before + 1
