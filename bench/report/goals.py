"""The farm's goals, P1 to P12: figure, met or missed, by how much, and how it was measured.

Ratios, each of figures from one run on one machine, since absolute times drift between machines.
The limit is the same work through the raw DevTools protocol (`limit`).
"""

from dataclasses import dataclass, field

from bench.contenders.contender import BY_KEY
from bench.measures.answers import percentile
from bench.measures.cache import CLIENTS, CROWD, CacheFigures
from bench.measures.crowd import FEW, MANY
from bench.measures.overload import Overload
from bench.measures.soak_run import Run as Soak
from bench.report.figures import Figures
from bench.workloads.pages import COMPLEX, LONG_URL, SIMPLE, SLOW_URL

PEERS = ("puppeteer-cluster", "Express + Playwright")


@dataclass(frozen=True)
class Goal:
    """`figure` and `goal` in the same unit; `at_least`: which side of the goal is the good one."""

    name: str
    what: str
    figure: float
    goal: float
    at_least: bool = True
    how: str = ""

    @property
    def met(self) -> bool:
        return self.figure >= self.goal if self.at_least else self.figure <= self.goal

    @property
    def margin(self) -> float:
        """By how much it is met, as a share of the goal; negative: missed by so much."""
        if not self.goal:
            return -self.figure
        share = self.figure / self.goal - 1
        return share if self.at_least else -share


def goals(figures: Figures, extra: "Extra") -> list[Goal]:
    """Those that there are figures for."""
    found = [*_against_limit(figures), *_against_peers(figures)]
    if extra.jobs_ratio is not None:
        what = "jobs a second through Redis, by the renders a second at once, 4 at a time"
        found.append(Goal("P6", what, extra.jobs_ratio, 0.95, how="medians, in turn"))
    if extra.overload is not None:
        found += _overload(extra.overload)
    if extra.soak is not None:
        found += _soak(extra.soak)
    one, three = (figures.find(name, LONG_URL.name, n) for name, n in SCALED)
    if one and three:
        what = "three instances behind nginx, by one; pages that wait 2 s, 4 pages an instance"
        cores = three.cpu_ms * three.rate / 1000
        found.append(Goal("P9", what, three.rate / one.rate, 2.8, how=f"{cores:.2f} cores in use"))
    if extra.crowd:
        found.append(_crowd(extra.crowd))
    if extra.cache is not None:
        found += _cache(extra.cache)
    return sorted(found, key=lambda goal: int(goal.name[1:]))


@dataclass
class Extra:
    """What is measured by other means than a loop of clients."""

    jobs_ratio: float | None = None
    overload: Overload | None = None
    soak: Soak | None = None
    cache: CacheFigures | None = None
    #: Renders of simple HTML a second, by the number of clients.
    crowd: dict[int, float] = field(default_factory=dict)


#: Contender and clients of the two sides of P9.
SCALED = (("one instance", 8), ("three instances", 24))


def _against_limit(figures: Figures) -> list[Goal]:
    found = []
    for clients in (4, 8, 16):
        farm, limit = (figures.find(it, SIMPLE.name, clients) for it in ("farm", "limit"))
        if farm and limit:
            what = f"throughput of simple HTML by the limit's, {clients} clients"
            how = f"{farm.rate:.1f} / {limit.rate:.1f} a second"
            found.append(Goal("P1", what, farm.rate / limit.rate, 0.92, how=how))
    farm, limit = (figures.find(it, SIMPLE.name, 1) for it in ("farm", "limit"))
    if farm and limit:
        how = f"{farm.p50_ms:.0f} / {limit.p50_ms:.0f} ms"
        what = "p50 of simple HTML by the limit's, one client"
        found.append(Goal("P2", what, farm.p50_ms / limit.p50_ms, 0.70, False, how))
    if eight := figures.find("farm", SIMPLE.name, 8):
        how = f"{eight.p95_ms:.0f} / {eight.p50_ms:.0f} ms"
        found.append(
            Goal("P3", "p95 by p50, 8 clients", eight.p95_ms / eight.p50_ms, 1.5, False, how)
        )
    for clients in (4, 8):
        farm, limit = (figures.find(it, SIMPLE.name, clients) for it in (BY_KEY, "limit"))
        if farm and limit:
            what = (
                "throughput of simple HTML with `FARM_ISOLATION=key` by the limit's, which makes "
            )
            what += f"a context for each render, {clients} clients"
            how = f"{farm.rate:.1f} / {limit.rate:.1f} a second"
            found.append(Goal("P10", what, farm.rate / limit.rate, 2, how=how))
    farm, limit = (figures.find(it, COMPLEX.name, 4) for it in ("farm", "limit"))
    if farm and limit:
        how = f"{farm.rate:.1f} / {limit.rate:.1f} a second"
        what = "throughput of complex HTML by the limit's, 4 clients"
        found.append(Goal("P4", what, farm.rate / limit.rate, 0.92, how=how))
    farm, limit = (figures.find(it, SLOW_URL.name, 32) for it in ("farm", "limit"))
    if farm and limit:
        how = f"{farm.rate:.1f} / {limit.rate:.1f} a second"
        what = "throughput of URLs that wait by the limit's, whose pages are unbounded, 32 clients"
        found.append(Goal("P5", what, farm.rate / limit.rate, 0.90, how=how))
    if fifty := figures.find("farm", SLOW_URL.name, 50):
        how = f"{len(fifty.wrong)} of the answers were not renders"
        what = "MiB of memory with 50 such URLs at once, all accepted"
        found.append(Goal("P5", what, fifty.peak_mib, 2048, False, how))
    return found


def _against_peers(figures: Figures) -> list[Goal]:
    found = []
    for name, work, clients, goal in (
        *(("P1", SIMPLE, clients, 1.15) for clients in (4, 8, 16)),
        ("P5", SLOW_URL, 32, 1.0),
    ):
        farm = figures.find("farm", work.name, clients)
        peers = [it for peer in PEERS if (it := figures.find(peer, work.name, clients))]
        if farm and peers:
            best = max(peers, key=lambda peer: peer.rate)
            what = f"throughput of {work.name} by the best peer's, {clients} clients"
            how = f"{farm.rate:.1f} / {best.rate:.1f} a second ({best.contender})"
            found.append(Goal(name, what, farm.rate / best.rate, goal, how=how))
    return found


def _overload(overload: Overload) -> list[Goal]:
    how = f"{overload.accepted:.1f} / {overload.peak:.1f} a second, {overload.rate:.0f} offered"
    refused_ms = percentile(overload.refused_s, 0.99) * 1000
    others = sum(sum(fault.values()) for fault in overload.faults)
    many = f"{len(overload.refused_s):,} refused; answers of any other kind: {others}"
    what = "accepted renders by the peak, under 8 times as much"
    return [
        Goal("P7", what, overload.accepted / overload.peak, 0.90, how=how),
        Goal("P7", "ms until a refusal was there, p99", refused_ms, 100, False, many),
    ]


def _crowd(rates: dict[int, float]) -> Goal:
    best, worst = max(FEW, key=lambda each: rates[each]), min(MANY, key=lambda each: rates[each])
    what = "throughput of simple HTML with 16, 32 and 50 clients, by that with 4 or 8"
    how = f"{rates[worst]:.1f} a second with {worst} / {rates[best]:.1f} with {best}"
    return Goal("P11", what, rates[worst] / rates[best], 0.97, how=how)


def _cache(cache: CacheFigures) -> list[Goal]:
    ratio = cache.hits / cache.renders
    how = f"{cache.hits:.0f} / {cache.renders:.1f} a second"
    busy = f"no hits: {cache.wrong}; the load generator was busy for {cache.asking_busy:.0%}"
    crowd = f"renders of {CROWD} identical requests at once"
    more_ms = cache.miss_ms - cache.plain_ms
    miss = f"{cache.miss_ms:.1f} / {cache.plain_ms:.1f} ms, in turn"
    return [
        Goal("P12", f"hits by renders of simple HTML, {CLIENTS} clients", ratio, 50, how=how),
        Goal("P12", "ms of a hit, p99", cache.hit_p99_ms, 10, False, busy),
        Goal("P12", crowd, cache.crowd_renders, 1, False),
        Goal("P12", "ms that a miss costs more", more_ms, 1, False, miss),
    ]


def _soak(soak: Soak) -> list[Goal]:
    found = []
    for measure, what in (
        ("memory_mib", "memory"),
        ("files", "open files"),
        ("processes", "processes"),
    ):
        peaks = soak.peaks(measure)
        worst = max((abs(peak / peaks[1] - 1) for peak in peaks[2:]), default=0.0)
        without = soak.peaks(measure, with_handovers=False)
        rest = max((abs(peak / without[1] - 1) for peak in without[2:]), default=0.0)
        how = f"{soak.renders:,} renders; while no browser is replaced: {rest:.1%}"
        name = f"largest change of the peak of {what}, by block of {soak.block:,} renders"
        found.append(Goal("P8", name, worst, 0.05, False, how))
    found.append(Goal("P8", "zombies", float(soak.zombies), 0, at_least=False))
    return found
