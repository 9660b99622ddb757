"""Requests that ask the same at the same time, in one process and in several."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from farm.cache import CachedRenderer
from farm.cache.joining import SharedRenders, Waiter
from farm.errors import Busy, RenderTimeout
from farm.renderer import RenderCancelled
from farm.request import CacheUse, RenderResult
from tests.cache.conftest import MakeRenderer, Server
from tests.cache.outcomes import request, use
from tests.support.farm_process import wait_until
from tests.support.site import Site

MANY = 200
#: So long that nothing here takes longer.
LONG_S = 30.0


class Crowd:
    """Requests that wait in threads of their own."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(MANY)
        self.renders: list[Future[RenderResult]] = []

    def ask(self, renderer: CachedRenderer, url: str, count: int = 1) -> None:
        asked = request(renderer, url=url)
        self.renders += [self._pool.submit(renderer.render, asked) for _ in range(count)]

    def outcomes(self) -> list[str]:
        return sorted(use(each.result(60)).outcome for each in self.renders)

    def close(self) -> None:
        self._pool.shutdown()


@pytest.fixture
def crowd(site: Site) -> Iterator[Crowd]:
    made = Crowd()
    yield made
    site.hold.set()
    made.close()


def renders(site: Site) -> int:
    return len(site.requests)


def waiting(renderer: CachedRenderer) -> int:
    return renderer._shared._waiting


@pytest.mark.parametrize("store", [True, False])
def test_two_hundred_at_once_are_one_render(
    make_renderer: MakeRenderer, site: Site, crowd: Crowd, store: bool
) -> None:
    renderer = make_renderer(store=store)
    crowd.ask(renderer, site.url + "/slow", MANY)
    wait_until(lambda: waiting(renderer) == MANY - 1)
    site.hold.set()
    assert crowd.outcomes() == sorted(["joined"] * (MANY - 1) + ["miss" if store else "off"])
    assert renders(site) == 1
    assert len({each.result().data for each in crowd.renders}) == 1


def test_processes_join_each_other(make_renderer: MakeRenderer, site: Site, crowd: Crowd) -> None:
    for _ in range(3):
        crowd.ask(make_renderer(), site.url + "/slow", 5)
    wait_until(lambda: renders(site) == 1)
    site.hold.set()
    assert crowd.outcomes() == ["joined"] * 14 + ["miss"]
    assert renders(site) == 1


def test_one_that_waits_gets_no_older_file_than_it_asks_for(
    make_renderer: MakeRenderer, site: Site
) -> None:
    renderer = make_renderer()
    asked = request(renderer, ttl=10, url=site.url)
    key = renderer._keys.of(asked, None)
    assert key is not None
    shared, is_mine = renderer._shared.join(key, Waiter())  # of one that may be older
    assert is_mine
    old = replace(renderer.render(request(renderer)), cache=CacheUse("hit", "tag", age_s=100))
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(renderer.render, asked)
        wait_until(lambda: waiting(renderer) == 1)
        renderer._shared.finish(key, shared, old)
        assert use(found.result(LONG_S)).outcome == "miss"
    assert renders(site) == 1


def test_what_does_not_ask_for_the_cache_joins_nobody(
    make_renderer: MakeRenderer, site: Site
) -> None:
    renderer = make_renderer()
    asked = request(renderer, ttl=None, url=site.url + "/slow")
    pending_renders = [renderer.begin(asked) for _ in range(2)]
    wait_until(lambda: renders(site) == 2)
    site.hold.set()
    for pending in pending_renders:
        assert renderer.wait(pending).cache is None


@pytest.mark.parametrize("processes", [1, 2])
def test_when_the_render_fails_exactly_one_of_the_others_renders_next(
    make_renderer: MakeRenderer, site: Site, crowd: Crowd, processes: int
) -> None:
    url = site.url + "/slow"
    first, other = make_renderer(), make_renderer()
    leader = first.begin(request(first, url=url), within_s=2)
    pool = ThreadPoolExecutor(1)
    failed = pool.submit(first.wait, leader)
    wait_until(lambda: renders(site) == 1)
    crowd.ask(first if processes == 1 else other, url, 10)
    with pytest.raises(RenderTimeout):
        failed.result(LONG_S)
    wait_until(lambda: renders(site) == 2)
    site.hold.set()
    assert crowd.outcomes() == ["joined"] * 9 + ["miss"]
    assert renders(site) == 2


def test_who_has_waited_for_two_that_failed_waits_for_no_third(
    make_renderer: MakeRenderer, site: Site, crowd: Crowd
) -> None:
    renderer = make_renderer()
    shared_renders = renderer._shared
    asked = request(renderer, url=site.url)
    key = renderer._keys.of(asked, None)
    assert key is not None
    made = [shared_renders.join(key, Waiter())[0]]
    crowd.ask(renderer, site.url)
    for _ in range(2):
        wait_until(lambda: bool(made[-1].waiters))
        shared_renders.detach(key)  # so that the next one is another one's too
        made.append(shared_renders.join(key, Waiter())[0])
        made[-2].has_failed = True
        shared_renders.finish(key, made[-2], None)
    assert crowd.outcomes() == ["miss"]
    assert not made[-1].waiters


def test_when_the_line_has_no_place_the_others_still_take_one_together(
    make_renderer: MakeRenderer, site: Site, crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    renderer = make_renderer(store=False)
    engine = renderer._inner
    begin, refusals = engine.begin, iter(range(4))

    def joined() -> int:
        return sum(len(shared.waiters) for shared in list(renderer._shared._renders.values()))

    def begin_unless_full(*args: Any, **kwargs: Any) -> Any:
        if (number := next(refusals, None)) is not None:
            wait_until(lambda: joined() == 9 - number)
            raise Busy()
        return begin(*args, **kwargs)

    monkeypatch.setattr(engine, "begin", begin_unless_full)
    crowd.ask(renderer, site.url + "/slow", 10)
    wait_until(lambda: renders(site) == 1)
    wait_until(lambda: joined() == 5)
    site.hold.set()
    answers = [each.exception(LONG_S) or use(each.result()).outcome for each in crowd.renders]
    assert sorted(map(str, answers)) == sorted([str(Busy())] * 4 + ["joined"] * 5 + ["off"])
    assert renders(site) == 1


def test_a_file_is_kept_for_as_long_as_any_of_those_who_joined_wants(
    make_renderer: MakeRenderer, server: Server, site: Site
) -> None:
    renderer = make_renderer()
    short, long = (request(renderer, ttl=ttl, url=site.url + "/slow") for ttl in (10, 3600))
    with ThreadPoolExecutor(2) as pool:
        found = [pool.submit(renderer.render, short)]
        wait_until(lambda: renders(site) == 1)
        found.append(pool.submit(renderer.render, long))
        wait_until(lambda: waiting(renderer) == 1)
        site.hold.set()
        assert [use(each.result(60)).outcome for each in found] == ["miss", "joined"]
    (key,) = server.client.keys("render-farm:file:*")
    assert server.client.pttl(key) > 3_000_000


def test_each_lock_has_a_token_of_its_own(make_renderer: MakeRenderer) -> None:
    store = make_renderer()._store
    assert store is not None
    entries = [
        store.find_or_lock("a" * 64),
        store.find_or_lock("b" * 64),
        store.find_or_lock("a" * 64),
    ]
    assert [entry is not None and entry.is_mine for entry in entries] == [True, True, False]
    assert len({entry.token for entry in entries if entry is not None}) == 3


def test_a_render_that_is_cancelled_takes_nobody_with_it(
    make_renderer: MakeRenderer, site: Site, crowd: Crowd
) -> None:
    renderer = make_renderer()
    leader = renderer.begin(request(renderer, url=site.url + "/slow"))
    with ThreadPoolExecutor(1) as pool:
        cancelled = pool.submit(renderer.wait, leader)
        wait_until(lambda: renders(site) == 1)
        crowd.ask(renderer, site.url + "/slow", 3)
        wait_until(lambda: waiting(renderer) == 3)
        renderer.cancel(leader)
        with pytest.raises(RenderCancelled):
            cancelled.result(LONG_S)
    wait_until(lambda: renders(site) == 2)
    site.hold.set()
    assert crowd.outcomes() == ["joined", "joined", "miss"]


def test_one_that_waits_can_be_cancelled_and_the_render_goes_on(
    make_renderer: MakeRenderer, site: Site, crowd: Crowd
) -> None:
    renderer = make_renderer()
    crowd.ask(renderer, site.url + "/slow")
    wait_until(lambda: renders(site) == 1)
    joiner = renderer.begin(request(renderer, url=site.url + "/slow"))
    with ThreadPoolExecutor(1) as pool:
        cancelled = pool.submit(renderer.wait, joiner)
        wait_until(lambda: waiting(renderer) == 1)
        renderer.cancel(joiner)
        with pytest.raises(RenderCancelled):
            cancelled.result(LONG_S)
    site.hold.set()
    assert crowd.outcomes() == ["miss"]
    assert renders(site) == 1


@pytest.mark.parametrize("processes", [1, 2])
def test_one_that_waits_keeps_to_its_own_deadline(
    make_renderer: MakeRenderer, site: Site, crowd: Crowd, processes: int
) -> None:
    first, other = make_renderer(), make_renderer()
    crowd.ask(first, site.url + "/slow")
    wait_until(lambda: renders(site) == 1)
    impatient = first if processes == 1 else other
    pending = impatient.begin(request(impatient, url=site.url + "/slow"), within_s=0.3)
    with pytest.raises(RenderTimeout):
        impatient.wait(pending)
    site.hold.set()
    assert crowd.outcomes() == ["miss"]
    assert renders(site) == 1


def test_the_lock_of_a_process_that_died_goes_by_itself(
    make_renderer: MakeRenderer, server: Server, site: Site
) -> None:
    dead, living = make_renderer(), make_renderer()
    asked = request(living, url=site.url)
    key = living._keys.of(asked, None)
    assert key is not None
    assert dead._store is not None
    entry = dead._store.find_or_lock(key)
    assert entry is not None
    assert entry.is_mine
    assert use(living.render(asked)).outcome == "miss"
    assert not server.client.keys("render-farm:lock:*")


def test_a_lock_is_kept_for_as_long_as_the_render_takes(
    make_renderer: MakeRenderer, server: Server, site: Site, crowd: Crowd
) -> None:
    renderer = make_renderer()
    crowd.ask(renderer, site.url + "/slow")
    wait_until(lambda: server.client.keys("render-farm:lock:*"))
    (lock,) = server.client.keys("render-farm:lock:*")
    server.client.pexpire(lock, 1000)
    wait_until(lambda: server.client.pttl(lock) > 1000)  # it was renewed
    site.hold.set()
    assert crowd.outcomes() == ["miss"]
    assert not server.client.exists(lock)


def test_a_cache_that_dies_meanwhile_holds_up_nobody_who_waits_for_another_process(
    make_renderer: MakeRenderer, server: Server, site: Site, crowd: Crowd
) -> None:
    crowd.ask(make_renderer(), site.url + "/slow")
    wait_until(lambda: renders(site) == 1)
    crowd.ask(make_renderer(), site.url + "/slow")
    server.process.terminate()
    wait_until(lambda: renders(site) == 2)
    site.hold.set()
    assert crowd.outcomes() == ["off", "off"]


def test_a_renderer_that_closes_waits_for_no_other_process(
    make_renderer: MakeRenderer, site: Site, crowd: Crowd
) -> None:
    closing = make_renderer()
    crowd.ask(make_renderer(), site.url + "/slow")
    wait_until(lambda: renders(site) == 1)
    crowd.ask(closing, site.url + "/slow")
    wait_until(lambda: closing._shared._renders)
    closing.close()
    wait_until(lambda: renders(site) == 2)
    site.hold.set()
    assert set(crowd.outcomes()) == {"miss", "off"}


def test_no_more_may_wait_than_there_are_threads_for() -> None:
    shared_renders = SharedRenders(1)
    shared, is_mine = shared_renders.join("a", Waiter())
    assert is_mine
    waiter = Waiter()
    assert shared_renders.join("a", waiter) == (shared, False)
    with pytest.raises(Busy):
        shared_renders.join("a", Waiter())
    with pytest.raises(Busy), shared_renders.waiting_place():
        pass
    shared_renders.finish("a", shared, None)
    assert waiter.woken.is_set()
    shared_renders.stop_waiting(shared, waiter)
    again, is_mine = shared_renders.join("a", waiter)
    assert is_mine
    assert again is not shared
    with shared_renders.waiting_place(), pytest.raises(Busy):
        shared_renders.join("a", Waiter())


def test_of_many_that_join_at_once_one_runs_each_shared_render() -> None:
    shared_renders, made = SharedRenders(MANY), []
    start = threading.Barrier(8)

    def join(number: int) -> None:
        start.wait()
        waiter = Waiter()
        for turn in range(50):
            shared, is_mine = shared_renders.join(str(turn), waiter)
            if is_mine:
                made.append(turn)
            else:
                shared_renders.stop_waiting(shared, waiter)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(join, range(8)))
    assert sorted(made) == list(range(50))
