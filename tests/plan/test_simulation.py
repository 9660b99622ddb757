"""The simulation against closed forms, and what holds whatever comes."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.plan.events import Clock
from farm.plan.fleet import Balanced, Fleet, Queued
from farm.plan.kinds import MEASURED, Kind, Mix, Spread
from farm.plan.machine import MachineType
from farm.plan.simulation import Arrival, Load, Outcome, Simulation, arrivals

#: A second of waiting and no work: then a farm is a queue with its pages as servers.
FIXED = Kind("fixed", cpu_ms=0, waiting_ms=1000, closing_ms=0, memory_mib=0, file_bytes=0)


def exponential() -> Kind:
    """The same with a time that is exponentially distributed, in steps of a thousandth."""
    shares = [n / 1000 for n in range(1, 1000)]
    bounds = [-math.log(1 - share) for share in shares] + [10.0]
    spread = Spread(tuple(bounds), tuple(range(1, 1001)))
    return Kind("exponential", 0, 1000, 0, 0, 0, spread)


def run(
    mix: Mix, type_: MachineType, rate: float, seconds: float, machines: int = 1, **load: float
) -> Outcome:
    def make(clock: Clock, random_: random.Random) -> Fleet:
        return Balanced(clock, type_, machines, random_)

    return Simulation(make, Load(rate, seconds, mix, **load), seed=3).run()  # type: ignore[arg-type]


def mean_wait_s(outcome: Outcome) -> float:
    """Before a page is given, where a page has it for a second on average."""
    return sum(outcome.latencies_s) / outcome.served - 1


def erlang_c(servers: int, load: float) -> float:
    """How likely a customer waits in M/M/c."""
    terms = [load**n / math.factorial(n) for n in range(servers)]
    last = load**servers / math.factorial(servers) * servers / (servers - load)
    return last / (sum(terms) + last)


def test_the_wait_is_that_of_m_m_c() -> None:
    servers, rate = 4, 2.4
    type_ = MachineType(cores=2, pages=servers, max_waiting=100_000, deadline_s=1e9)
    outcome = run(Mix({exponential(): 1}), type_, rate, 8_000)
    wanted = erlang_c(servers, rate) / (servers - rate)
    assert mean_wait_s(outcome) == pytest.approx(wanted, rel=0.1)


def test_the_wait_is_that_of_m_d_1() -> None:
    type_ = MachineType(cores=2, pages=1, max_waiting=100_000, deadline_s=1e9)
    outcome = run(Mix({FIXED: 1}), type_, 0.6, 20_000)
    assert mean_wait_s(outcome) == pytest.approx(0.6 / (2 * (1 - 0.6)), rel=0.1)


def test_the_refusals_are_those_of_erlang_b() -> None:
    pages, rate = 8, 7.0
    terms = [rate**n / math.factorial(n) for n in range(pages + 1)]
    outcome = run(Mix({FIXED: 1}), MachineType(pages=pages, max_waiting=0), rate, 2_000)
    assert outcome.refused_share == pytest.approx(terms[-1] / sum(terms), rel=0.05)


def test_the_same_seed_has_the_same_outcome() -> None:
    mix = Mix.parse("simple=60,complex=20,url=20")
    first, second = (run(mix, MachineType(), 18.0, 60, retries=1, hit_share=0.2) for _ in "ab")
    assert first == second
    assert first.refused + first.hits > 0


def test_cores_bound_what_is_rendered() -> None:
    outcome = run(Mix.parse("simple=1"), MachineType(cores=2), 60, 60, warm_up_s=10)
    assert outcome.busy_cores == pytest.approx(2, rel=0.02)
    assert outcome.rate == pytest.approx(2000 / MEASURED["simple"].work_ms, rel=0.05)


def test_a_render_that_is_late_fails() -> None:
    type_ = MachineType(deadline_s=0.5)
    outcome = run(Mix({FIXED: 1}), type_, 1, 100)
    assert (outcome.failed, outcome.served) == (outcome.offered, 0)


def test_hits_take_no_page() -> None:
    outcome = run(Mix({FIXED: 1}), MachineType(pages=1, max_waiting=0), 5, 100, hit_share=1.0)
    assert outcome.hits == outcome.offered > 0
    assert outcome.most_pages == 0


def test_a_client_that_tries_again_is_refused_less_often() -> None:
    type_ = MachineType(pages=4, max_waiting=0)
    once, again = (run(Mix({FIXED: 1}), type_, 4, 500, retries=n) for n in (0, 3))
    assert again.refused < once.refused
    assert max(again.latencies_s) > 2  # the pause is part of it


def test_jobs_wait_and_are_not_refused() -> None:
    def make(clock: Clock, random_: random.Random) -> Fleet:
        return Queued(clock, MachineType(), 1, concurrency=4)

    outcome = Simulation(make, Load(6.0, 100, Mix({FIXED: 1}))).run()
    assert (outcome.served, outcome.refused) == (outcome.offered, 0)
    assert outcome.rate == pytest.approx(4, rel=0.05)  # one a second for each of four


KINDS = st.builds(
    Kind,
    name=st.text(max_size=3),
    cpu_ms=st.floats(0, 500),
    waiting_ms=st.floats(0, 40_000),
    closing_ms=st.floats(0, 200),
    memory_mib=st.just(1.0),
    file_bytes=st.just(1),
)


@settings(max_examples=30)
@given(
    kinds=st.lists(KINDS, min_size=1, max_size=3),
    type_=st.builds(
        MachineType,
        cores=st.sampled_from([1.0, 2.0, 4.0]),
        pages=st.integers(1, 20),
        max_waiting=st.integers(0, 10),
        deadline_s=st.sampled_from([1.0, 5.0, 30.0]),
    ),
    machines=st.integers(1, 5),
    rate=st.floats(0.1, 30),
    hit_share=st.sampled_from([0.0, 0.5]),
    retries=st.integers(0, 2),
)
def test_every_request_ends_once_and_pages_are_bounded(
    kinds: list[Kind],
    type_: MachineType,
    machines: int,
    rate: float,
    hit_share: float,
    retries: int,
) -> None:
    mix = Mix(dict.fromkeys(kinds, 1.0))
    outcome = run(mix, type_, rate, 10, machines, hit_share=hit_share, retries=retries)
    ended = outcome.served + outcome.refused + outcome.failed + outcome.hits
    assert ended == outcome.offered
    assert outcome.most_pages <= type_.pages
    assert outcome.busy_cores <= type_.cores * machines * (1 + 1e-9)
    assert all(seconds >= 0 for seconds in outcome.latencies_s)


@settings(max_examples=8)
@given(rate=st.floats(5, 60), machines=st.integers(1, 3), seed=st.integers(0, 5))
def test_one_more_machine_is_not_worse(rate: float, machines: int, seed: int) -> None:
    mix = Mix.parse("simple=60,complex=20,url=20")

    def outcome(count: int) -> Outcome:
        def make(clock: Clock, random_: random.Random) -> Fleet:
            return Balanced(clock, MachineType(), count, random_)

        return Simulation(make, Load(rate, 20, mix), seed).run()

    fewer, more = outcome(machines), outcome(machines + 1)
    assert more.p95_s <= fewer.p95_s * 1.05
    assert more.refused_share <= fewer.refused_share + 0.005
    assert more.in_time >= fewer.in_time * 0.98


def test_arrivals_are_a_poisson_process_of_the_mix() -> None:
    load = Load(50, 200, Mix.parse("simple=75,complex=25"), hit_share=0.5)
    came = list(arrivals(load, seed=1))
    assert len(came) == pytest.approx(10_000, rel=0.03)
    assert sum(each.kind is None for each in came) == pytest.approx(5_000, rel=0.05)
    simple = sum(each.kind == MEASURED["simple"] for each in came)
    assert simple == pytest.approx(3_750, rel=0.05)
    assert came == sorted(came, key=lambda each: each.at)
    assert isinstance(came[0], Arrival)
