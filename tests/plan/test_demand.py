"""How many renders come, hour by hour."""

import pytest

from farm.plan.demand import CURVES, HOURS, CurveError, Demand, parse_curve


@pytest.mark.parametrize("name", CURVES)
def test_the_hours_are_the_day(name: str) -> None:
    demand = Demand(86_400, CURVES[name], burst=1.5)
    assert len(demand.hourly) == HOURS
    assert sum(demand.hourly) * 3600 == pytest.approx(86_400)
    assert max(demand.rates) == pytest.approx(1.5 * max(demand.hourly))


def test_a_curve_may_be_twenty_four_numbers() -> None:
    assert parse_curve(",".join(["2"] * HOURS)) == (2.0,) * HOURS


@pytest.mark.parametrize(
    "text",
    ["weekly", "1,2,3", *(",".join([one] * 24) for one in ("0", "-1", "nan", "inf"))],
)
def test_other_curves_are_refused(text: str) -> None:
    with pytest.raises(CurveError, match="flat, web, office, or 24 numbers"):
        parse_curve(text)
