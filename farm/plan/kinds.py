"""The kinds of pages: processor time, waiting time, memory and file size of a render."""

import math
import random
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace


class KindsError(ValueError):
    """The mix is not valid. `str()` of it is a sentence for the user."""


@dataclass(frozen=True)
class Spread:
    """A distribution, as a Prometheus histogram: the number of values up to each bound.

    Within a bucket all values are equally likely. Values above the last bound are not counted.
    """

    bounds: tuple[float, ...]
    counts: tuple[float, ...]  # cumulative

    @property
    def mean(self) -> float:
        total, low, below = 0.0, 0.0, 0.0
        for bound, count in zip(self.bounds, self.counts, strict=True):
            total += (count - below) * (low + bound) / 2
            low, below = bound, count
        return total / below

    def sample(self, random_: random.Random) -> float:
        rank = random_.random() * self.counts[-1]
        at = bisect_left(self.counts, rank)
        low, below = (self.bounds[at - 1], self.counts[at - 1]) if at else (0.0, 0.0)
        part = (rank - below) / (self.counts[at] - below) if self.counts[at] > below else 1.0
        return low + part * (self.bounds[at] - low)


@dataclass(frozen=True)
class Kind:
    """One kind of page.

    A render computes for `cpu_ms`, waits for `waiting_ms` for the network, timers and frames, and
    is then answered. Closing its page takes another `closing_ms` of processor time, and only then
    is the slot free. `waiting_ms` is a mean, which is multiplied with values of `spread`, whose
    mean is 1.
    """

    name: str
    cpu_ms: float
    waiting_ms: float
    closing_ms: float
    memory_mib: float
    file_bytes: int
    spread: Spread | None = None

    @property
    def work_ms(self) -> float:
        """All processor time that a render takes."""
        return self.cpu_ms + self.closing_ms

    def taking(self, work_ms: float) -> "Kind":
        """The same kind, with so much processor time for a render."""
        factor = work_ms / self.work_ms
        return replace(self, cpu_ms=self.cpu_ms * factor, closing_ms=self.closing_ms * factor)

    def wait_s(self, random_: random.Random) -> float:
        factor = self.spread.sample(random_) if self.spread else 1.0
        return self.waiting_ms * factor / 1000


#: Pages of `bench/workloads/pages.py`. All processor time, memory and bytes are those of
#: bench/results/2026-11-25-0909/report.md (2 cores of an Intel Xeon, Chromium 156). The part of the
#: processor time before the answer, the waiting time, and the work of `long` relative to the others
#: are those of `python -m bench.measures.plan --kinds` on a slower machine (docs/plan.md).
MEASURED = {
    kind.name: kind
    for kind in (
        Kind("simple", 77, 0, 10, 13, 89_000),
        Kind("complex", 170, 5, 12, 27, 502_000),
        Kind("url", 132, 509, 13, 14, 220_000),
        Kind("long", 101, 2034, 5, 14, 21_000),
    )
}


@dataclass(frozen=True)
class Mix:
    """Kinds and their shares. The sum of the shares is 1."""

    shares: Mapping[Kind, float]
    _kinds: Sequence[Kind] = field(init=False, repr=False, compare=False)
    _weights: Sequence[float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        total = sum(self.shares.values())
        if not 0 < total < math.inf or min(self.shares.values()) < 0:
            raise KindsError("the shares of a mix must be numbers, not negative, and not all 0")
        shares = {kind: share / total for kind, share in self.shares.items() if share}
        object.__setattr__(self, "shares", shares)
        object.__setattr__(self, "_kinds", list(shares))
        object.__setattr__(self, "_weights", list(shares.values()))

    def pick(self, random_: random.Random) -> Kind:
        return random_.choices(self._kinds, self._weights)[0]

    def mean(self, figure: str) -> float:
        """The mean of an attribute of `Kind`, over all renders."""
        return float(sum(getattr(kind, figure) * share for kind, share in self.shares.items()))

    @classmethod
    def parse(cls, text: str) -> "Mix":
        """The mix in a text such as `simple=60,url=40`. Raises `KindsError`."""
        shares: dict[Kind, float] = {}
        for part in text.split(","):
            name, _, share = part.strip().partition("=")
            if name not in MEASURED:
                raise KindsError(f"{name!r} is none of the kinds {', '.join(MEASURED)}")
            if MEASURED[name] in shares:
                raise KindsError(f"{name} is there twice")
            try:
                shares[MEASURED[name]] = float(share.removesuffix("%"))
            except ValueError:
                raise KindsError(f"{part.strip()!r} is not like simple=60") from None
        return cls(shares)
