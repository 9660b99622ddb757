"""Converting in other processes: bounded, whatever the Markdown is."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psutil
import pytest

from farm.errors import Busy, OutputTooLarge, RenderTimeout
from farm.markdown import Converter, converter
from tests.support.farm_process import command_line

#: Takes minutes.
SLOW = "[^a]: x\n" + "[^a]" * 100 + "*a_ " * 3_000_000


@pytest.fixture
def converting() -> Iterator[Converter]:
    made = Converter()
    yield made
    made.close()


def processes() -> list[psutil.Process]:
    children = psutil.Process().children()
    return [child for child in children if "farm.markdown" in command_line(child)]


def test_a_process_is_started_once_and_ends_with_the_converter() -> None:
    before = processes()
    made = Converter()
    assert processes() == before
    assert "<h1" in made.convert("# a", 30)
    (process,) = set(processes()) - set(before)
    assert "<h2" in made.convert("## b", 30)
    assert set(processes()) - set(before) == {process}
    made.close()
    assert not process.is_running()


def test_margins_that_are_asked_for_are_not_overruled(converting: Converter) -> None:
    assert "@page" in converting.convert("a", 30)
    assert "@page" not in converting.convert("a", 30, has_margins=False)


def test_a_conversion_that_takes_too_long_is_killed_and_the_next_succeeds() -> None:
    made = Converter(max_s=1)
    with pytest.raises(RenderTimeout):
        made.convert(SLOW, 30)
    made._max_s = 30
    assert "<p>next</p>" in made.convert("next", 30)
    made.close()


def test_a_render_without_time_left_is_late(converting: Converter) -> None:
    with pytest.raises(RenderTimeout):
        converting.convert("a", 0)


def test_a_caller_that_gets_no_process_in_time_gets_busy(
    converting: Converter, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Barrier(3)
    release = threading.Event()

    class Slow:
        is_alive = True

        def convert(self, markdown: str, end: float, has_margins: bool) -> str:
            begun.wait()
            release.wait(30)
            return markdown

        def kill(self) -> None:
            """Nothing."""

    monkeypatch.setattr(converter, "_Process", Slow)
    with ThreadPoolExecutor(2) as pool:
        slow = [pool.submit(converting.convert, "a", 30) for _ in range(2)]
        begun.wait()
        with pytest.raises(Busy):
            converting.convert("b", 0.01)
        release.set()
        assert [each.result() for each in slow] == ["a", "a"]


def test_a_few_bytes_that_become_many_are_refused(converting: Converter) -> None:
    many = f"[a]: /{'x' * 1_000_000}\n\n" + "[a] " * 60
    with pytest.raises(OutputTooLarge):
        converting.convert(many, 60)
    assert "<p>next</p>" in converting.convert("next", 30)


def test_a_process_that_was_killed_is_replaced(converting: Converter) -> None:
    before = processes()
    converting.convert("a", 30)
    (process,) = set(processes()) - set(before)
    process.kill()
    process.wait(10)
    assert "<p>b</p>" in converting.convert("b", 30)


@pytest.mark.parametrize("markdown", [">" * 100_000, "- " * 50_000, "[a](" * 5_000, "[" * 5_000])
def test_markdown_that_is_nested_deeply_has_an_end(converting: Converter, markdown: str) -> None:
    with suppress(RenderTimeout):
        assert converting.convert(markdown, 2).endswith("</html>\n")
