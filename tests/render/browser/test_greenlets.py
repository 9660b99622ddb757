"""Greenlets of an event loop, without a browser: the test's own loop runs them."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from farm.render.browser.devtools import BrowserGone, Wait
from farm.render.browser.greenlets import Greenlets


@pytest.fixture
def greenlets() -> Greenlets:
    """Not opened: only a coroutine has a loop."""
    return Greenlets()


async def settled() -> None:
    """All that was spawned has run as far as it can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_work_of_any_thread_runs_in_the_loops(greenlets: Greenlets) -> None:
    greenlets.open()
    threads: list[threading.Thread] = []

    def spawn() -> None:
        assert greenlets.spawn(lambda: threads.append(threading.current_thread()))

    other = threading.Thread(target=spawn)
    other.start()
    other.join()
    await settled()
    assert threads == [threading.current_thread()]


async def test_other_work_runs_while_one_piece_waits(greenlets: Greenlets) -> None:
    greenlets.open()
    waits = {name: Wait() for name in "ab"}
    heard: list[str] = []

    def work(name: str) -> Callable[[], None]:
        return lambda: heard.append(f"{name} {waits[name].wait()}")

    for name in waits:
        assert greenlets.spawn(work(name))
    await settled()
    assert heard == []
    waits["b"].give(1)
    await settled()
    waits["a"].give(2)
    await settled()
    assert heard == ["b 1", "a 2"]


async def test_work_that_raises_ends_nothing_else(greenlets: Greenlets) -> None:
    greenlets.open()
    ran: list[str] = []

    def fail() -> None:
        raise RuntimeError("not the loop's business")

    greenlets.spawn(fail)
    greenlets.spawn(lambda: ran.append("after it"))
    await settled()
    assert ran == ["after it"]


async def test_what_still_waits_is_told_that_the_browser_is_gone(greenlets: Greenlets) -> None:
    greenlets.open()
    ended: list[str] = []

    def wait(name: str, wait: Wait) -> Callable[[], None]:
        def work() -> None:
            try:
                wait.wait()
                ended.append(f"{name}: answered")
            except BrowserGone:
                ended.append(f"{name}: gone")

        return work

    answered = Wait()
    greenlets.spawn(wait("one", answered))
    greenlets.spawn(wait("other", Wait()))
    await settled()
    answered.give()
    await settled()
    greenlets.end()
    greenlets.spawn(lambda: ended.append("later work"))
    await settled()
    assert ended == ["one: answered", "other: gone", "later work"]


def test_without_a_loop_no_work_is_taken(greenlets: Greenlets) -> None:
    async def opened() -> None:
        greenlets.open()

    assert not greenlets.spawn(lambda: None)
    asyncio.run(opened())
    assert not greenlets.spawn(lambda: None)  # the loop is closed
    greenlets.close()
    assert not greenlets.spawn(lambda: None)
