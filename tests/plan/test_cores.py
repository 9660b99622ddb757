"""Cores that tasks share."""

import random

import pytest

from farm.plan.cores import Cores
from farm.plan.events import Clock


def ends(cores: float, tasks: dict[str, tuple[float, float]]) -> dict[str, float]:
    """When each task ends, by when it comes and how much work it is."""
    clock, found = Clock(), {}
    shared = Cores(clock, cores)

    def begin(name: str) -> None:
        shared.work(tasks[name][1], end, name)

    def end(name: str) -> None:
        found[name] = clock.now

    for name, (comes, _) in tasks.items():
        clock.at(comes, begin, name)
    clock.run()
    assert shared.used_s == pytest.approx(sum(work for _, work in tasks.values()))
    return found


def test_a_task_has_one_core_at_the_most() -> None:
    assert ends(2, {"a": (0, 1), "b": (0.5, 2)}) == pytest.approx({"a": 1, "b": 2.5})


def test_more_tasks_than_cores_share_them() -> None:
    found = ends(2, {"a": (0, 1), "b": (0, 1), "c": (0, 1), "d": (0, 2)})
    assert found == pytest.approx({"a": 2, "b": 2, "c": 2, "d": 3})


def test_one_that_comes_slows_the_others_down() -> None:
    assert ends(1, {"a": (0, 1), "b": (0.5, 1)}) == pytest.approx({"a": 1.5, "b": 2})


def test_a_cancelled_task_leaves_its_core_to_the_others() -> None:
    clock = Clock()
    found: list[object] = []
    cores = Cores(clock, 1)
    first = cores.work(10, found.append, "first")
    cores.work(1, lambda _: found.append(clock.now), "second")
    clock.at(1, lambda _: cores.cancel(first))
    clock.run()
    assert found == [pytest.approx(1.5)]
    cores.cancel(first)  # again: nothing


def test_the_mean_response_is_that_of_m_g_1_processor_sharing() -> None:
    """S / (1 - load), whatever the work's distribution (Kleinrock, Queueing Systems 2, 4.4)."""
    clock, random_ = Clock(), random.Random(2)
    cores, took = Cores(clock, 1), []
    now = 0.0

    def begin(came: float) -> None:
        cores.work(random_.choice([0.2, 1.8]), lambda came: took.append(clock.now - came), came)

    for _ in range(15_000):
        now += random_.expovariate(0.6)
        clock.at(now, begin, now)
    clock.run()
    assert sum(took) / len(took) == pytest.approx(1 / (1 - 0.6), rel=0.1)
