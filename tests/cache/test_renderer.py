"""What is kept, for whom, and for how long, over a real engine and a real server."""

import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from farm.errors import Busy, NavigationFailed
from farm.render import Engine
from farm.render.rendering import Rendering
from farm.renderer import EngineStatus, Renderer
from farm.request import RenderRequest, RenderResult
from tests.cache.conftest import MakeRenderer, Server
from tests.cache.outcomes import HTML, outcomes, request, use
from tests.support.farm_process import wait_until
from tests.support.site import Site


def test_the_second_answer_is_the_first_ones_file(make_renderer: MakeRenderer, site: Site) -> None:
    renderer = make_renderer()
    asked = request(renderer, url=site.url)
    first, second = renderer.render(asked), renderer.render(asked)
    assert (use(first).outcome, use(second).outcome) == ("miss", "hit")
    assert first.data == second.data
    assert first.base64 == second.base64
    assert (first.width, first.height, first.format) == (second.width, second.height, second.format)
    assert use(first).tag == use(second).tag
    assert len(site.requests) == 1


def test_another_process_finds_it_too(make_renderer: MakeRenderer) -> None:
    one, other = make_renderer(), make_renderer()
    assert outcomes(one, request(one)) == ["miss"]
    assert outcomes(other, request(other)) == ["hit"]


@pytest.mark.parametrize("ttl", [None, 0])
def test_what_does_not_ask_is_rendered_and_not_kept(
    make_renderer: MakeRenderer, server: Server, ttl: int | None
) -> None:
    renderer = make_renderer()
    assert renderer.render(request(renderer, ttl=ttl)).cache is None
    assert not server.client.keys()


def test_the_farms_default_is_for_what_says_nothing(make_renderer: MakeRenderer) -> None:
    renderer = make_renderer(cache_ttl_s=60)
    asked = request(renderer, ttl=None)
    assert outcomes(renderer, asked, asked) == ["miss", "hit"]
    assert renderer.render(request(renderer, ttl=0)).cache is None


def test_it_expires_by_the_servers_clock(make_renderer: MakeRenderer, server: Server) -> None:
    renderer = make_renderer()
    renderer.render(request(renderer, ttl=604_800))
    (key,) = server.client.keys("render-farm:file:*")
    left_ms = server.client.pttl(key)
    assert 604_000_000 < left_ms <= 604_800_000
    server.client.pexpire(key, left_ms - 90_000)  # as it will be 90 s from now
    found = renderer.render(request(renderer, ttl=604_800))
    assert (use(found).outcome, 90 <= use(found).age_s <= 100) == ("hit", True)


def test_a_file_that_is_too_old_for_a_request_is_rendered_anew_and_kept_as_long_as_before(
    make_renderer: MakeRenderer, server: Server
) -> None:
    renderer = make_renderer()
    renderer.render(request(renderer, ttl=3600))
    (key,) = server.client.keys("render-farm:file:*")
    server.client.pexpire(key, 3_500_000)  # it is 100 s old
    assert outcomes(renderer, request(renderer, ttl=10)) == ["miss"]
    assert server.client.pttl(key) > 3_400_000
    assert outcomes(renderer, request(renderer, ttl=10)) == ["hit"]


def test_anew_is_rendered_anew_and_kept(make_renderer: MakeRenderer, site: Site) -> None:
    renderer = make_renderer()
    asked = request(renderer, url=site.url)
    for anew in (False, True, True):
        assert use(renderer.render(asked, anew=anew)).outcome == "miss"
    assert outcomes(renderer, asked) == ["hit"]
    assert len(site.requests) == 3


class Changing(Renderer[Rendering]):
    """An engine for which the page of a request is another one each time."""

    def __init__(self, engine: Engine, *pages: str) -> None:
        self.limits, self.chromium_version = engine.limits, engine.chromium_version
        self._engine = engine
        self._pages = list(pages)
        self.begun: list[Rendering] = []
        #: Until it is set, the first render does not end.
        self.first_may_end = threading.Event()

    @property
    def status(self) -> EngineStatus:
        return self._engine.status

    def admit(self, caller: str | None = None) -> None:
        self._engine.admit(caller)

    def check(self) -> None:
        self._engine.check()

    def cancel(self, rendering: Rendering) -> None:
        self._engine.cancel(rendering)

    def begin(self, request: RenderRequest, *others: Any, **more: Any) -> Rendering:
        page = request.model_copy(update={"html": self._pages.pop(0)})
        self.begun.append(self._engine.begin(page, *others, **more))
        return self.begun[-1]

    def wait(self, rendering: Rendering) -> RenderResult:
        if rendering is self.begun[0]:
            assert self.first_may_end.wait(60)
        return self._engine.wait(rendering)


def test_what_was_under_way_before_does_not_replace_what_was_rendered_anew(
    make_renderer: MakeRenderer, engine: Engine
) -> None:
    inner = Changing(engine, "<p>old", "<p>new")
    renderer, other = make_renderer(inner=inner), make_renderer(inner=inner)
    asked = request(renderer)
    with ThreadPoolExecutor(1) as pool:
        old = pool.submit(renderer.render, asked)
        wait_until(lambda: len(inner.begun) == 1)
        new = renderer.render(asked, anew=True)
        assert renderer.render(asked).data == new.data
        inner.first_may_end.set()
        assert old.result().data != new.data
    for each in (renderer, other):
        found = each.render(asked)
        assert (use(found).outcome, found.data) == ("hit", new.data)


def test_what_was_rendered_anew_and_is_not_kept_leaves_nothing_older(
    make_renderer: MakeRenderer, engine: Engine, server: Server
) -> None:
    large = "<body style='background:repeating-conic-gradient(red, blue 1%, lime 3%)'>" + "x" * 99
    inner = Changing(engine, "<p>", large, "<p>")
    inner.first_may_end.set()
    size = engine.render(request(make_renderer(), html="<p>")).size
    renderer = make_renderer(inner=inner, cache_max_file_bytes=size, recent_s=60)
    asked = request(renderer)
    assert outcomes(renderer, asked) == ["miss"]
    assert renderer.render(asked, anew=True).size > size
    assert not server.client.keys("render-farm:file:*")
    assert outcomes(renderer, asked) == ["miss"]


@pytest.mark.parametrize(
    ("query", "outcome"), [("?unknown=1", "off"), ("?decode_responses=true", "hit")]
)
def test_what_the_servers_url_says_beside_breaks_no_answer(
    make_renderer: MakeRenderer, server: Server, query: str, outcome: str
) -> None:
    server.url += query
    renderer = make_renderer()
    asked = request(renderer)
    assert outcomes(renderer, asked, asked)[1] == outcome


def test_before_anybody_knows_what_renders_nothing_is_kept_and_the_answer_says_so(
    make_renderer: MakeRenderer, engine: Engine
) -> None:
    inner = Changing(engine, HTML, HTML)
    inner.first_may_end.set()
    inner.chromium_version = None
    renderer = make_renderer(inner=inner)
    assert outcomes(renderer, request(renderer)) == ["off"]
    assert renderer.render(request(renderer, ttl=None)).cache is None


def test_a_caller_never_gets_what_was_rendered_for_another(make_renderer: MakeRenderer) -> None:
    renderer = make_renderer()
    asked = request(renderer)
    found = [use(renderer.render(asked, "", caller)).outcome for caller in ("a", "b", None, "a")]
    assert found == ["miss", "miss", "miss", "hit"]


def test_unless_the_operator_says_so(make_renderer: MakeRenderer) -> None:
    renderer = make_renderer(cache_shared="on")
    asked = request(renderer)
    assert [use(renderer.render(asked, "", who)).outcome for who in ("a", "b")] == ["miss", "hit"]


def test_errors_are_not_kept(make_renderer: MakeRenderer, server: Server, site: Site) -> None:
    renderer = make_renderer()
    for _ in range(2):
        with pytest.raises(NavigationFailed):
            renderer.render(request(renderer, url=site.url + "/hang-up"))
    assert not server.client.keys("render-farm:file:*")
    assert not server.client.keys("render-farm:lock:*")


def test_a_sites_error_page_is_not_kept(make_renderer: MakeRenderer, site: Site) -> None:
    renderer = make_renderer()
    asked = request(renderer, url=site.url + "/missing")
    assert outcomes(renderer, asked, asked) == ["miss", "miss"]


def test_an_unfinished_page_is_not_kept(make_renderer: MakeRenderer, site: Site) -> None:
    renderer = make_renderer()
    asked = request(renderer, url=site.url + "/with-slow-image")
    first = renderer.render(asked)
    assert first.unfinished
    site.hold.set()
    assert outcomes(renderer, asked, asked) == ["miss", "hit"]


def test_what_the_policy_refuses_for_good_is_kept_with_its_refusals(
    make_renderer: MakeRenderer,
) -> None:
    renderer = make_renderer()
    asked = request(renderer, html="<img src=http://10.0.0.1:1100/>")
    first, second = renderer.render(asked), renderer.render(asked)
    assert use(second).outcome == "hit"
    assert first.refusals
    assert second.blocked == first.blocked


def test_a_file_that_is_too_large_is_not_kept(make_renderer: MakeRenderer, server: Server) -> None:
    size = make_renderer().render(request(make_renderer(), html="<p>size")).size
    kept, passed = (make_renderer(cache_max_file_bytes=bound) for bound in (size, size - 1))
    server.client.flushall()
    asked = request(passed, html="<p>size")
    assert outcomes(passed, asked, asked) == ["miss", "miss"]
    assert outcomes(kept, asked, asked) == ["miss", "hit"]


@pytest.mark.parametrize("garbage", [b"", b"garbage", b"farm-cache 1 {}\n", "cut"])
def test_a_value_that_is_not_right_is_a_miss_and_replaced(
    make_renderer: MakeRenderer, server: Server, garbage: bytes | str
) -> None:
    renderer = make_renderer()
    renderer.render(request(renderer))
    (key,) = server.client.keys("render-farm:file:*")
    value = server.client.get(key)
    assert value is not None
    server.client.set(key, value[:-1] if garbage == "cut" else garbage, ex=60)
    assert outcomes(renderer, request(renderer), request(renderer)) == ["miss", "hit"]


def test_a_key_of_another_type_is_a_miss(make_renderer: MakeRenderer, server: Server) -> None:
    renderer = make_renderer()
    renderer.render(request(renderer))
    (key,) = server.client.keys("render-farm:file:*")
    server.client.delete(key)
    server.client.lpush(key, "x")
    assert outcomes(renderer, request(renderer))[0] in ("miss", "off")


def test_without_a_server_nothing_is_kept(make_renderer: MakeRenderer) -> None:
    renderer = make_renderer(store=False)
    assert outcomes(renderer, request(renderer), request(renderer)) == ["off", "off"]
    assert renderer.status.cache == "off"


def test_a_server_that_is_killed_is_as_if_there_were_none_and_is_found_again(
    make_renderer: MakeRenderer, server: Server
) -> None:
    renderer = make_renderer()
    asked = request(renderer)
    assert outcomes(renderer, asked, asked) == ["miss", "hit"]
    os.kill(server.pid, signal.SIGKILL)
    assert outcomes(renderer, asked, asked) == ["off", "off"]
    assert renderer.status.cache == "down"
    server.process.terminate()
    server.process.start()
    wait_until(lambda: outcomes(renderer, asked) == ["hit"])
    assert renderer.status.cache == "up"


def test_a_server_that_hangs_is_as_if_there_were_none(
    make_renderer: MakeRenderer, server: Server
) -> None:
    renderer = make_renderer(timeout_s=0.05)
    asked = request(renderer)
    wait_until(lambda: outcomes(renderer, asked) == ["hit"])
    os.kill(server.pid, signal.SIGSTOP)
    try:
        assert outcomes(renderer, asked, asked, asked) == ["off", "off", "off"]
        assert renderer.status.cache == "down"
    finally:
        os.kill(server.pid, signal.SIGCONT)
    wait_until(lambda: outcomes(renderer, asked) == ["hit"])


def test_a_full_line_refuses_nothing_that_may_be_a_hit(
    make_renderer: MakeRenderer, make_engine: Callable[..., Engine], site: Site
) -> None:
    full = make_engine(pages_per_browser=1, max_waiting=0)
    cached, bare = (make_renderer(inner=full, store=store) for store in (True, False))
    cached.render(request(cached))
    wait_until(lambda: not full.status.rendering)
    held = full.begin(request(cached, url=site.url + "/slow"))
    wait_until(lambda: full.status.rendering == 1)
    with pytest.raises(Busy):
        bare.admit()
    cached.admit()
    assert outcomes(cached, request(cached)) == ["hit"]
    with pytest.raises(Busy):
        cached.render(request(cached, html="<p>another"))
    full.cancel(held)


def test_the_deadline_counts_from_when_a_request_begins(
    make_renderer: MakeRenderer, site: Site
) -> None:
    renderer = make_renderer()
    began = time.monotonic()
    pending = renderer.begin(request(renderer, url=site.url + "/slow"), within_s=0.3)
    with pytest.raises(Exception, match="did not finish"):
        renderer.wait(pending)
    assert time.monotonic() - began < 20
