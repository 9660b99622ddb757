"""The number of requests for renders in each hour of a day."""

import math
from dataclasses import dataclass

HOURS = 24

#: The shapes of a day, hour by hour. Only the proportions matter.
CURVES = {
    "flat": (1.0,) * HOURS,
    # A site that people of one continent visit: quiet at night, busiest in the evening.
    "web": (
        *(0.55, 0.40, 0.32, 0.28, 0.30, 0.40, 0.60, 0.80, 0.98, 1.10, 1.18, 1.22),
        *(1.25, 1.25, 1.24, 1.24, 1.26, 1.32, 1.42, 1.55, 1.62, 1.50, 1.22, 0.85),
    ),
    # Reports and invoices of one country's offices: two peaks, little else.
    "office": (
        *(0.10, 0.08, 0.08, 0.08, 0.10, 0.20, 0.50, 1.20, 2.20, 2.80, 2.70, 2.20),
        *(1.50, 2.00, 2.50, 2.40, 1.90, 1.20, 0.60, 0.40, 0.30, 0.22, 0.18, 0.14),
    ),
}


class CurveError(ValueError):
    """The curve is not valid. `str()` of it is a sentence for the user."""


@dataclass(frozen=True)
class Demand:
    """The demand of a day.

    `per_day`: requests for renders, including those that the cache answers. `burst`: the rate of an
    hour's busiest minutes, as a multiple of the hour's mean. Each hour is planned for that rate.
    """

    per_day: float
    curve: tuple[float, ...]
    burst: float = 1.0

    @property
    def hourly(self) -> list[float]:
        """The mean number of requests a second in each hour."""
        total = sum(self.curve)
        return [self.per_day * each / total / 3600 for each in self.curve]

    @property
    def rates(self) -> list[float]:
        """The requests a second in the busiest minutes of each hour."""
        return [rate * self.burst for rate in self.hourly]


def parse_curve(text: str) -> tuple[float, ...]:
    """The curve that a text names, or that its 24 numbers give. Raises `CurveError`."""
    if text in CURVES:
        return CURVES[text]
    try:
        curve = tuple(float(part) for part in text.split(","))
    except ValueError:
        curve = ()
    is_finite = all(math.isfinite(each) for each in curve)
    if len(curve) != HOURS or not is_finite or min(curve) < 0 or max(curve) == 0:
        names = ", ".join(CURVES)
        raise CurveError(f"must be {names}, or {HOURS} numbers separated by commas, not all 0")
    return curve
