"""Plans, and how they are shown."""

import sys
from pathlib import Path

import pytest

from farm.plan import report
from farm.plan.demand import CURVES, Demand
from farm.plan.drawing import NoDrawingError, draw
from farm.plan.kinds import Mix
from farm.plan.plan import Plan, Question, make, steps
from farm.plan.sizing import Target

QUESTION = Question(
    Demand(20_000, CURVES["office"], 1.2),
    Mix.parse("simple=80,url=20"),
    Target(2.0),
    hit_share=0.3,
    job_share=0.2,
)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make(QUESTION)


def test_a_plan_meets_its_target_with_a_machine_lost(plan: Plan) -> None:
    assert plan.instances is not None
    assert plan.workers is not None
    for part, p95_s in ((plan.instances, 2.0), (plan.workers, 60.0)):
        assert part.machines == part.busiest.needed + 1
        assert all(hour.outcome.p95_s <= p95_s for hour in part.hours)
        assert part.busy_share(2) <= 0.85


def test_requests_and_jobs_are_the_whole_demand(plan: Plan) -> None:
    assert plan.instances is not None
    assert plan.workers is not None
    pairs = zip(plan.instances.hours, plan.workers.hours, strict=True)
    rates = [first.rate + second.rate for first, second in pairs]
    assert rates == pytest.approx(QUESTION.demand.rates)


def test_progress_is_told_so_often() -> None:
    done = []
    question = Question(Demand(1000, CURVES["flat"]), QUESTION.mix, Target(2.0))
    assert make(question, lambda: done.append(1)).workers is None
    assert len(done) == steps(question) == 24


def test_the_report_has_every_hour_and_what_it_takes(plan: Plan) -> None:
    lines = list(report.lines(plan))
    text = "\n".join(lines)
    assert max(map(len, lines)) <= 100
    assert "20,000 renders a day" in text
    assert text.count("\n  23  ") == 2
    assert "farm serve" in text
    assert "farm worker" in text
    assert "1 machine lost" in text
    assert "cache" in text


def test_nothing_is_asked_for_in_some_hours() -> None:
    curve = (0.0,) * 23 + (1.0,)
    made = make(Question(Demand(1000, curve), QUESTION.mix, Target(2.0)))
    assert made.instances is not None
    assert [hour.needed for hour in made.instances.hours] == [1] * 24
    assert any(line.startswith("  00") and line.endswith("-") for line in report.lines(made))


def test_a_picture_is_drawn(plan: Plan, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    draw(plan, tmp_path / "day.svg")
    assert (tmp_path / "day.svg").read_text().count("<svg") == 1


def test_without_matplotlib_it_is_said_how_to_have_pictures(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(NoDrawingError, match=r"pip install 'render-farm\[plan\]'"):
        draw(plan, tmp_path / "day.svg")


def test_other_formats_are_refused(plan: Plan, tmp_path: Path) -> None:
    with pytest.raises(NoDrawingError, match=r"\.svg or \.png"):
        draw(plan, tmp_path / "day.gif")
