"""Some minutes of a farm under load: requests come, are served, refused, or fail."""

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

    What comes within the first `warm_up_s` is not counted; `seconds` are those after. `hit_share`
    of the requests are found in the cache. A client that is refused tries again up to `retries`
    times, after the seconds of `Retry-After` and up to one more, so that not all come at once.
    """

    rate: float
    seconds: float
    mix: Mix
    hit_share: float = 0.0
    retries: int = 0
    warm_up_s: float = 0.0


@dataclass(frozen=True)
class Arrival:
    """`kind` None: it is found in the cache. `wait_s`: what its page waits for."""

    at: float
    kind: Kind | None
    wait_s: float = 0.0


def arrivals(load: Load, seed: int) -> Iterator[Arrival]:
    """All requests of a load, without their retries."""
    random_ = random.Random(seed)
    now, end = 0.0, load.warm_up_s + load.seconds
    while (now := now + random_.expovariate(load.rate)) < end:
        if load.hit_share and random_.random() < load.hit_share:
            yield Arrival(now, None)
        else:
            kind = load.mix.pick(random_)
            yield Arrival(now, kind, kind.wait_s(random_))


def percentile(values: list[float], share: float) -> float:
    """The least value that so large a share of them does not exceed; NaN for none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


@dataclass
class Outcome:
    """What became of the requests that were counted."""

    seconds: float
    offered: int = 0
    served: int = 0
    refused: int = 0
    failed: int = 0
    hits: int = 0
    #: Of `served`: those that were answered before the load ended.
    in_time: int = 0
    #: From a request's first try to its answer, in seconds, of what was served.
    latencies_s: list[float] = field(default_factory=list, repr=False)
    #: Cores at work, on average, of all machines.
    busy_cores: float = 0.0
    #: The most pages that one worker had in use.
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
        """Of the requests that were not found in the cache: refused for good, or failed."""
        return (self.refused + self.failed) / max(1, self.offered - self.hits)


class _Request:
    __slots__ = ("arrival", "tries_left")

    def __init__(self, arrival: Arrival, retries: int) -> None:
        self.arrival = arrival
        self.tries_left = retries


class Simulation:
    """One run. The same load, fleet and seed have the same outcome."""

    def __init__(self, make_fleet: MakeFleet, load: Load, seed: int = 1) -> None:
        self._load = load
        self._random = random.Random(seed)
        self._clock = Clock()
        # By random numbers of their own: the same requests come whatever the fleet does.
        self._coming = arrivals(load, seed)
        self.fleet = make_fleet(self._clock, self._random)
        self.outcome = Outcome(load.seconds)

    def run(self) -> Outcome:
        """Until everything that came has its answer."""
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
        # As a bench counts: by the moment of the answer for the rate, by that of the request else.
        is_in_time = load.warm_up_s <= now <= load.warm_up_s + load.seconds
        outcome.in_time += ok and is_in_time
        if arrival.at < load.warm_up_s:
            return
        if ok:
            outcome.served += 1
            outcome.latencies_s.append(now - arrival.at)
        else:
            outcome.failed += 1
