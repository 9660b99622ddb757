"""Finds the smallest fleet that meets a target, by simulation."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

from farm.plan.events import Clock
from farm.plan.fleet import Balanced, Fleet, Queued
from farm.plan.kinds import Mix
from farm.plan.machine import HIT_S, MachineType
from farm.plan.simulation import Load, Outcome, Simulation, percentile

#: The most machines that are simulated. A larger fleet is simulated as this many machines with
#: their part of the load. A part does slightly worse than the whole, since fewer machines can help
#: each other.
CELL = 12
#: The load of an hour is simulated for this many requests, but at least and at most these seconds.
REQUESTS = 6000
MIN_S, MAX_S = 30.0, 3600.0
WARM_UP_S = 15.0
#: The least share of arriving jobs that must end, so that the queue does not grow without limit.
KEEPS_UP = 0.97
#: The relative precision of the rate that a machine of a large fleet sustains.
PRECISION = 0.005
_SAMPLES = 4000


class SizingError(ValueError):
    """No number of machines is enough. `str()` of it is a sentence for the user."""


@dataclass(frozen=True)
class Target:
    """The target of a plan. It must be met while `lost` machines are away.

    `p95_s`: the 95th percentile of the latency of renders. `refused_share`: the greatest share of
    requests that are refused or fail. `busy_share`: the greatest share of busy cores; the rest is a
    reserve for effects that the model does not contain.
    """

    p95_s: float
    refused_share: float = 0.001
    busy_share: float = 0.85
    lost: int = 1


class Sizing:
    """Simulates fleets of one type of machine under one kind of load.

    `concurrency`: the machines run `farm worker`, and each process renders this many jobs at the
    same time. None: they run `farm serve`.
    """

    def __init__(
        self,
        target: Target,
        type_: MachineType,
        mix: Mix,
        *,
        hit_share: float = 0.0,
        retries: int = 0,
        concurrency: int | None = None,
        seed: int = 1,
    ) -> None:
        self.target = target
        self._type = type_
        self._mix = mix
        self._hit_share = hit_share
        self._retries = retries
        self._concurrency = concurrency
        self._seed = seed
        self.outcome = lru_cache(maxsize=None)(self._outcome)

    def check(self) -> None:
        """Raises `SizingError` if even renders on an idle machine miss the target."""
        random_ = random.Random(self._seed)
        core = min(1.0, self._type.cores)
        alone_s = []
        for _ in range(_SAMPLES):
            kind = self._mix.pick(random_)
            alone_s.append(kind.cpu_ms / 1000 / core + kind.wait_s(random_))
        late = sum(each > self._type.deadline_s for each in alone_s) / _SAMPLES
        if late > self.target.refused_share:
            raise SizingError(
                f"{late:.1%} of the renders take longer on an idle machine than the deadline of "
                f"{self._type.deadline_s:g} s"
            )
        if (p95_s := percentile(alone_s, 0.95)) > self.target.p95_s:
            raise SizingError(
                f"no number of machines has a p95 of {self.target.p95_s:g} s: one render in twenty "
                f"takes {p95_s:.2f} s or longer on an idle machine"
            )

    def _outcome(self, rate: float, machines: int) -> Outcome:
        """The outcome of `machines` machines with `rate` requests a second."""
        if not rate:
            return Outcome(MIN_S)
        in_cell = min(machines, CELL)
        rate *= in_cell / machines
        seconds = min(MAX_S, max(MIN_S, REQUESTS / rate))
        load = Load(rate, seconds, self._mix, self._hit_share, self._retries, WARM_UP_S)

        def make(clock: Clock, random_: random.Random) -> Fleet:
            if self._concurrency is None:
                return Balanced(clock, self._type, in_cell, random_)
            return Queued(clock, self._type, in_cell, self._concurrency)

        return Simulation(make, load, self._seed).run()

    def meets(self, rate: float, machines: int) -> bool:
        outcome, in_cell = self.outcome(rate, machines), min(machines, CELL)
        if not outcome.offered:
            return True
        return (
            (not outcome.latencies_s or outcome.p95_s <= self.target.p95_s)
            and outcome.refused_share <= self.target.refused_share
            and outcome.busy_cores <= self.target.busy_share * self._type.cores * in_cell
            and (self._concurrency is None or outcome.in_time >= KEEPS_UP * outcome.served)
        )

    def needed(self, rate: float) -> int:
        """The fewest machines that meet the target at the rate while none is lost."""
        guess = max(1, round(rate / (self.target.busy_share * self._capacity)))
        if guess < CELL or rate <= CELL * self._sustained:
            return smallest(lambda machines: self.meets(rate, machines), guess)
        return math.ceil(rate / self._sustained)

    @property
    def _capacity(self) -> float:
        """The requests a second that keep all cores of a machine busy."""
        work_s = self._mix.mean("work_ms") / 1000 * (1 - self._hit_share) + HIT_S * self._hit_share
        return self._type.cores / work_s

    @cached_property
    def _sustained(self) -> float:
        """The greatest rate for each machine of `CELL` machines that meet the target."""
        low, high = 0.5 * self._capacity, self._capacity
        while not self.meets(low * CELL, CELL):
            low, high = low / 2, low
        while high > low * (1 + PRECISION):
            middle = (low + high) / 2
            if self.meets(middle * CELL, CELL):
                low = middle
            else:
                high = middle
        return low

    def fleet(self, rate: float) -> int:
        """The fewest machines that meet the target while `lost` of them are away."""
        return self.needed(rate) + self.target.lost


def smallest(is_enough: Callable[[int], bool], guess: int) -> int:
    """The least positive number that is enough. All larger numbers must be enough too.

    The search begins at the guess and doubles its steps, so a good guess needs few tries.
    """
    low, high, step = 0, max(1, guess), 1  # `low` is not enough
    if is_enough(high):
        while high > 1 and is_enough(lower := max(1, high - step)):
            high, step = lower, 2 * step
        low = max(0, high - step)
    else:
        while not is_enough(higher := high + step):
            high, step = higher, 2 * step
        low, high = high, higher
    while high - low > 1:
        middle = (low + high) // 2
        if is_enough(middle):
            high = middle
        else:
            low = middle
    return high
