"""The model of the line does what the line does."""

import time
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.errors import Busy
from farm.plan import line
from farm.plan.line import Line
from farm.render import slots
from farm.render.slots import Slots

#: What may happen: a second or a part of it passes, and something is done to the line. Quarters are
#: exact in binary, so that both come to the same sums.
STEPS = st.lists(
    st.tuples(st.integers(0, 8), st.sampled_from(["come", "leave", "end"]), st.integers(0, 9)),
    max_size=60,
)


def test_the_constants_are_the_same() -> None:
    assert (line.SHARE_S, line.NEWEST) == (slots.SHARE_S, slots._NEWEST)


@given(
    pages=st.integers(1, 5),
    max_waiting=st.integers(0, 4),
    at_once=st.integers(1, 5),
    deadline_s=st.sampled_from([1.0, 4.0, 30.0]),
    steps=STEPS,
)
def test_it_admits_refuses_and_gives_pages_as_the_farm_does(
    pages: int,
    max_waiting: int,
    at_once: int,
    deadline_s: float,
    steps: list[tuple[int, str, int]],
) -> None:
    now = 0.0
    real: Slots[int] = Slots(pages, max_waiting, at_once)
    model: Line[int] = Line(pages, max_waiting, at_once)
    running: list[int] = []
    waiting: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slots, "time", SimpleNamespace(monotonic=lambda: now))
        for number, (quarters, step, which) in enumerate(steps):
            now += quarters / 4
            if step == "come":
                refusal = model.refusal(now, deadline_s)
                assert refusal == _refusal(real, number, deadline_s)
                if refusal is None:
                    model.join(number)
                    waiting.append(number)
            elif step == "leave" and waiting:
                item = waiting.pop(which % len(waiting))
                assert real.remove_waiting(item)
                assert model.remove_waiting(item)
            elif step == "end" and running:
                item = running.pop(which % len(running))
                real.release(item)
                model.release(now, item)
            while (taken := real.take()) is not None:
                assert model.take(now) == taken
                waiting.remove(taken)
                running.append(taken)
            assert model.take(now) is None
            assert model.running == real.running <= pages


def _refusal(real: Slots[int], item: int, deadline_s: float) -> int | None:
    try:
        real.join(item, deadline_s)
    except Busy as exc:
        return exc.retry_after_s
    return None


def test_the_line_moves_when_a_page_has_had_its_share() -> None:
    model: Line[str] = Line(pages=2, max_waiting=2, at_once=1)
    model.join("first")
    model.join("second")
    assert model.take(0.0) == "first"
    assert model.take(1.0) is None
    wake = model.next_share_end()
    assert wake == line.SHARE_S
    assert model.take(wake) == "second"
    assert model.next_share_end() is None


def test_the_real_clock_is_back() -> None:
    assert vars(slots)["time"] is time
