"""The engine: a result or a typed error for everything, whatever dies."""

import os
import pwd
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from farm.errors import BrowserUnavailable, Busy, FarmError, PageCrashes, RenderTimeout, StartError
from farm.render import Engine
from farm.request import RenderResult
from farm.settings import Settings
from tests.conftest import request_for
from tests.farm_process import command_line, gone, is_browser, running_farm, wait_until
from tests.images import LIME, is_filled
from tests.site import Site

GREEN = "<body style='background:lime'>"
ENDLESS_LOOP = "<script>while (true);</script>"
MakeEngine = Callable[..., Engine]


def chromium(engine: Engine) -> psutil.Process:
    wait_until(lambda: engine.chromium_pid is not None)
    return psutil.Process(engine.chromium_pid)


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


def test_an_endless_loop_ends_at_the_deadline_and_is_gone(make_engine: MakeEngine) -> None:
    engine = make_engine(render_deadline_s=1, pages_per_browser=2)
    pid = engine.chromium_pid
    with pytest.raises(RenderTimeout, match=r"within 1 s\."):
        engine.render(request_for(engine, ENDLESS_LOOP))
    wait_until(lambda: engine.status.rendering == 0)
    assert renders(engine)
    assert engine.chromium_pid == pid, "the browser did not have to die for it"


@pytest.mark.parametrize(
    "html",
    [
        "<script>for (;;) alert(1)</script>",
        "<script>setTimeout(() => { while (true); }, 50)</script>",
        "<script>onload = () => { while (true); }</script>",
        "<script>new Worker(URL.createObjectURL(new Blob(['while(1);']))); while (true);</script>",
    ],
)
@pytest.mark.parametrize("format_", ["png", "pdf"])
def test_pages_that_hang_do_not_harm_those_beside_them(
    make_engine: MakeEngine, html: str, format_: str
) -> None:
    engine = make_engine(render_deadline_s=2, pages_per_browser=3)
    with ThreadPoolExecutor(1) as pool:
        bad = pool.submit(engine.render, request_for(engine, html, format=format_, waitFor=200))
        assert renders(engine)
        with pytest.raises(RenderTimeout):
            bad.result()
    wait_until(lambda: engine.status.rendering == 0)
    assert renders(engine)


def test_the_deadline_covers_the_wait_in_line(make_engine: MakeEngine, site: Site) -> None:
    engine = make_engine(render_deadline_s=1, pages_per_browser=1, max_waiting=5)
    with ThreadPoolExecutor(3) as pool:
        futures = start_held(pool, engine, site, 3)
        for future in futures:
            with pytest.raises(RenderTimeout):
                future.result()
    wait_until(lambda: engine.status.rendering == 0)
    assert engine.status.waiting == 0


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


@pytest.mark.parametrize("victim", ["chromium", "driver"])
def test_what_runs_is_lost_with_its_browser_and_what_waits_is_not(
    make_engine: MakeEngine, site: Site, victim: str
) -> None:
    engine = make_engine(pages_per_browser=2, max_waiting=4)
    old = chromium(engine)
    process = old if victim == "chromium" else old.parent()
    with ThreadPoolExecutor(6) as pool:
        futures = start_held(pool, engine, site, 6)
        wait_until(lambda: engine.status.waiting == 4)
        process.kill()
        wait_until(lambda: sum(future.done() for future in futures) == 2)
        lost = [future for future in futures if future.done()]
        site.hold.set()
        for future in futures:
            if future in lost:
                assert isinstance(future.exception(), BrowserUnavailable)
            else:
                assert future.result().size > 0
    assert engine.status.browser_restarts == 1
    wait_until(lambda: gone([old, process]))


@pytest.mark.parametrize("victim", ["chromium", "driver"])
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
    for _ in range(4):
        process = chromium(engine)
        launches = engine.status.browser_restarts
        (process if victim == "chromium" else process.parent()).kill()
        wait_until(lambda launches=launches: engine.status.browser_restarts > launches)
        assert_renders_again(engine)
    stop.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert wrong == []
    wait_until(lambda: engine.status.rendering == 0)


def assert_renders_again(engine: Engine) -> None:
    def once() -> bool:
        try:
            return renders(engine)
        except FarmError:
            return False

    wait_until(once)


def test_a_browser_that_stands_still_is_replaced(make_engine: MakeEngine) -> None:
    engine = make_engine(render_deadline_s=1)
    frozen = chromium(engine)
    frozen.suspend()
    with pytest.raises(RenderTimeout):
        engine.render(request_for(engine, GREEN))
    wait_until(lambda: gone([frozen]))
    assert_renders_again(engine)


def test_check_notices_a_dead_browser(make_engine: MakeEngine) -> None:
    engine = make_engine()
    engine.check()
    chromium(engine).kill()

    def unhealthy() -> bool:
        try:
            engine.check()
        except BrowserUnavailable:
            return True
        return False

    wait_until(unhealthy)
    wait_until(lambda: not unhealthy())


def test_spares_are_made_ahead_and_made_again(make_engine: MakeEngine) -> None:
    engine = make_engine(spare_contexts=2)
    wait_until(lambda: engine.status.spares == 2)
    assert renders(engine)
    wait_until(lambda: engine.status.spares == 2)


def test_it_renders_without_spares(make_engine: MakeEngine) -> None:
    engine = make_engine(spare_contexts=0)
    assert renders(engine)
    assert engine.status.spares == 0


def test_closing_answers_what_is_under_way_and_leaves_nothing(
    make_engine: MakeEngine, site: Site
) -> None:
    engine = make_engine(pages_per_browser=1)
    browser = chromium(engine)
    processes = [browser, browser.parent(), *browser.children(recursive=True)]
    with ThreadPoolExecutor(2) as pool:
        futures = start_held(pool, engine, site, 2)
        engine.close()
        for future in futures:
            with pytest.raises(BrowserUnavailable):
                future.result()
    wait_until(lambda: gone(processes))
    with pytest.raises(BrowserUnavailable):
        engine.render(request_for(engine, GREEN))


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
from pathlib import Path
from farm.render import Engine
from farm.request import HTML, RenderRequest
from farm.settings import Settings
engine = Engine(Settings())
engine.start()
engine.wait_started()
engine.render(RenderRequest.parse(b'{"html": "hello"}', HTML, engine.limits))
for process in psutil.Process(engine.chromium_pid).children(recursive=True):
    if "--type=renderer" in process.cmdline():
        (mode,) = [line for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()
                   if line.startswith("Seccomp:")]
        print(process.uids().real, mode)
engine.close()
"""


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
