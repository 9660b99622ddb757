"""Makes a plan: from a question, the machines and other needs, hour by hour."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from farm.plan.demand import Demand
from farm.plan.kinds import Mix
from farm.plan.machine import MachineType
from farm.plan.needs import Needs, needs_of
from farm.plan.simulation import Outcome
from farm.plan.sizing import CELL, Sizing, Target

#: The default of `FARM_JOB_CONCURRENCY`.
JOB_CONCURRENCY = 4


@dataclass(frozen=True)
class Question:
    """The demand, the target and the type of machine of a plan. Shares are from 0 to 1."""

    demand: Demand
    mix: Mix
    target: Target
    machine: MachineType = field(default_factory=MachineType)
    hit_share: float = 0.0
    cache_ttl_s: float = 3600
    #: The share of requests that are jobs, and the 95th percentile of the time to their end.
    job_share: float = 0.0
    jobs_p95_s: float = 60
    job_ttl_s: float = 3600
    retries: int = 0
    seed: int = 1


@dataclass(frozen=True)
class Hour:
    """The busiest minutes of an hour.

    `rate`: requests a second. `needed`: the fewest machines that are enough. `outcome`: that of the
    planned fleet without the machines that may be lost.
    """

    rate: float
    needed: int
    outcome: Outcome


@dataclass(frozen=True)
class Part:
    """The machines of one role, `instances` or `workers`, for the whole day."""

    machines: int
    lost: int
    hours: list[Hour]

    @property
    def busiest(self) -> Hour:
        return max(self.hours, key=lambda hour: hour.rate)

    def busy_share(self, cores: float) -> float:
        """The share of busy cores in the busiest minutes, with `lost` machines away."""
        simulated = min(CELL, self.machines - self.lost)
        return self.busiest.outcome.busy_cores / (simulated * cores)


@dataclass(frozen=True)
class Plan:
    question: Question
    instances: Part | None
    workers: Part | None
    needs: Needs


def make(question: Question, progress: Callable[[], None] = lambda: None) -> Plan:
    """Simulate the day. `progress` is called after each hour. Raises `SizingError`."""
    instances = workers = None
    if question.job_share < 1:
        sizing = Sizing(
            question.target,
            question.machine,
            question.mix,
            hit_share=question.hit_share,
            retries=question.retries,
            seed=question.seed,
        )
        instances = _part(question, sizing, 1 - question.job_share, progress)
    if question.job_share > 0:
        target = replace(question.target, p95_s=question.jobs_p95_s)
        sizing = Sizing(
            target,
            question.machine,
            question.mix,
            concurrency=JOB_CONCURRENCY,
            seed=question.seed,
        )
        workers = _part(question, sizing, question.job_share, progress)
    most_pages = max(
        hour.outcome.most_pages for part in (instances, workers) if part for hour in part.hours
    )
    needs = needs_of(
        question.demand,
        question.mix,
        question.machine,
        most_pages=most_pages,
        hit_share=question.hit_share,
        cache_ttl_s=question.cache_ttl_s,
        job_share=question.job_share,
        job_ttl_s=question.job_ttl_s,
    )
    return Plan(question, instances, workers, needs)


def steps(question: Question) -> int:
    """How often `make` calls `progress`."""
    parts = (question.job_share < 1) + (question.job_share > 0)
    return parts * len(question.demand.curve)


def _part(question: Question, sizing: Sizing, share: float, progress: Callable[[], None]) -> Part:
    sizing.check()
    rates = [rate * share for rate in question.demand.rates]
    machines = sizing.fleet(max(rates))
    left = machines - sizing.target.lost
    hours = []
    for rate in rates:
        hours.append(Hour(rate, sizing.needed(rate), sizing.outcome(rate, left)))
        progress()
    return Part(machines, sizing.target.lost, hours)
