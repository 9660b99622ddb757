"""The search for the smallest fleet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.plan.kinds import Kind, Mix
from farm.plan.machine import MachineType
from farm.plan.sizing import CELL, Sizing, SizingError, Target, smallest

#: Half a second of a core: a machine of two does four a second.
HALF = Kind("half", cpu_ms=500, waiting_ms=0, closing_ms=0, memory_mib=0, file_bytes=0)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("farm.plan.sizing.REQUESTS", 1200)


def sizing(target: Target, **given: object) -> Sizing:
    return Sizing(target, MachineType(), Mix({HALF: 1}), **given)  # type: ignore[arg-type]


@given(least=st.integers(1, 500), guess=st.integers(-3, 500))
def test_the_least_number_that_is_enough_is_found(least: int, guess: int) -> None:
    tried = []

    def is_enough(number: int) -> bool:
        tried.append(number)
        return number >= least

    assert smallest(is_enough, guess) == least
    assert min(tried) >= 1
    assert len(tried) <= 25


def test_the_cores_are_no_busier_than_they_may_be() -> None:
    found = sizing(Target(p95_s=30, busy_share=0.5, lost=0)).needed(8)
    assert found in (4, 5)


def test_as_many_more_as_may_be_lost() -> None:
    one = sizing(Target(p95_s=5, lost=0)).fleet(6)
    assert sizing(Target(p95_s=5, lost=2)).fleet(6) == one + 2


def test_a_shorter_p95_takes_more_machines() -> None:
    loose, tight = (sizing(Target(p95_s, busy_share=1, lost=0)) for p95_s in (3.0, 0.6))
    assert loose.needed(12) < tight.needed(12)


def test_a_large_fleet_has_so_many_machines_as_cells_of_it() -> None:
    found = sizing(Target(p95_s=5, busy_share=0.8, lost=0))
    small, large = found.needed(25), found.needed(2500)
    assert small < CELL < large
    assert large == pytest.approx(100 * small, rel=0.15)


def test_a_target_that_no_number_of_machines_meets_is_told() -> None:
    with pytest.raises(SizingError, match=r"p95 of 0.4 s: .* takes 0.50 s"):
        sizing(Target(p95_s=0.4)).check()


def test_workers_keep_up_with_their_queue() -> None:
    found = sizing(Target(p95_s=1000, busy_share=1, lost=0), concurrency=1)
    assert found.needed(10) in (5, 6)  # each does two a second: its one job has one core
