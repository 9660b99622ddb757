"""What all pages share: the GPU process is ended alone, whoever gave it too much to do."""

import io
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial

import psutil
import pytest
from PIL import Image

from farm.errors import FarmError, PageCrashes
from farm.render import Engine
from farm.render.browser.devtools import Session
from farm.render.browser.gpu import GpuProcess
from farm.render.browser.memory import proportional_bytes
from farm.render.keeping.drawing import capture_timeout_s
from tests.chaos.hostile import HOSTILE
from tests.conftest import request_for
from tests.support.farm_process import command_line, gone, wait_until
from tests.support.images import LIME, is_filled
from tests.support.site import Site

MakeEngine = Callable[..., Engine]
GREEN = "<body style='background:lime'>"
#: Draws red by WebGL, or all of the page blue where it cannot, once `/slow.svg` has been asked for.
WEBGL = """<body style='margin:0'><canvas id=c style='width:100vw;height:100vh'></canvas><script>
const gl = c.getContext('webgl', {preserveDrawingBuffer: true});
if (gl) { gl.clearColor(1, 0, 0, 1); gl.clear(gl.COLOR_BUFFER_BIT); }
else { c.remove(); document.body.style.background = 'blue'; }
</script>"""
SIZE = {"width": 64, "height": 64}


def hostile(name: str) -> str:
    return next(bad.html for bad in HOSTILE if bad.name == name)


def gpu_of(engine: Engine) -> psutil.Process:
    found: list[psutil.Process] = []

    def find() -> bool:
        browser = psutil.Process(engine.chromium_pid)
        found[:] = [
            child
            for child in browser.children(recursive=True)
            if "--type=gpu-process" in command_line(child)
        ]
        return bool(found)

    wait_until(find)
    return found[0]


def held_bytes(engine: Engine) -> int:
    browser = psutil.Process(engine.chromium_pid)
    tree = [browser, *browser.children(recursive=True)]
    return sum(proportional_bytes(process.pid) for process in tree)


def renders(engine: Engine) -> bool:
    return is_filled(engine.render(request_for(engine, GREEN)).data, LIME)


def colour(data: bytes) -> tuple[int, ...]:
    with Image.open(io.BytesIO(data)) as image:
        return image.convert("RGB").getpixel((32, 32))  # type: ignore[return-value]


@contextmanager
def neighbours(engine: Engine, count: int = 2) -> Iterator[list[object]]:
    """Clients that render all the while; what was wrong, as it is found."""
    wrong: list[object] = []
    over = threading.Event()

    def client() -> None:
        while not over.is_set():
            try:
                if not renders(engine):
                    wrong.append("wrong pixels")
            except BaseException as exc:
                wrong.append(exc)

    threads = [threading.Thread(target=client) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield wrong
    finally:
        over.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("name", ["gpu: webgl", "gpu: blurred layers"])
def test_a_page_that_blocks_the_gpu_process_fails_alone(make_engine: MakeEngine, name: str) -> None:
    # Room for what its layers hold: beyond the bound, memory would end the browser.
    engine = make_engine(render_deadline_s=60, browser_memory_mb=16_000)
    pid, gpu = engine.chromium_pid, gpu_of(engine)
    with neighbours(engine) as wrong:
        with pytest.raises(PageCrashes):
            engine.render(request_for(engine, hostile(name)))
        assert renders(engine)
    assert wrong == []
    assert engine.chromium_pid == pid, "the browser did not have to die for it"
    assert gone([gpu])
    with pytest.raises(PageCrashes, match="refused"):
        engine.render(request_for(engine, hostile(name)))


def test_gpu_work_of_a_late_page_is_ended_before_the_next_render(
    make_engine: MakeEngine,
) -> None:
    engine = make_engine()
    pid, gpu = engine.chromium_pid, gpu_of(engine)
    gpu.suspend()
    rendering = engine.begin(request_for(engine, GREEN))
    wait_until(lambda: rendering.tries == 1)
    engine.cancel(rendering)
    wait_until(lambda: gone([gpu]))
    assert renders(engine)
    assert engine.chromium_pid == pid


def test_a_page_that_cannot_be_made_says_nothing_of_the_gpu_process(
    make_engine: MakeEngine, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine the farm's own page may take longer to make than it is waited for."""
    monkeypatch.setattr("farm.render.browser.gpu._PAGE_S", 0.0)
    monkeypatch.setattr("farm.render.keeping.drawing._MAX_UNMADE", 1000)
    tries, new_page = [], GpuProcess.new_page

    def counted(own: GpuProcess) -> AbstractContextManager[Session]:
        tries.append(own)
        return new_page(own)

    monkeypatch.setattr(GpuProcess, "new_page", counted)
    engine = make_engine()
    process = gpu_of(engine)
    with ThreadPoolExecutor(1) as pool:
        html = f"{GREEN}<img src='{site.url}/slow.svg' hidden>"
        held = pool.submit(engine.render, request_for(engine, html))
        wait_until(lambda: len(tries) > 5)
        site.hold.set()
        assert is_filled(held.result().data, LIME)
    assert process.is_running()
    assert engine.status.gpu_ends == {}


def test_a_browser_that_makes_no_page_again_and_again_is_replaced(
    make_engine: MakeEngine, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("farm.render.browser.gpu._PAGE_S", 0.0)
    engine = make_engine()
    pid = engine.chromium_pid
    with ThreadPoolExecutor(1) as pool:
        html = f"{GREEN}<img src='{site.url}/slow.svg' hidden>"
        held = pool.submit(engine.render, request_for(engine, html))
        wait_until(lambda: engine.chromium_pid not in (None, pid))
        monkeypatch.undo()
        site.hold.set()
        held.exception()  # it has lost one browser, and perhaps two
    assert renders(engine)


@pytest.mark.parametrize(
    ("made_s", "is_alone", "timeout_s"),
    [(0.05, False, 2), (0.05, True, 3), (0.8, False, 4), (0.8, True, 4), (9, False, 10)],
)
def test_where_a_page_takes_long_to_be_made_its_capture_may_too(
    made_s: float, is_alone: bool, timeout_s: float
) -> None:
    assert capture_timeout_s(made_s, is_alone) == timeout_s


def test_a_death_of_the_gpu_process_does_not_affect_pages_without_webgl(
    make_engine: MakeEngine, site: Site
) -> None:
    engine = make_engine()
    pid = engine.chromium_pid

    def has_asked(count: int) -> bool:
        return len(site.requests) >= count

    for _ in range(8):  # by default the sixth death is the browser's
        site.hold.clear()
        gpu = gpu_of(engine)
        with ThreadPoolExecutor(2) as pool:
            before = len(site.requests)
            html = f"{GREEN}<img src='{site.url}/slow.svg' hidden>"
            held = [pool.submit(engine.render, request_for(engine, html)) for _ in range(2)]
            wait_until(partial(has_asked, before + 2))
            gpu.kill()
            wait_until(partial(gone, [gpu]))
            site.hold.set()
            assert all(is_filled(each.result().data, LIME) for each in held)
    assert engine.chromium_pid == pid
    assert engine.status.retries == 0
    assert engine.status.gpu_ends == {"died": 8}


def test_what_a_page_drew_by_webgl_is_drawn_again_when_the_gpu_process_dies(
    make_engine: MakeEngine, site: Site
) -> None:
    engine = make_engine()
    assert colour(engine.render(request_for(engine, WEBGL, **SIZE)).data) == (255, 0, 0)
    gpu = gpu_of(engine)
    with ThreadPoolExecutor(1) as pool:
        html = f"{WEBGL}<img src='{site.url}/slow.svg' hidden>"
        held = pool.submit(engine.render, request_for(engine, html, **SIZE))
        wait_until(lambda: site.requests)
        gpu.kill()
        wait_until(lambda: gone([gpu]))
        site.hold.set()
        assert colour(held.result().data) == (255, 0, 0)
    assert engine.status.retries == 1
    after = engine.render(request_for(engine, WEBGL, **SIZE))
    assert colour(after.data) == (255, 0, 0), "pages still have WebGL"


def test_without_webgl_pages_have_none(make_engine: MakeEngine) -> None:
    engine = make_engine(webgl="off")
    assert colour(engine.render(request_for(engine, WEBGL, **SIZE)).data) == (0, 0, 255)
    in_canvas = WEBGL.replace("c.getContext", "new OffscreenCanvas(9, 9).getContext")
    assert colour(engine.render(request_for(engine, in_canvas, **SIZE)).data) == (0, 0, 255)


def test_memory_that_a_page_holds_in_the_gpu_process_is_bounded(make_engine: MakeEngine) -> None:
    """On a busy machine the process may be ended for not drawing first, and the page rendered again
    without WebGL, where it holds nothing.
    """
    engine = make_engine(browser_memory_mb=500, render_deadline_s=60)
    gpu = gpu_of(engine)
    with neighbours(engine, 1) as wrong, suppress(PageCrashes):
        engine.render(request_for(engine, hostile("memory: textures"), waitFor=20000))
    assert wrong == []
    assert gone([gpu])
    assert engine.status.browser_restarts == 0, "the browser did not have to die for it"


def test_memory_that_a_page_holds_in_the_browsers_own_process_is_bounded(
    make_engine: MakeEngine,
) -> None:
    """Its own process holds the blobs until the browser's does: either may be found to."""
    engine = make_engine(browser_memory_mb=500, render_deadline_s=60)
    with neighbours(engine, 1) as wrong, pytest.raises(PageCrashes):
        engine.render(request_for(engine, hostile("memory: blobs"), waitFor=20000))
    assert wrong == []
    wait_until(lambda: held_bytes(engine) < 500 << 20)


def test_a_page_that_floods_the_browsers_own_process_harms_no_neighbour(
    make_engine: MakeEngine,
) -> None:
    engine = make_engine(render_deadline_s=15)
    with neighbours(engine, 1) as wrong, suppress(FarmError):
        engine.render(request_for(engine, hostile("browser: hashes")))
    assert wrong == []
    assert engine.status.browser_restarts == 0


def test_a_page_with_hundreds_of_busy_workers_harms_no_neighbour(make_engine: MakeEngine) -> None:
    # On a busy machine it has time to be tried again, alone.
    engine = make_engine(render_deadline_s=60)
    with neighbours(engine, 1) as wrong, pytest.raises(PageCrashes):
        engine.render(request_for(engine, hostile("page: workers")))
    assert wrong == []
    assert engine.status.browser_restarts == 0


def test_while_nothing_is_drawn_the_health_check_says_so(make_engine: MakeEngine) -> None:
    engine = make_engine()
    assert engine._keeper.host is not None
    stalled = engine._keeper.host.drawing
    assert stalled is not None
    stalled._unanswered_since = 0.0  # the boot of the machine
    assert engine._keeper.unhealthy_s > 3
