"""Pausing a page's requests: who answers one, and what goes on as ever."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from farm.errors import PageCrashes, UrlRefused
from farm.render import Engine
from farm.render.page import interception, network
from farm.render.page.interception import Handler, Interception, Paused
from farm.render.page.work import Work
from tests.conftest import request_for
from tests.support.allowed_site import running_allowed_site
from tests.support.images import LIME, colour
from tests.support.recording_site import RecordingSite, running_recording_site

ALL = [{"urlPattern": "*"}]


@pytest.fixture
def own() -> Iterator[RecordingSite]:
    with running_recording_site(pages={}) as site:
        yield site


@pytest.fixture
def intercept(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have renders show their requests to handlers."""

    def add(*handlers: tuple[Handler, bool]) -> None:
        def prepare(work: Work) -> None:
            for handler, is_first in handlers:
                work.interception.add(handler, ALL, first=is_first).wait()

        monkeypatch.setattr(network, "prepare", prepare)

    return add


def test_a_plain_render_pauses_nothing(
    engine: Engine, own: RecordingSite, sent: list[tuple[str, Any]]
) -> None:
    engine.render(request_for(engine, url=own.url + "/", headers={}, block={}))
    methods = [method for method, _ in sent]
    assert "Page.navigate" in methods
    assert not [method for method in methods if method.startswith(("Fetch.", "Network.set"))]
    engine.render(request_for(engine, url=own.url + "/", headers={"X-A": "1"}))
    assert "Fetch.enable" in [method for method, _ in sent]


def test_the_first_handler_that_answers_is_the_last_that_is_asked(
    engine: Engine, own: RecordingSite, intercept: Callable[..., None]
) -> None:
    asked: list[tuple[str, str]] = []

    def first(paused: Paused) -> None:
        asked.append(("first", paused.url))
        paused.set_headers({"X-A": "first"})

    def second(paused: Paused) -> None:
        asked.append(("second", paused.url))
        if paused.url.endswith("/made.html"):
            page = b"<body style='background: lime'>"
            paused.fulfil(200, {"Content-Type": "text/html"}, page)

    def third(paused: Paused) -> None:
        asked.append(("third", paused.url))

    own.pages = {"/": "<script>location = '/made.html'</script>"}
    intercept((second, False), (third, False), (first, True))
    result = engine.render(request_for(engine, url=own.url + "/"))
    assert colour(result.data, 600, 600) == LIME
    page, made = own.url + "/", own.url + "/made.html"
    assert asked == [
        *(("first", page), ("second", page), ("third", page)),
        *(("first", made), ("second", made)),
    ]
    assert own.paths() == ["/"]
    assert own.sent[0].headers["X-A"] == "first"


def test_a_page_that_goes_on_for_ever_is_captured_while_requests_are_paused(
    own: RecordingSite, make_engine: Callable[..., Engine]
) -> None:
    # It may be held for that, which pauses requests too, or caught between two of its documents.
    impatient = make_engine(settle_max_s=0.5)
    own.pages = {
        "/": "<body style='background: lime'>"
        "<script>setTimeout(() => location.reload(), 20)</script>"
    }
    request = request_for(impatient, url=own.url + "/", headers={"X-A": "1"})
    result = impatient.render(request)
    assert colour(result.data, 600, 600) == LIME
    assert {each.headers["X-A"] for each in own.sent} == {"1"}


@pytest.mark.parametrize("is_paused", [False, True])
def test_all_of_http_works_while_requests_are_paused(engine: Engine, is_paused: bool) -> None:
    options = {"headers": {"X-A": "1"}, "block": {"urls": ["nothing"]}} if is_paused else {}
    with running_allowed_site(tls=False) as site:
        result = engine.render(request_for(engine, url=site.url, **options))
        assert site.failed == []
        assert colour(result.data, 600, 600) == LIME
        assert result.unfinished == ()


def test_paused_requests_reach_nothing_that_the_policy_refuses(
    engine: Engine, own: RecordingSite
) -> None:
    options = {
        "headers": {"X-A": "1"},
        "auth": {"username": "u", "password": "p"},
        "cookies": [{"name": "a", "value": "1"}, {"name": "b", "value": "2", "domain": "10.0.0.1"}],
        "block": {"urls": ["*/nothing"]},
    }
    own.pages = {"/": "<img src=http://10.0.0.1/a.svg><iframe src=http://[::1]/></iframe>"}
    result = engine.render(request_for(engine, url=own.url + "/", **options))
    assert {refusal.host for refusal in result.refusals} == {"10.0.0.1", "::1"}
    with pytest.raises(UrlRefused):
        engine.render(request_for(engine, url="http://10.0.0.1/", **options))


def test_requests_are_paused_from_the_first_of_a_frame_on(
    engine: Engine, own: RecordingSite
) -> None:
    """Of a frame of another process, or of a worker: none comes before the farm is ready."""
    pages = {
        "/w.js": "fetch('/blocked?worker')",
        "/f": "<img src=/blocked?frame><script>fetch('/blocked?script')</script>",
    }
    with ExitStack() as stack:
        sites = [
            stack.enter_context(running_recording_site(f"127.0.0.{number}", pages))
            for number in range(2, 8)
        ]
        frames = "".join(f"<iframe src={site.url}/f></iframe>" for site in sites)
        workers = "<script>for (let n = 0; n < 5; n++) new Worker('/w.js')</script>"
        own.pages = {"/": frames + workers, **pages}
        block = {"urls": ["*/blocked?*"]}
        result = engine.render(request_for(engine, url=own.url + "/", block=block))
        assert [site.paths() for site in sites] == [["/f"]] * 6
    assert set(own.paths()) == {"/", "/w.js"}
    assert result.facts["blockedRequests"]["count"] == 2 * 6 + 5


def test_a_page_that_makes_far_too_many_requests_is_ended(
    engine: Engine, own: RecordingSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interception, "_MAX_PAUSED", 100)
    own.pages = {"/": "<script>for (let n = 0; n < 200; n++) fetch('/' + n)</script>"}
    with pytest.raises(PageCrashes):
        engine.render(request_for(engine, url=own.url + "/", block={"urls": [own.url + "/*"]}))


def test_interception_that_is_not_used_alters_nothing() -> None:
    class _Page:
        is_altered = False

    page = _Page()
    Interception(page)  # type: ignore[arg-type]
    assert not page.is_altered
