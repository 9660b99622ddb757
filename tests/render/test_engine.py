"""The engine: a result or a typed error for everything, whatever dies."""

import errno
import os
import pwd
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import psutil
import pytest

from farm.errors import BrowserUnavailable, Busy, FarmError, PageCrashes, RenderTimeout, StartError
from farm.render import Engine
from farm.render.browser.contexts import FreshContexts
from farm.render.browser.memory import MemoryWatch
from farm.render.browser.page import Page
from farm.render.keeping.host import Host
from farm.render.rendering import State
from farm.request import RenderResult
from farm.settings import Settings
from tests.conftest import request_for
from tests.support.farm_process import (
    command_line,
    driver_of,
    gone,
    is_browser,
    running_farm,
    wait_until,
)
from tests.support.files import no_more_files
from tests.support.images import LIME, is_filled
from tests.support.site import Site

GREEN = "<body style='background:lime'>"
ENDLESS_LOOP = "<script>while (true);</script>"
MakeEngine = Callable[..., Engine]


def chromium(engine: Engine) -> psutil.Process:
    wait_until(lambda: engine.chromium_pid is not None)
    return psutil.Process(engine.chromium_pid)


def host_of(engine: Engine) -> Host:
    host = engine._keeper.host
    assert host is not None
    return host


def part(browser: psutil.Process, name: str) -> psutil.Process:
    """`chromium` itself, its `driver`, or the first of its children with the name in its line."""
    if name in ("chromium", "driver"):
        return browser if name == "chromium" else driver_of(browser)
    # One that has just been started has no line of its own yet.
    found: list[psutil.Process] = []

    def find() -> bool:
        found.extend(p for p in browser.children() if has_in_line(p, name))
        return bool(found)

    wait_until(find)
    return found[0]


def has_in_line(process: psutil.Process, name: str) -> bool:
    return name in " ".join(command_line(process))


def renders(engine: Engine) -> bool:
    return is_filled(engine.render(request_for(engine, GREEN)).data, LIME)


def start_held(
    pool: ThreadPoolExecutor, engine: Engine, site: Site, count: int
) -> list[Future[RenderResult]]:
    """Renders that hold their pages until `site.hold` is set."""
    before = len(site.requests)
    futures = [
        pool.submit(engine.render, request_for(engine, url=f"{site.url}/slow?{n}"))
        for n in range(count)
    ]
    pages = min(count, engine.status.pages)
    wait_until(lambda: len(site.requests) >= before + pages)
    return futures


def test_as_many_pages_as_there_are_slots_render_at_once(
    make_engine: MakeEngine, site: Site
) -> None:
    engine = make_engine(pages_per_browser=3, max_waiting=2)
    with ThreadPoolExecutor(8) as pool:
        futures = start_held(pool, engine, site, 5)
        wait_until(lambda: engine.status.waiting == 2)
        assert engine.status.rendering == 3
        assert len(site.requests) == 3
        site.hold.set()
        assert all(future.result().size > 0 for future in futures)
    wait_until(lambda: engine.status.rendering == 0)


def test_pages_that_take_long_keep_no_other_from_beginning(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("farm.settings.settings.usable_cores", lambda: 0.5)
    engine = make_engine(pages_per_browser=8, workers=1, render_deadline_s=20)
    with ThreadPoolExecutor(6) as pool:
        loops = [pool.submit(engine.render, request_for(engine, ENDLESS_LOOP)) for _ in range(6)]
        wait_until(lambda: engine.status.rendering == 6)
        assert renders(engine)
        assert not any(loop.done() for loop in loops)
        assert all(isinstance(loop.exception(), RenderTimeout) for loop in loops)


@pytest.mark.short_form
def test_a_full_line_is_refused_at_once(make_engine: MakeEngine, site: Site) -> None:
    engine = make_engine(pages_per_browser=1, max_waiting=1)
    with ThreadPoolExecutor(2) as pool:
        futures = start_held(pool, engine, site, 2)
        wait_until(lambda: engine.status.waiting == 1)
        with pytest.raises(Busy) as caught:
            engine.render(request_for(engine, GREEN))
        assert caught.value.retry_after_s >= 1
        site.hold.set()
        assert all(future.result().size > 0 for future in futures)


def test_a_line_full_of_one_callers_renders_lets_another_caller_in(
    make_engine: MakeEngine, site: Site
) -> None:
    engine = make_engine(pages_per_browser=1, max_waiting=3)
    with ThreadPoolExecutor(6) as pool:
        runs = start_held(pool, engine, site, 1)

        def has_joined() -> bool:
            return engine.status.waiting == len(anna)

        anna: list[Future[RenderResult]] = []
        for _ in range(3):
            anna.append(pool.submit(engine.render, request_for(engine, GREEN), "", "anna"))
            wait_until(has_joined)
        with pytest.raises(Busy):
            engine.render(request_for(engine, GREEN), caller="anna")
        engine.admit("bob")
        bob = pool.submit(engine.render, request_for(engine, GREEN), "", "bob")
        with pytest.raises(Busy, match="other callers"):
            anna.pop().result()
        assert engine.status.waiting == 3
        site.hold.set()
        assert all(future.result().size > 0 for future in [*runs, *anna, bob])


@pytest.mark.short_form
def test_an_endless_loop_ends_at_the_deadline_and_is_gone(make_engine: MakeEngine) -> None:
    engine = make_engine(render_deadline_s=1, pages_per_browser=2)
    pid = engine.chromium_pid
    with pytest.raises(RenderTimeout, match=r"within 1 s\."):
        engine.render(request_for(engine, ENDLESS_LOOP))
    wait_until(lambda: engine.status.rendering == 0)
    assert renders(engine)
    assert engine.chromium_pid == pid, "the browser did not have to die for it"


HANGING_PAGES = [
    "<script>for (;;) alert(1)</script>",
    "<script>setTimeout(() => { while (true); }, 50)</script>",
    "<script>onload = () => { while (true); }</script>",
    "<script>new Worker(URL.createObjectURL(new Blob(['while(1);']))); while (true);</script>",
]


@pytest.mark.parametrize("format_", ["png", "pdf"])
def test_pages_that_hang_do_not_harm_one_beside_them(make_engine: MakeEngine, format_: str) -> None:
    engine = make_engine(render_deadline_s=4, pages_per_browser=len(HANGING_PAGES) + 1)
    pid = engine.chromium_pid
    with ThreadPoolExecutor(len(HANGING_PAGES)) as pool:
        bad = [
            pool.submit(engine.render, request_for(engine, html, format=format_, waitFor=200))
            for html in HANGING_PAGES
        ]
        assert renders(engine)
        for each in bad:
            # Where the machine has no processor left for the browser, it is that which is late.
            with pytest.raises((RenderTimeout, BrowserUnavailable)):
                each.result()
    wait_until(lambda: engine.status.rendering == 0)
    assert renders(engine)
    assert engine.chromium_pid == pid, "the browser did not have to die for them"


def test_the_deadline_covers_the_wait_in_line(make_engine: MakeEngine, site: Site) -> None:
    engine = make_engine(render_deadline_s=1, pages_per_browser=1, max_waiting=5)
    with ThreadPoolExecutor(3) as pool:
        futures = start_held(pool, engine, site, 3)
        for future in futures:
            with pytest.raises(RenderTimeout):
                future.result()
    wait_until(lambda: engine.status.rendering == 0)
    assert engine.status.waiting == 0


@pytest.mark.short_form
def test_a_crashed_page_is_told_so_and_its_neighbours_go_on(
    make_engine: MakeEngine, site: Site
) -> None:
    engine = make_engine(pages_per_browser=2, spare_contexts=0)
    with ThreadPoolExecutor(2) as pool:
        (victim,) = start_held(pool, engine, site, 1)
        tree = chromium(engine).children(recursive=True)
        (renderer,) = [p for p in tree if "--type=renderer" in command_line(p)]
        (neighbour,) = start_held(pool, engine, site, 1)
        renderer.kill()
        with pytest.raises(PageCrashes):
            victim.result()
        site.hold.set()
        assert neighbour.result().size > 0


@pytest.mark.parametrize("victim", ["chromium", "driver", "zygote", "NetworkService"])
def test_what_runs_in_a_browser_that_dies_is_rendered_again(
    make_engine: MakeEngine, site: Site, victim: str
) -> None:
    engine = make_engine(pages_per_browser=2, max_waiting=4)
    old = chromium(engine)
    process = part(old, victim)
    with ThreadPoolExecutor(6) as pool:
        futures = start_held(pool, engine, site, 6)
        wait_until(lambda: engine.status.waiting == 4)
        process.kill()
        wait_until(lambda: engine.status.retries == 2)
        site.hold.set()
        assert all(future.result().size > 0 for future in futures)
    assert engine.status.browser_restarts == 1
    wait_until(lambda: gone([old, process]))


def test_the_processes_that_a_browser_cannot_do_without_are_watched(
    make_engine: MakeEngine,
) -> None:
    engine = make_engine()
    browser = chromium(engine)
    zygotes = [p.pid for p in browser.children() if "--type=zygote" in command_line(p)]
    running = host_of(engine).browser._running
    assert running is not None
    assert sorted(running.vital) == sorted([*zygotes, part(browser, "NetworkService").pid])


def test_a_farm_that_may_open_no_more_files_keeps_its_browser(make_engine: MakeEngine) -> None:
    engine = make_engine()
    pid = engine.chromium_pid
    host = host_of(engine)
    usual, host._memory = host._memory, MemoryWatch(1)  # it looks at once
    with no_more_files():
        assert host.check() is False
        host._memory = usual  # whose limit the browser keeps to
    assert renders(engine)
    assert engine.chromium_pid == pid
    chromium(engine).kill()
    wait_until(lambda: engine.status.browser_restarts == 1)


@pytest.mark.parametrize("victim", ["chromium", "driver", "proxy"])
def test_every_answer_is_right_or_typed_while_things_die(
    make_engine: MakeEngine, victim: str
) -> None:
    """Also in the calls that never raise by themselves, such as making a page."""
    engine = make_engine(pages_per_browser=4)
    stop = threading.Event()
    wrong: list[object] = []

    def client() -> None:
        while not stop.is_set():
            try:
                if not renders(engine):
                    wrong.append("wrong pixels")
            except BrowserUnavailable:
                pass
            except BaseException as exc:
                wrong.append(exc)

    threads = [threading.Thread(target=client) for _ in range(6)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(2):
            process = victim_of(engine, victim)
            process.kill()
            wait_until(partial(gone, [process]))
            assert_renders_again(engine)
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert wrong == []
    wait_until(lambda: engine.status.rendering == 0)


def victim_of(engine: Engine, kind: str) -> psutil.Process:
    """Its Chromium, driver or proxy, as soon as there is one that runs."""
    found: list[psutil.Process] = []

    def find() -> bool:
        pid = engine.egress_pid if kind == "proxy" else engine.chromium_pid
        with suppress(psutil.Error):
            process = psutil.Process(pid) if pid else None
            process = process.parent() if process and kind == "driver" else process
            found.extend([process] if process and process.is_running() else [])
        return bool(found)

    wait_until(find)
    return found[0]


def assert_renders_again(engine: Engine) -> None:
    def once() -> bool:
        try:
            return renders(engine)
        except FarmError:
            return False

    wait_until(once)


def test_a_browser_that_stands_still_fails_the_health_check_and_is_replaced(
    make_engine: MakeEngine,
) -> None:
    engine = make_engine(render_deadline_s=25)
    engine._keeper.silence_s = 7.0
    engine.check()
    frozen = chromium(engine)
    with ThreadPoolExecutor(1) as pool:
        frozen.suspend()
        rendering = pool.submit(renders, engine)
        wait_until(lambda: not healthy(engine))
        assert rendering.result(), "it is rendered again within its deadline"
    wait_until(lambda: gone([frozen]))
    wait_until(lambda: healthy(engine))


def healthy(engine: Engine) -> bool:
    try:
        engine.check()
    except BrowserUnavailable:
        return False
    return True


def test_a_browser_that_is_started_again_at_once_is_no_news_to_health(
    make_engine: MakeEngine,
) -> None:
    engine = make_engine()
    killed = time.monotonic()
    chromium(engine).kill()
    while engine.status.browser_restarts == 0:
        # A machine that is busy with other work may take longer than the grace of 3 s to start one.
        assert healthy(engine) or time.monotonic() - killed > 3
        time.sleep(0.01)  # the thread that starts the browser needs this process too
    assert renders(engine)


@pytest.mark.dedicated
def test_renders_wait_for_a_browser_and_are_told_if_none_comes() -> None:
    engine = Engine(Settings(chromium_path="/bin/false", render_deadline_s=1))
    engine.start()
    try:
        with pytest.raises(BrowserUnavailable):
            renders(engine)
        assert not healthy(engine)
    finally:
        engine.close()


def browsers() -> set[psutil.Process]:
    """Every browser below this process that is up."""
    return {p for p in psutil.Process().children(recursive=True) if is_browser(p)}


class Killer:
    """Kills the browser that asks the site for `/poison`, as a page could that knew how.

    The first time that is the engine's; the second time the one that the page is alone in.
    """

    def __init__(self, engine: Engine, site: Site, others: set[psutil.Process]) -> None:
        self._engine, self._site, self._others = engine, site, others
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        first = chromium(self._engine)
        self._wait_for_hits(1)
        first.kill()
        self._site.hold.set()
        self._wait_for_hits(2)
        alone = browsers() - self._others - {first, chromium(self._engine)}
        for browser in alone:
            browser.kill()

    def _wait_for_hits(self, count: int) -> None:
        wait_until(lambda: [path for path, _ in self._site.requests].count("/poison") >= count)


def test_html_that_takes_its_browser_down_alone_is_refused_and_its_neighbours_are_right(
    make_engine: MakeEngine, site: Site
) -> None:
    others = browsers()
    engine = make_engine(pages_per_browser=2)
    poison = f"<img src='{site.url}/poison'><script>onload = () => {{ while (true); }}</script>"
    Killer(engine, site, others)
    with ThreadPoolExecutor(2) as pool:
        (neighbour,) = start_held(pool, engine, site, 1)
        with pytest.raises(PageCrashes, match="took the browser down"):
            engine.render(request_for(engine, poison))
        assert neighbour.result().size > 0
    restarts = engine.status.browser_restarts
    with pytest.raises(PageCrashes, match="took the browser down"):
        engine.render(request_for(engine, poison))
    assert engine.status.browser_restarts == restarts, "it did not come near a browser"
    assert renders(engine)


def test_a_suspect_whose_second_browser_dies_before_it_has_a_page_gets_a_third(
    make_engine: MakeEngine, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = browsers()
    deaths: list[psutil.Process] = []

    class Dying(FreshContexts):
        """Takes its browser down once, when it is a quarantine's, which has no spares."""

        @contextmanager
        def page(self, width: int, height: int, caller: str | None = None) -> Iterator[Page]:
            if not self._wanted and not deaths:
                for browser in browsers() - others - {chromium(engine)}:
                    # What a browser forks looks like one for a moment.
                    with suppress(psutil.NoSuchProcess):
                        browser.kill()
                        deaths.append(browser)
            with super().page(width, height, caller) as page:
                yield page

    def is_asked_for(path: str) -> bool:
        return path in [asked for asked, _ in site.requests]

    def has_retried(before: int) -> bool:
        return engine.status.retries > before

    monkeypatch.setattr("farm.render.keeping.host.FreshContexts", Dying)
    engine = make_engine(pages_per_browser=2)
    for path in ("/slow?1", "/slow?2"):
        site.hold.clear()
        rendering = engine.begin(request_for(engine, url=site.url + path))
        wait_until(partial(is_asked_for, path))
        retries = engine.status.retries
        chromium(engine).kill()
        wait_until(partial(has_retried, retries))
        site.hold.set()
        assert engine.wait(rendering).size > 0
    assert len(deaths) == 1
    wait_until(lambda: engine.status.rendering == 0)


def test_a_suspect_that_is_cancelled_gives_its_slot_back_at_once(
    make_engine: MakeEngine, site: Site
) -> None:
    engine = make_engine(pages_per_browser=2)
    renderings = [engine.begin(request_for(engine, url=f"{site.url}/slow?{n}")) for n in range(2)]
    wait_until(lambda: len(site.requests) == 2)
    chromium(engine).kill()
    wait_until(lambda: len(site.requests) == 3)  # one of them is rendered alone
    first = next(each for each in renderings if each.state is State.RENDERING)
    second = next(each for each in renderings if each is not first)
    engine.cancel(second)
    wait_until(lambda: engine.status.rendering == 1)
    site.hold.set()
    assert engine.wait(first).size > 0


def test_a_page_that_is_being_made_when_its_time_is_over_costs_nobody_the_browser(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = [True]

    class Slow(FreshContexts):
        @contextmanager
        def page(self, width: int, height: int, caller: str | None = None) -> Iterator[Page]:
            if late:
                late.clear()
                self._browser.sleep(5)
            with super().page(width, height, caller) as page:
                yield page

    monkeypatch.setattr("farm.render.keeping.host.FreshContexts", Slow)
    engine = make_engine(render_deadline_s=1)
    with pytest.raises(RenderTimeout):
        engine.render(request_for(engine, GREEN))
    wait_until(lambda: engine.status.rendering == 0)
    assert engine.status.browser_restarts == 0


def test_a_proxy_that_dies_while_a_page_is_made_fails_no_render(
    make_engine: MakeEngine, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxies: list[psutil.Process] = []

    class Losing(FreshContexts):
        @contextmanager
        def page(self, width: int, height: int, caller: str | None = None) -> Iterator[Page]:
            with super().page(width, height, caller) as page:
                if not proxies:
                    proxies.append(psutil.Process(engine.egress_pid))
                    proxies[0].kill()
                    while page.port.alive:
                        self._browser.sleep(0.01)
                yield page

    monkeypatch.setattr("farm.render.keeping.host.FreshContexts", Losing)
    engine = make_engine(render_deadline_s=20)
    result = engine.render(request_for(engine, url=site.url + "/"))
    assert result.size > 0
    assert gone(proxies)


def test_a_browser_that_cannot_be_started_just_now_is_started_later(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make_engine()
    failures = [RuntimeError("can't start new thread")] * 2
    make_host = engine._keeper._make_host

    def make() -> Host:
        if failures:
            raise failures.pop()
        return make_host()

    engine._keeper._make_host = make
    chromium(engine).kill()
    wait_until(lambda: not failures)
    assert renders(engine)


def test_a_url_that_takes_its_browser_down_is_not_held_against_it(
    make_engine: MakeEngine, site: Site
) -> None:
    others = browsers()
    engine = make_engine(pages_per_browser=2)
    Killer(engine, site, others)
    site.pages["/page"] = "<img src=/poison><script>onload = () => { while (true); }</script>"
    with pytest.raises(PageCrashes):
        engine.render(request_for(engine, url=site.url + "/page"))
    site.pages["/page"] = GREEN
    assert engine.render(request_for(engine, url=site.url + "/page")).size > 0


def test_a_browser_is_replaced_after_its_renders_and_no_render_notices(
    make_engine: MakeEngine,
) -> None:
    engine = make_engine(recycle_after_renders=5, pages_per_browser=4)
    first = chromium(engine)
    with ThreadPoolExecutor(4) as pool:
        rendered = 0
        while engine.status.browser_recycles < 2:
            assert all(pool.map(lambda _: renders(engine), range(4)))
            rendered += 4
    assert rendered >= 10
    assert engine.status.browser_restarts == 0
    assert engine.status.retries == 0
    wait_until(lambda: gone([first]))


_FILL_MEMORY = """<script>
const kept = [];
setInterval(() => kept.push(new Uint8Array(20e6).fill(1)), 20);
while (kept.length < 5) kept.push(new Uint8Array(20e6).fill(1));
addEventListener('load', () => { while (true) kept.push(new Uint8Array(20e6).fill(1)); });
</script>"""


def test_a_page_that_fills_the_memory_is_ended_and_its_neighbour_is_not(
    make_engine: MakeEngine, site: Site
) -> None:
    engine = make_engine(browser_memory_mb=600, pages_per_browser=2)
    browser = chromium(engine)
    with ThreadPoolExecutor(1) as pool:
        (neighbour,) = start_held(pool, engine, site, 1)
        with pytest.raises(PageCrashes):
            engine.render(request_for(engine, _FILL_MEMORY))
        site.hold.set()
        assert neighbour.result().size > 0
    assert browser.is_running(), "the browser did not have to die for it"


def test_a_browser_whose_pages_hold_too_much_together_is_replaced(
    make_engine: MakeEngine, site: Site
) -> None:
    # It grows so slowly that it is seen before it is so far beyond the limit that it must end now.
    engine = make_engine(browser_memory_mb=800, pages_per_browser=4, settle_max_s=25)
    some = (
        "<script>const kept = [new Uint8Array(60e6).fill(1)];"
        "setInterval(() => kept.push(new Uint8Array(2e6).fill(1)), 200)</script>"
        f"<img src='{site.url}/slow.svg'>"
    )
    with ThreadPoolExecutor(4) as pool:
        renders_ = [pool.submit(engine.render, request_for(engine, some)) for _ in range(4)]
        wait_until(lambda: engine.status.browser_recycles >= 1)
        site.hold.set()
        assert all(each.result().size > 0 for each in renders_)


_STUCK = """
import time
from farm.render import Engine
from farm.render.browser.memory import MemoryWatch
from farm.render.browser.contexts import FreshContexts
from farm.render.browser.page import Page
from farm.render.keeping.host import Host
from farm.render.rendering import State
from farm.request import HTML, RenderRequest
from farm.settings import Settings
engine = Engine(Settings(render_deadline_s=1))
engine.start()
engine.wait_started()
engine._keeper.host.browser.spawn(lambda: time.sleep(1000))
try:
    engine.render(RenderRequest.parse(b'{"html": "hello"}', HTML, engine.limits))
except Exception as exc:
    print(type(exc).__name__, flush=True)
time.sleep(1000)
"""


@pytest.mark.dedicated
def test_a_process_whose_engine_is_stuck_is_left() -> None:
    """When not even the death of browser and driver helps."""
    run = subprocess.run([sys.executable, "-c", _STUCK], capture_output=True, text=True, timeout=60)
    assert run.returncode == -signal.SIGTERM
    assert "RenderTimeout" in run.stdout
    assert "process left" in run.stdout


def test_spares_are_made_ahead_and_made_again(make_engine: MakeEngine) -> None:
    engine = make_engine(spare_contexts=2)
    wait_until(lambda: engine.status.spares == 2)
    assert renders(engine)
    wait_until(lambda: engine.status.spares == 2)


def test_it_renders_without_spares(make_engine: MakeEngine) -> None:
    engine = make_engine(spare_contexts=0)
    assert renders(engine)
    assert engine.status.spares == 0


@pytest.mark.short_form
def test_closing_answers_what_is_under_way_and_leaves_nothing(
    make_engine: MakeEngine, site: Site
) -> None:
    engine = make_engine(pages_per_browser=1)
    browser = chromium(engine)
    processes = [browser, driver_of(browser), *browser.children(recursive=True)]
    with ThreadPoolExecutor(2) as pool:
        futures = start_held(pool, engine, site, 2)
        engine.close()
        for future in futures:
            with pytest.raises(BrowserUnavailable):
                future.result()
    wait_until(lambda: gone(processes))
    with pytest.raises(BrowserUnavailable):
        engine.render(request_for(engine, GREEN))


@pytest.mark.dedicated
def test_closing_while_the_browser_starts_leaves_nothing() -> None:
    before = set(psutil.Process().children(recursive=True))

    def started() -> list[psutil.Process]:
        return list(set(psutil.Process().children(recursive=True)) - before)

    engine = Engine(Settings())
    engine.start()
    wait_until(lambda: any(is_browser(process) for process in started()))
    engine.close()
    wait_until(lambda: gone(started()))


def test_a_browser_that_does_not_start_is_told_in_a_sentence() -> None:
    engine = Engine(Settings(chromium_path="/bin/false"))
    engine.start()
    try:
        with pytest.raises(StartError, match=r"/bin/false does not start"):
            engine.wait_started()
        with pytest.raises(BrowserUnavailable):
            engine.check()
    finally:
        engine.close()


@pytest.mark.short_form
def test_every_page_process_is_sandboxed_and_not_roots(make_engine: MakeEngine) -> None:
    engine = make_engine(spare_contexts=1)
    wait_until(lambda: engine.status.spares == 1)
    tree = chromium(engine).children(recursive=True)
    renderers = [p for p in tree if "--type=renderer" in command_line(p)]
    assert renderers
    for process in [chromium(engine), *renderers]:
        assert process.uids().real != 0
    for process in renderers:
        assert "\nSeccomp:\t2\n" in Path(f"/proc/{process.pid}/status").read_text()


_AS_A_USER = """
import psutil
from contextlib import suppress
from pathlib import Path
from farm.processes import has_argument
from farm.render import Engine
from farm.render.browser.memory import MemoryWatch
from farm.render.browser.contexts import FreshContexts
from farm.render.browser.page import Page
from farm.render.keeping.host import Host
from farm.render.rendering import State
from farm.request import HTML, RenderRequest
from farm.settings import Settings
engine = Engine(Settings())
engine.start()
engine.wait_started()
engine.render(RenderRequest.parse(b'{"html": "hello"}', HTML, engine.limits))
for process in psutil.Process(engine.chromium_pid).children(recursive=True):
    if not has_argument(process, "--type=renderer"):
        continue
    with suppress(OSError, psutil.Error):  # the render's own process ends after it
        status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        (mode,) = [line for line in status if line.startswith("Seccomp:")]
        print(process.uids().real, mode)
engine.close()
"""


@pytest.mark.dedicated
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_started_by_a_user_its_page_processes_are_under_seccomp_too() -> None:
    become = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    python = "/usr/bin/python3"  # the tests' own may lie where another user cannot read it
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    environment |= {"HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "yes"}
    if subprocess.run([*become, python, "-c", "import farm.render"], env=environment).returncode:
        pytest.skip("another user has no Python that can read the farm")
    run = subprocess.run(
        [*become, python, "-c", _AS_A_USER], env=environment, capture_output=True, text=True
    )
    said = [line for line in run.stdout.splitlines() if "Seccomp" in line]
    assert said, run.stderr
    assert set(said) == {f"{pwd.getpwnam('nobody').pw_uid} Seccomp:\t2"}


def test_a_farm_without_the_sandbox_says_so_at_its_start(log_path: Path) -> None:
    settings = {"chromium_sandbox": "off", "egress": "none"}
    with running_farm(log_path, workers=1, **settings) as farm:
        warnings = farm.log_lines("chromium runs without its sandbox")
    # The gunicorn worker's engine, and that of `farm worker`.
    assert [entry["level"] for entry in warnings] == ["warning"] * 2


def test_a_farm_that_may_open_no_port_says_so_at_once(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make_engine(spare_contexts=0, render_deadline_s=60)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr("farm.egress.child.socket.create_server", refuse)
        with pytest.raises(BrowserUnavailable, match="open no port"):
            engine.render(request_for(engine, GREEN))
        assert engine.status.retries == 0
    assert renders(engine)
