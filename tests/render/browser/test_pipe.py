"""The switch in the pipe: one Chromium, which Playwright owns and the farm speaks to."""

import asyncio
import itertools
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis.strategies as st
import psutil
import pytest
from hypothesis import given
from playwright.sync_api import Browser

from farm.render.browser import pipe, pipe_ends
from farm.render.browser.chromium import find_chromium
from farm.render.browser.devtools import BrowserGone, Session, TimedOut
from farm.render.browser.thread import BrowserThread
from farm.settings import Settings
from tests.support.farm_process import driver_of, gone, wait_until
from tests.support.greenlets import Runner
from tests.support.site import Site

pytestmark = pytest.mark.dedicated


class Started:
    """A browser that is up, and the farm's session with it."""

    def __init__(self) -> None:
        sessions: list[Session] = []
        self.thread = BrowserThread(find_chromium(Settings()), sessions.append, lambda: None)
        self.thread.start()
        assert self.thread.wait_started(30)
        self.run = Runner(self.thread, sessions[0])

    @property
    def chromium(self) -> psutil.Process:
        return psutil.Process(self.thread.pid)

    @property
    def playwright(self) -> Browser:
        """Playwright's own object of the same browser."""
        sentinel = self.thread._sentinel
        assert sentinel is not None
        assert sentinel.browser is not None
        return sentinel.browser


@pytest.fixture
def started() -> Iterator[Started]:
    up = Started()
    yield up
    up.thread.stop()


def test_the_process_that_playwright_started_is_the_chromium_that_is_used(
    started: Started,
) -> None:
    chromium = started.chromium
    assert "--remote-debugging-pipe" in chromium.cmdline()
    assert "run-driver" in driver_of(chromium).cmdline()
    answer = started.run(lambda browser: browser.send("SystemInfo.getProcessInfo"))
    (pid,) = [p["id"] for p in answer["processInfo"] if p["type"] == "browser"]
    assert pid == chromium.pid


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_started_as_root_it_becomes_the_farms_user(started: Started) -> None:
    assert started.chromium.username() == Settings().user
    assert started.chromium.uids().effective != 0


def test_no_other_user_can_connect_instead_of_the_launcher() -> None:
    async def look() -> tuple[int, bool]:
        switch = pipe.Switch(lambda: None)
        folder = Path(switch.environment["FARM_SWITCH"]).parent
        mode = stat.S_IMODE(folder.stat().st_mode)
        switch.close()
        return mode, folder.exists()

    assert asyncio.run(look()) == (0o700, False)


def test_the_folder_of_the_socket_is_gone_once_the_browser_is_up(started: Started) -> None:
    switch = started.run(lambda browser: browser._switch)
    assert not switch._folder.exists()


def test_playwrights_own_pages_work_beside_the_farms(started: Started, site: Site) -> None:
    def work(_: Session) -> tuple[str, str]:
        context = started.playwright.new_context(proxy={"server": "http://per-context"})
        context.route("**", lambda route: route.fulfill(body="<title>Routed</title>"))
        page = context.new_page()
        page.goto("http://example.test/")
        found = page.title(), page.evaluate("6 * 7")
        context.close()
        return found

    assert started.run(work) == ("Routed", 42)
    assert started.run(lambda browser: browser.send("Browser.getVersion"))["product"]


def test_playwright_does_not_see_the_farms_pages(started: Started) -> None:
    def work(browser: Session) -> int:
        target = browser.send("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = browser.attach(target)
        assert session.send("Runtime.evaluate", {"expression": "1"})["result"]["value"] == 1
        context = started.playwright.new_context()
        context.new_page()
        pages = sum(len(each.pages) for each in started.playwright.contexts)
        context.close()
        return pages

    assert started.run(work) == 1


def test_what_playwright_says_at_the_start_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version of Playwright may say something that the switch must heed."""
    said: list[str] = []
    listen: Callable[[pipe.Switch, bytes], None] = pipe.Switch._from_playwright

    def note(switch: pipe.Switch, data: bytes) -> None:
        said.append(json.loads(data)["method"])
        listen(switch, data)

    monkeypatch.setattr(pipe.Switch, "_from_playwright", note)
    started = Started()
    try:
        assert said == [
            "Browser.getVersion",
            "Target.setAutoAttach",
            "Target.createBrowserContext",
            "Browser.setDownloadBehavior",
        ]
    finally:
        started.thread.stop()
    assert said[-1] == "Browser.close"


@pytest.mark.parametrize("victims", [("chromium",), ("driver",), ("driver", "chromium")])
def test_when_an_end_dies_nothing_is_left(started: Started, victims: tuple[str, ...]) -> None:
    chromium = started.chromium
    driver = driver_of(chromium)
    tree = [driver, *driver.children(recursive=True)]

    def work(browser: Session) -> None:
        browser.send("Browser.getVersion")
        browser.sleep(60)

    waiting = started.run.begin(work)
    for victim in victims:
        {"chromium": chromium, "driver": driver}[victim].kill()
    with pytest.raises(BrowserGone):
        waiting.result(20)
    wait_until(lambda: started.thread.down.is_set() and gone(tree))


def test_a_browser_that_is_stopped_leaves_nothing(started: Started) -> None:
    driver = driver_of(started.chromium)
    tree = [driver, *driver.children(recursive=True)]
    started.thread.stop()
    wait_until(lambda: gone(tree))


def test_a_farm_that_is_killed_leaves_nothing() -> None:
    program = (
        "from tests.render.browser.test_pipe import Started; started = Started();"
        "print(started.thread.pid, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as farm:
        assert farm.stdout is not None
        pid = next(int(line) for line in farm.stdout if line.strip().isdigit())
        driver = driver_of(psutil.Process(pid))
        tree = [driver, *driver.children(recursive=True)]
        farm.kill()
    wait_until(lambda: gone(tree))


def test_no_descriptor_is_left_open() -> None:
    """In a process that does nothing else. 200 instead of 4 is the long form."""
    command = [sys.executable, "-m", "tests.render.browser.relaunches", "4"]
    finished = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    assert finished.returncode == 0, finished.stdout


def test_a_driver_that_hangs_delays_no_page(started: Started) -> None:
    def evaluate(browser: Session) -> object:
        target = browser.send("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = browser.attach(target)
        return session.send("Runtime.evaluate", {"expression": "6 * 7"})["result"]["value"]

    driver = driver_of(started.chromium)
    driver.send_signal(signal.SIGSTOP)
    try:
        assert [started.run(evaluate) for _ in range(20)] == [42] * 20
    finally:
        driver.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("characters", [1, 70_000, 20_000_000])
def test_messages_of_any_size_come_whole(started: Started, characters: int) -> None:
    text = "\N{GRINNING FACE}" * (characters // 2) + "x"

    def echo(browser: Session) -> object:
        target = browser.send("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = browser.attach(target)
        world = session.send("Page.createIsolatedWorld", {"frameId": target, "worldName": "test"})
        params = {
            "functionDeclaration": "function (text) { return text + text.length }",
            "arguments": [{"value": text}],
            "executionContextId": world["executionContextId"],
            "returnByValue": True,
        }
        return session.send("Runtime.callFunctionOn", params)["result"]["value"]

    assert started.run(echo) == f"{text}{len(text.encode('utf-16-le')) // 2}"


def test_an_answer_after_its_timeout_is_ignored(started: Started) -> None:
    def work(browser: Session) -> object:
        target = browser.send("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = browser.attach(target)
        slow = {
            "expression": "new Promise((done) => setTimeout(done, 100))",
            "awaitPromise": True,
        }
        with pytest.raises(TimedOut):
            session.begin("Runtime.evaluate", slow).wait(0.01)
        session.sleep(0.2)
        return session.send("Runtime.evaluate", {"expression": "1"})["result"]["value"]

    assert started.run(work) == 1


@given(
    messages=st.lists(st.binary(max_size=40).map(lambda data: data.replace(b"\0", b"-"))),
    cuts=st.lists(st.integers(0, 400)),
)
def test_messages_come_whole_however_they_are_split(messages: list[bytes], cuts: list[int]) -> None:
    sent = b"".join(message + b"\0" for message in messages)
    places = sorted({0, len(sent), *(cut for cut in cuts if cut < len(sent))})

    async def read() -> list[bytes]:
        loop = asyncio.get_running_loop()
        ended = loop.create_future()
        received: list[bytes] = []
        ours, theirs = os.pipe()
        reader = pipe_ends.Reader(loop, ours, received.append, lambda: ended.set_result(None))
        for begin, end in itertools.pairwise(places):
            os.write(theirs, sent[begin:end])
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        os.close(theirs)
        await ended
        reader.close()
        return received

    assert asyncio.run(read()) == messages
