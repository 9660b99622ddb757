"""DevTools commands to targets, on a real browser."""

from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from farm.render.browser.chromium import find_chromium
from farm.render.browser.devtools import CommandFailed, Session, TargetGone
from farm.render.browser.thread import BrowserThread
from farm.settings import Settings
from tests.support.greenlets import Runner


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    """Runs functions in greenlets of a browser's thread, with the browser."""
    browsers: list[Session] = []
    thread = BrowserThread(find_chromium(Settings()), browsers.append, lambda: None)
    thread.start()
    assert thread.wait_started(30)
    yield Runner(thread, browsers[0])
    thread.stop()


def opened(browser: Session) -> Session:
    return browser.attach(browser.send("Target.createTarget", {"url": "about:blank"})["targetId"])


def evaluated(session: Session, expression: str) -> object:
    params = {"expression": expression, "awaitPromise": True}
    return session.send("Runtime.evaluate", params)["result"].get("value")


def test_a_command_is_answered(runner: Runner) -> None:
    assert runner(lambda browser: evaluated(opened(browser), "6 * 7")) == 42


def test_concurrent_commands_get_their_own_answers(runner: Runner) -> None:
    """The first to ask is the last to be answered."""

    def ask(browser: Session) -> list[object]:
        session = opened(browser)
        answers: list[object] = []

        def begun(ms: int) -> Future[Any]:
            script = f"new Promise(r => setTimeout(r, {ms}, {ms}))"
            return runner.begin(lambda _: answers.append(evaluated(session, script)))

        asking = [begun(ms) for ms in (300, 200, 100)]
        while not all(each.done() for each in asking):
            session.sleep(0.01)
        return answers

    assert runner(ask) == [100, 200, 300]


def test_a_failed_command_has_chromiums_message(runner: Runner) -> None:
    with pytest.raises(CommandFailed, match="wasn't found"):
        runner(lambda browser: opened(browser).send("Page.noSuchCommand"))


def test_an_unknown_target_is_said(runner: Runner) -> None:
    with pytest.raises(CommandFailed, match="No target"):
        runner(lambda browser: browser.attach("no-such-target"))


@pytest.mark.parametrize("wait", ["send", "sleep"])
def test_a_wait_for_a_closed_page_fails(runner: Runner, wait: str) -> None:
    def close(browser: Session) -> None:
        page = browser.send("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = browser.attach(page)
        waiting = runner.begin(
            lambda _: (
                evaluated(session, "new Promise(() => 0)") if wait == "send" else session.sleep(60)
            )
        )
        browser.send("Target.closeTarget", {"targetId": page})
        while not waiting.done():
            browser.send("Browser.getVersion")
        assert session.ended
        assert not session.crashed
        waiting.result()

    with pytest.raises(TargetGone):
        runner(close)


def test_a_command_to_a_crashed_page_does_not_wait(runner: Runner) -> None:
    def count(browser: Session) -> tuple[int, int]:
        page = browser.send("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = browser.attach(page)
        before = len(session._switch._answers)
        for _ in range(3):
            session.begin("Runtime.evaluate", {"expression": "while (true);"})
        browser.send("Target.closeTarget", {"targetId": page})
        while not session.ended:
            browser.send("Browser.getVersion")
        return before, len(session._switch._answers)

    before, after = runner(count)
    assert after == before


def test_a_command_to_a_closed_page_fails_at_once(runner: Runner) -> None:
    def ask_twice(browser: Session) -> None:
        session = opened(browser)
        with pytest.raises(TargetGone):
            session.send("Page.crash")
        assert session.crashed
        with pytest.raises(TargetGone):
            session.sleep(60)
        session.send("Page.enable")

    with pytest.raises(TargetGone):
        runner(ask_twice)


class _Switch:
    """Takes a session that is not spoken with."""

    ended = False

    def open(self, _id: str, _on_event: object) -> None: ...


def test_an_event_has_several_handlers_each_called_once_and_not_after_it_was_taken_off() -> None:
    session = Session(_Switch(), "page")  # type: ignore[arg-type]
    first: list[dict[str, object]] = []
    second: list[dict[str, object]] = []
    first_handler, second_handler = first.append, second.append
    session.on("Page.event", first_handler)
    session.on("Page.event", second_handler)
    session.on("Page.event", first_handler)
    session._on_event("Page.event", {"n": 1})
    assert first == second == [{"n": 1}]
    session.off("Page.event", first_handler)
    session._on_event("Page.event", {"n": 2})
    assert (len(first), len(second)) == (1, 2)
