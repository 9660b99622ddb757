"""The line: first come, first served, and bounded."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.errors import Busy
from farm.render.slots import SHARE_S, Slots


def test_a_full_line_refuses_at_once() -> None:
    slots: Slots[str] = Slots(slots=1, max_waiting=1)
    slots.join("first")
    assert slots.take() == "first"
    slots.join("second")
    with pytest.raises(Busy) as caught:
        slots.join("third")
    assert caught.value.retry_after_s == 1


def test_no_more_run_than_there_are_slots() -> None:
    slots: Slots[int] = Slots(slots=2, max_waiting=8)
    for item in range(5):
        slots.join(item)
    assert [slots.take(), slots.take(), slots.take()] == [0, 1, None]
    assert (slots.running, slots.waiting) == (2, 3)


def test_the_oldest_goes_first() -> None:
    slots: Slots[int] = Slots(slots=1, max_waiting=8)
    for number in range(3):
        slots.join(number)
    order = []
    while (item := slots.take()) is not None:
        order.append(item)
        slots.release(item)
    assert order == [0, 1, 2]


def test_one_that_leaves_is_not_taken() -> None:
    slots: Slots[str] = Slots(slots=1, max_waiting=8)
    slots.join("leaves")
    slots.join("stays")
    assert slots.remove_waiting("leaves")
    assert slots.take() == "stays"
    assert not slots.remove_waiting("stays")


def test_releasing_twice_frees_one_slot() -> None:
    slots: Slots[str] = Slots(slots=2, max_waiting=8)
    for item in ("a", "b"):
        slots.join(item)
        slots.take()
    slots.release("a")
    slots.release("a")
    assert slots.running == 1


def test_retry_after_follows_the_measured_service_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("farm.render.slots.time.monotonic", lambda: now[0])
    slots: Slots[int] = Slots(slots=2, max_waiting=4)
    slots.join(0)
    slots.take()
    now[0] = 10.0
    slots.release(0)
    for item in range(1, 7):
        slots.join(item)
        slots.take()
    with pytest.raises(Busy) as caught:
        slots.join(7)
    # Four wait and one more comes: five renders of 10 s each over two slots.
    assert caught.value.retry_after_s == 25


def test_what_would_not_be_done_in_time_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("farm.render.slots.time.monotonic", lambda: now[0])
    slots: Slots[int] = Slots(slots=2, max_waiting=100)
    slots.join(0, deadline_s=1)
    slots.take()
    now[0] = 10.0
    slots.release(0)
    # A free slot is worth trying, whatever the last render took.
    for item in (1, 2):
        slots.join(item, deadline_s=1)
        slots.take()
    # Renders of 10 s, two at a time: a wait of 5 s for the first in line, of 10 s for the second.
    slots.join(3, deadline_s=15)
    with pytest.raises(Busy, match="in time") as caught:
        slots.join(4, deadline_s=15)
    assert caught.value.retry_after_s == 10
    slots.join(4, deadline_s=20)


def test_one_that_rejoins_goes_before_all_others() -> None:
    slots: Slots[str] = Slots(slots=1, max_waiting=8)
    for item in ("lost", "next"):
        slots.join(item)
    assert slots.take() == "lost"
    slots.requeue("lost")
    assert slots.running == 0
    assert [slots.take(), slots.take()] == ["lost", None]


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, by the slots' clock."""
    time = [100.0]
    monkeypatch.setattr("farm.render.slots.time.monotonic", lambda: time[0])
    return time


def test_no_more_begin_at_once_than_may(now: list[float]) -> None:
    slots: Slots[int] = Slots(slots=4, max_waiting=8, at_once=2)
    for item in range(6):
        slots.join(item)
    assert [slots.take() for _ in range(3)] == [0, 1, None]
    slots.release(0)
    assert [slots.take() for _ in range(2)] == [2, None]


def test_what_takes_longer_keeps_no_other_from_beginning(now: list[float]) -> None:
    slots: Slots[int] = Slots(slots=3, max_waiting=8, at_once=1)
    for item in range(4):
        slots.join(item)
    for item in range(3):
        assert [slots.take() for _ in range(2)] == [item, None]
        assert slots.waiting == 3 - item
        now[0] += SHARE_S
    assert slots.take() is None, "every slot is taken"


ACTIONS = st.lists(st.sampled_from(["join", "take", "release", "leave"]), max_size=200)


@given(ACTIONS, st.integers(1, 4), st.integers(0, 4))
def test_no_order_of_calls_breaks_the_bounds(actions: list[str], pages: int, line: int) -> None:
    slots: Slots[int] = Slots(pages, line)
    waiting: list[int] = []
    running: list[int] = []
    for number, action in enumerate(actions):
        if action == "join":
            if len(waiting) + len(running) < pages + line:
                slots.join(number)
                waiting.append(number)
            else:
                with pytest.raises(Busy):
                    slots.join(number)
        elif action == "take":
            expected = waiting[0] if waiting and len(running) < pages else None
            assert slots.take() == expected
            if expected is not None:
                running.append(waiting.pop(0))
        elif action == "release" and running:
            slots.release(running.pop(0))
        elif action == "leave" and waiting:
            assert slots.remove_waiting(waiting.pop())
        assert slots.running == len(running) <= pages


def test_many_threads_share_the_line() -> None:
    slots: Slots[int] = Slots(slots=3, max_waiting=1000)
    threads = [threading.Thread(target=slots.join, args=(n,)) for n in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = set()
    while (item := slots.take()) is not None:
        taken.add(item)
        slots.release(item)
    assert taken == set(range(200))


def test_callers_take_turns_and_each_ones_items_keep_their_order() -> None:
    slots: Slots[str] = Slots(slots=1, max_waiting=20)
    for number in range(4):
        slots.join(f"a{number}", caller="a")
    slots.join("b0", caller="b")
    slots.join("c0", caller="c", weight=2)
    slots.join("c1", caller="c", weight=2)
    order = []
    while (item := slots.take()) is not None:
        order.append(item)
        slots.release(item)
    assert order == ["a0", "b0", "c0", "c1", "a1", "a2", "a3"]


def test_a_line_full_of_one_callers_items_lets_another_in_and_keeps_its_bound() -> None:
    slots: Slots[str] = Slots(slots=1, max_waiting=4)
    for number in range(5):
        slots.join(f"a{number}", caller="a")
    assert slots.take() == "a0"
    with pytest.raises(Busy):
        slots.join("a5", caller="a")
    slots.admit(1, caller="b")
    displaced = [slots.join(f"b{number}", caller="b") for number in range(2)]
    assert [each.item for each in displaced if each] == ["a4", "a3"]
    assert all(each and "other callers" in str(each.reason) for each in displaced)
    for caller in ("a", "b"):  # each has its half
        with pytest.raises(Busy):
            slots.join("x", caller=caller)
    assert slots.waiting == 4
    assert slots.join("c0", caller="c")


def test_retry_after_and_the_deadline_are_by_the_callers_own_turn(now: list[float]) -> None:
    slots: Slots[str] = Slots(slots=1, max_waiting=10)
    slots.join("first")
    slots.take()
    now[0] += 10
    slots.release("first")
    for number in range(10):
        slots.join(f"a{number}", caller="a")
    assert slots.take() == "a0"
    # Renders of 10 s. Behind nine of its own the next has its slot in 100 s; another caller's is
    # the next but one.
    with pytest.raises(Busy, match="in time") as caught:
        slots.join("a10", deadline_s=30, caller="a")
    assert caught.value.retry_after_s == 100
    assert slots.join("b0", deadline_s=30, caller="b") is None
    with pytest.raises(Busy, match="in time"):
        slots.join("b1", deadline_s=30, caller="b")


def test_one_that_leaves_or_rejoins_is_nobodys_turn() -> None:
    slots: Slots[str] = Slots(slots=1, max_waiting=20)
    for name in ("a0", "a1", "b0", "b1"):
        slots.join(name, caller=name[0])
    assert slots.take() == "a0"
    slots.requeue("a0")
    assert slots.remove_waiting("b0")
    order = []
    while (item := slots.take()) is not None:
        order.append(item)
        slots.release(item)
    assert order == ["a0", "b1", "a1"]
