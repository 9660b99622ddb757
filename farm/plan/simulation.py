"""Simulates some minutes of a farm under load: requests that are served, are refused, or fail."""

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from farm.plan.events import Clock
from farm.plan.fleet import Fleet
from farm.plan.kinds import Kind, Mix
from farm.plan.machine import Render

MakeFleet = Callable[[Clock, random.Random], Fleet]


@dataclass(frozen=True)
class Load:
    """Requests of independent clients: a Poisson process of `rate` a second.

    Requests within the first `warm_up_s` are not counted; `seconds` is the time after that.
    `hit_share` of the requests are found in the cache. A refused client retries up to `retries`
    times, after the seconds of `Retry-After` and a random part of one more, so that clients do not
    retry at the same time.
    """

    rate: float
    seconds: float
    mix: Mix
    hit_share: float = 0.0
    retries: int = 0
    warm_up_s: float = 0.0


@dataclass(frozen=True)
class Arrival:
    """A request. `kind`: None if it is found in the cache. `wait_s`: how long its page waits."""

    at: float
    kind: Kind | None
    wait_s: float = 0.0


def arrivals(load: Load, seed: int) -> Iterator[Arrival]:
    """All requests of a load, without retries."""
    random_ = random.Random(seed)
    now, end = 0.0, load.warm_up_s + load.seconds
    while (now := now + random_.expovariate(load.rate)) < end:
        if load.hit_share and random_.random() < load.hit_share:
            yield Arrival(now, None)
        else:
            kind = load.mix.pick(random_)
            yield Arrival(now, kind, kind.wait_s(random_))


def percentile(values: list[float], share: float) -> float:
    """The least value that at least `share` of the values do not exceed. NaN if there is none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


@dataclass
class Outcome:
    """The outcome of the counted requests."""

    seconds: float
    offered: int = 0
    served: int = 0
    refused: int = 0
    failed: int = 0
    hits: int = 0
    #: The renders that were answered within the counted `seconds`.
    in_time: int = 0
    #: For each served request, the seconds from its first try to its answer.
    latencies_s: list[float] = field(default_factory=list, repr=False)
    #: The average number of busy cores of all machines.
    busy_cores: float = 0.0
    #: The most pages in use in one worker.
    most_pages: int = 0

    @property
    def rate(self) -> float:
        """Renders a second."""
        return self.in_time / self.seconds

    @property
    def p95_s(self) -> float:
        return percentile(self.latencies_s, 0.95)

    @property
    def refused_share(self) -> float:
        """The share of requests without a hit that were refused for good, or failed."""
        return (self.refused + self.failed) / max(1, self.offered - self.hits)


class _Request:
    __slots__ = ("arrival", "tries_left")

    def __init__(self, arrival: Arrival, retries: int) -> None:
        self.arrival = arrival
        self.tries_left = retries


class Simulation:
    """One run. The same load, fleet and seed give the same outcome."""

    def __init__(self, make_fleet: MakeFleet, load: Load, seed: int = 1) -> None:
        self._load = load
        self._random = random.Random(seed)
        self._clock = Clock()
        # Arrivals have a random generator of their own, so that they do not depend on the fleet.
        self._coming = arrivals(load, seed)
        self.fleet = make_fleet(self._clock, self._random)
        self.outcome = Outcome(load.seconds)

    def run(self) -> Outcome:
        """Run until every request has its answer."""
        clock, load = self._clock, self._load
        clock.at(load.warm_up_s, self._note_cores, -1)
        clock.at(load.warm_up_s + load.seconds, self._note_cores, 1)
        self._await_next()
        clock.run()
        workers = (worker for machine in self.fleet.machines for worker in machine.workers)
        self.outcome.most_pages = max(worker.most_pages for worker in workers)
        return self.outcome

    def _note_cores(self, sign: int) -> None:
        cores = {id(machine.cores): machine.cores for machine in self.fleet.machines}
        used_s = sum(each.used_s for each in cores.values())
        self.outcome.busy_cores += sign * used_s / self._load.seconds

    def _await_next(self) -> None:
        if (arrival := next(self._coming, None)) is not None:
            self._clock.at(arrival.at, self._arrive, arrival)

    def _arrive(self, arrival: Arrival) -> None:
        self._await_next()
        is_counted = arrival.at >= self._load.warm_up_s
        self.outcome.offered += is_counted
        if arrival.kind is None:
            self.outcome.hits += is_counted
            self.fleet.hit()
        else:
            self._try(_Request(arrival, self._load.retries))

    def _try(self, request: _Request) -> None:
        arrival = request.arrival
        assert arrival.kind is not None

        def answer(render: Render, ok: bool) -> None:
            self._answered(arrival, ok)

        refusal = self.fleet.send(Render(arrival.kind, arrival.wait_s, answer))
        if refusal is None:
            return
        if request.tries_left:
            request.tries_left -= 1
            pause_s = refusal + self._random.random()
            self._clock.at(self._clock.now + pause_s, self._try, request)
        else:
            self.outcome.refused += arrival.at >= self._load.warm_up_s

    def _answered(self, arrival: Arrival, ok: bool) -> None:
        outcome, now, load = self.outcome, self._clock.now, self._load
        # As the bench counts: the time of the answer decides for the rate, that of the request for
        # all else.
        is_in_time = load.warm_up_s <= now <= load.warm_up_s + load.seconds
        outcome.in_time += ok and is_in_time
        if arrival.at < load.warm_up_s:
            return
        if ok:
            outcome.served += 1
            outcome.latencies_s.append(now - arrival.at)
        else:
            outcome.failed += 1
