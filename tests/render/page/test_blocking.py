"""What a page does not load: no request for it reaches a site, and the answer tells of it."""

from collections.abc import Iterator

import pytest

from farm.render import Engine
from farm.render.page.blocking import _escaped, _fits
from tests.conftest import request_for
from tests.support.images import LIME, colour
from tests.support.recording_site import RecordingSite, running_recording_site


@pytest.fixture
def own() -> Iterator[RecordingSite]:
    with running_recording_site(pages={}) as site:
        yield site


@pytest.fixture
def other() -> Iterator[RecordingSite]:
    with running_recording_site("127.0.0.2", pages={}) as site:
        yield site


KINDS = {
    "image": {"/a.svg", "/frame.svg"},
    "media": {"/a.mp4", "/a.vtt"},
    "font": {"/a.woff2"},
    "stylesheet": {"/a.css"},
    "script": {"/a.js"},
    "xhr": {"/xhr.txt", "/fetch.txt", "/worker.txt"},
    "fetch": {"/xhr.txt", "/fetch.txt", "/worker.txt"},
    "websocket": {"/socket", "/worker-socket", "/frame-socket"},
    "other": {"/beacon.txt", "/events.txt", "/prefetched.txt", "/worker.js"},
}


def fill(own: RecordingSite, other: RecordingSite) -> None:
    socket = own.url.replace("http:", "ws:")
    own.pages = {
        "/": f"""<link rel=stylesheet href=/a.css><link rel=prefetch href=/prefetched.txt>
            <style>@font-face {{font-family: a; src: url(/a.woff2)}} p {{font-family: a}}</style>
            <p>text<img src=/a.svg><video src=/a.mp4><track default src=/a.vtt></video>
            <iframe src={other.url}/frame></iframe><script src=/a.js></script><script>
              fetch('/fetch.txt');
              navigator.sendBeacon('/beacon.txt');
              new EventSource('/events.txt');
              const request = new XMLHttpRequest();
              request.open('GET', '/xhr.txt');
              request.send();
              const code = `fetch('{own.url}/worker.txt'); new WebSocket('{socket}/worker-socket')`;
              new Worker(URL.createObjectURL(new Blob([code])));
              new Worker('/worker.js');
              new WebSocket('{socket}/socket');
            </script>"""
    }
    other.pages = {
        "/frame": f"<img src=/frame.svg><script>new WebSocket('{socket}/frame-socket')</script>"
    }


@pytest.mark.one_in(3)
@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_of_requests_is_not_sent(
    engine: Engine, own: RecordingSite, other: RecordingSite, kind: str
) -> None:
    fill(own, other)
    result = engine.render(request_for(engine, url=own.url + "/", block={"resources": [kind]}))
    asked_for = {*own.paths(), *other.paths()}
    assert not asked_for & KINDS[kind]
    # The picture may be taken before all that is not waited for has come.
    kinds = set(KINDS) - {kind, "other", "media", "websocket"}
    others = {path for each in kinds for path in KINDS[each]} - KINDS[kind]
    assert asked_for >= others | {"/", "/frame"}
    assert result.unfinished == ()
    assert result.facts["blockedRequests"]["count"] >= 1


def test_blocked_requests_are_reported(
    engine: Engine, own: RecordingSite, other: RecordingSite
) -> None:
    fill(own, other)
    result = engine.render(request_for(engine, url=own.url + "/", block={"resources": ["image"]}))
    blocked = result.facts["blockedRequests"]
    assert blocked["count"] == 2
    assert set(blocked["urls"]) == {own.url + "/a.svg", other.url + "/frame.svg"}
    assert result.refusals == ()


def test_urls_are_blocked_by_patterns(
    engine: Engine, own: RecordingSite, other: RecordingSite
) -> None:
    fill(own, other)
    block = {"urls": ["*.svg", own.url + "/xhr.txt", "*worker*", "*://127.0.0.2*/frame"]}
    result = engine.render(request_for(engine, url=own.url + "/", block=block))
    assert other.sent == []
    assert not {"/a.svg", "/xhr.txt", "/worker.txt"} & set(own.paths())
    assert "/a.js" in own.paths()
    assert result.unfinished == ()


def test_a_redirect_to_what_is_blocked_goes_no_further(
    engine: Engine, own: RecordingSite, other: RecordingSite
) -> None:
    own.pages = {"/": f"<img src='/redirect?to={other.url}/a.svg'>"}
    engine.render(request_for(engine, url=own.url + "/", block={"urls": [other.url + "/*"]}))
    assert len(own.sent) == 2
    assert other.sent == []


def test_the_page_itself_is_loaded_whatever_is_blocked(engine: Engine, own: RecordingSite) -> None:
    own.pages = {
        "/": "<script>location = '/next'</script>",
        "/next": "<body style='background: lime'><img src=/a.svg>",
    }
    result = engine.render(request_for(engine, url=own.url + "/", block={"urls": ["*"]}))
    assert colour(result.data, 600, 600) == LIME
    assert own.paths() == ["/", "/next"]


def test_a_blocked_frame_stays_empty(
    engine: Engine, own: RecordingSite, other: RecordingSite
) -> None:
    own.pages = {
        "/": f"""<body style="margin: 0; background: lime">
            <iframe src={other.url}/frame style="border: 0; width: 100vw; height: 100vh">"""
    }
    other.pages = {"/frame": "<body style='background: red'>"}
    result = engine.render(request_for(engine, url=own.url + "/", block={"urls": ["*/frame"]}))
    assert colour(result.data, 600, 600) == LIME
    assert other.sent == []


def test_html_is_blocked_for_too(engine: Engine, other: RecordingSite) -> None:
    html = f"<body style='background: lime'><img src={other.url}/a.svg><img src={other.url}/b.svg>"
    result = engine.render(request_for(engine, html, block={"urls": ["*/a.svg"]}))
    assert other.paths() == ["/b.svg"]
    assert result.facts["blockedRequests"] == {"count": 1, "urls": [other.url + "/a.svg"]}


def test_nothing_is_reported_if_nothing_is_blocked(engine: Engine) -> None:
    assert "blockedRequests" not in engine.render(request_for(engine, "x")).facts


@pytest.mark.parametrize(
    ("pattern", "url", "fits"),
    [
        ("http://a/b", "http://a/b", True),
        ("http://a/b", "http://a/bc", False),
        ("*", "http://a/", True),
        ("http://a/*", "http://a/b?c", True),
        ("*b?c", "http://a/b?c", True),
        ("*b?c", "http://a/bxc", False),
        ("*aa*aa", "xaaa", False),
        ("*aa*aa", "xaaaa", True),
        ("*://*.ads.*/*", "https://x.ads.y/z", True),
        ("a*a", "a", False),
    ],
)
def test_a_star_is_any_text_and_nothing_else_is(pattern: str, url: str, fits: bool) -> None:
    assert _fits(url, pattern.split("*")) is fits


def test_chromium_reads_the_rest_of_a_pattern_as_it_is() -> None:
    assert _escaped("a?b\\*") == "a\\?b\\\\*"
