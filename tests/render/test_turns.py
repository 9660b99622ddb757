"""Turns between callers: weighted, without starvation, and first come, first served within each."""

import itertools
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.render.turns import Turns

WEIGHTS = {"a": 1, "b": 1, "c": 3, "d": 100}
#: Who puts an item; None: one is taken.
STEPS = st.lists(st.sampled_from([*WEIGHTS, None]), max_size=300)
Item = tuple[str, int]


def taken(turns: Turns[Item], count: int = 10_000) -> list[str]:
    """The callers of the next items."""
    items = itertools.takewhile(lambda item: item is not None, iter(turns.take, object()))
    return [item[0] for item in itertools.islice(items, count) if item is not None]


def filled(**counts: int) -> Turns[Item]:
    turns: Turns[Item] = Turns()
    for caller, count in counts.items():
        for number in range(count):
            turns.put((caller, number), caller, WEIGHTS[caller])
    return turns


def test_two_callers_take_turns_whatever_each_has_in_the_line() -> None:
    assert taken(filled(a=1000, b=3), 7) == ["a", "b", "a", "b", "a", "b", "a"]


def test_a_caller_has_as_many_turns_as_its_weight() -> None:
    order = taken(filled(a=100, c=100), 40)
    assert (order.count("a"), order.count("c")) == (10, 30)


def test_one_that_comes_later_is_next_but_one_and_does_not_catch_up() -> None:
    turns = filled(a=50)
    taken(turns, 20)
    for number in range(10):
        turns.put(("b", number), "b", 1)
    assert taken(turns, 6) == ["a", "b", "a", "b", "a", "b"]


def test_one_that_comes_back_each_time_is_not_always_next() -> None:
    """Its last turn is remembered for as long as it matters."""
    turns = filled(a=20)
    order = []
    for number in range(10):
        turns.put(("b", number), "b", 1)
        order += taken(turns, 2)
    assert (order.count("a"), order.count("b")) == (10, 10)


def test_what_is_put_back_goes_before_all_others() -> None:
    turns = filled(a=3, b=3)
    first = turns.take()
    assert first is not None
    turns.put_back(first)
    assert turns.take() == first


@given(STEPS)
def test_nothing_is_lost_and_each_callers_items_keep_their_order(steps: list[str | None]) -> None:
    turns: Turns[Item] = Turns()
    waiting: dict[str, list[Item]] = defaultdict(list)
    for number, caller in enumerate(steps):
        if caller is not None:
            turns.put((caller, number), caller, WEIGHTS[caller])
            waiting[caller].append((caller, number))
        else:
            item = turns.take()
            assert (item is None) == (not any(waiting.values()))
            if item is not None:
                assert waiting[item[0]].pop(0) == item
        assert len(turns) == sum(map(len, waiting.values())) == len(list(turns))


@given(STEPS, st.sampled_from(sorted(WEIGHTS)), st.sampled_from(sorted(WEIGHTS)))
def test_who_waits_all_the_time_has_its_share_within_one_turn_of_each(
    steps: list[str | None], one: str, other: str
) -> None:
    """Whatever others do: the bound of start-time fair queueing (Goyal, Vin, Cheng 1996)."""
    turns = filled(**{one: 400, other: 400})
    had = {one: 0, other: 0}
    for number, caller in enumerate(steps):
        if caller not in (None, one, other):
            turns.put((caller, number), caller, WEIGHTS[caller])
        item = turns.take()
        assert item is not None
        if item[0] in had:
            had[item[0]] += 1
        shares = [had[each] / WEIGHTS[each] for each in (one, other)]
        bound = 1 / WEIGHTS[one] + 1 / WEIGHTS[other]
        assert abs(shares[0] - shares[1]) <= bound + 1e-6


@given(STEPS, st.sampled_from(sorted(WEIGHTS)))
def test_how_many_go_before_is_told_to_one_for_each_other_caller(
    steps: list[str | None], caller: str
) -> None:
    turns: Turns[Item] = Turns()
    for number, each in enumerate(steps):
        if each is None:
            turns.take()
        else:
            turns.put((each, number), each, WEIGHTS[each])
    told = turns.ahead_of(caller, WEIGHTS[caller])
    turns.put((caller, -1), caller, WEIGHTS[caller])
    real = [turns.take() for _ in range(len(turns))].index((caller, -1))
    assert real <= told <= real + len(WEIGHTS) - 1


@pytest.mark.parametrize(("counts", "may"), [({"a": 3}, True), ({"a": 1}, False), ({}, False)])
def test_only_who_has_less_may_displace(counts: dict[str, int], may: bool) -> None:
    assert filled(**counts).may_displace("b", 1) is may


def test_the_newest_of_who_has_most_by_weight_is_displaced() -> None:
    turns = filled(a=4, c=6)
    assert turns.may_displace("d", 100)
    assert turns.displace() == (("a", 3), "a", 1)
    assert not turns.may_displace("a", 1), "nor back again"


@given(STEPS, st.sampled_from(sorted(WEIGHTS)))
def test_who_was_displaced_cannot_displace_another(steps: list[str | None], caller: str) -> None:
    turns: Turns[Item] = Turns()
    for number, each in enumerate(steps):
        if each is not None:
            turns.put((each, number), each, WEIGHTS[each])
    if turns.may_displace(caller, WEIGHTS[caller]):
        _, heaviest, weight = turns.displace()
        turns.put((caller, -1), caller, WEIGHTS[caller])
        assert heaviest != caller
        assert not turns.may_displace(heaviest, weight)
