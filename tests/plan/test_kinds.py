"""Kinds of pages, and mixes of them."""

import random

import pytest

from farm.plan.kinds import MEASURED, KindsError, Mix, Spread


def test_a_mix_is_read_and_its_shares_are_one_together() -> None:
    mix = Mix.parse("simple=3, url=1")
    assert mix.shares == {MEASURED["simple"]: 0.75, MEASURED["url"]: 0.25}
    wanted = 0.75 * MEASURED["simple"].work_ms + 0.25 * MEASURED["url"].work_ms
    assert mix.mean("work_ms") == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("huge=1", "'huge' is none of the kinds simple"),
        ("simple", "is not like simple=60"),
        ("simple=many", "is not like simple=60"),
        ("simple=-1,url=2", "not negative"),
        ("simple=0", "not all 0"),
        ("simple=inf", "must be numbers"),
        ("simple=1,url=1,simple=2", "simple is there twice"),
    ],
)
def test_a_mix_that_cannot_be_read_says_why(text: str, problem: str) -> None:
    with pytest.raises(KindsError, match=problem):
        Mix.parse(text)


def test_a_spread_has_values_of_its_buckets() -> None:
    spread = Spread((1.0, 2.0, 4.0), (50.0, 50.0, 100.0))
    random_ = random.Random(1)
    values = [spread.sample(random_) for _ in range(4000)]
    assert sum(value <= 1 for value in values) == pytest.approx(2000, rel=0.05)
    assert not any(1 < value < 2 for value in values)
    assert sum(values) / len(values) == pytest.approx(spread.mean, rel=0.05)
    assert spread.mean == pytest.approx((0.5 + 3.0) / 2)


def test_a_kind_that_takes_longer_spends_the_same_part_after_its_answer() -> None:
    kind = MEASURED["url"]
    slow = kind.taking(2 * kind.work_ms)
    assert slow.work_ms == pytest.approx(2 * kind.work_ms)
    assert slow.closing_ms / slow.cpu_ms == pytest.approx(kind.closing_ms / kind.cpu_ms)
    assert slow.waiting_ms == kind.waiting_ms
