"""The bench's own judgement: what it counts as right, as a rate, as met."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measures.answers import Answer, Answers, percentile
from bench.report.goals import Goal
from bench.workloads.pages import COMPLEX, SIMPLE, SLOW_URL
from farm.render import Engine
from tests.conftest import request_for
from tests.support.site import Site


def test_a_render_of_each_kind_is_right(engine: Engine) -> None:
    for work in (SIMPLE, COMPLEX):
        assert work.problem(engine.render(request_for(engine, work.html)).data) == ""


def test_an_empty_page_a_wrong_size_and_half_a_file_are_wrong(engine: Engine) -> None:
    empty = engine.render(request_for(engine, "<p>")).data
    assert "is it empty?" in SIMPLE.problem(empty)
    small = engine.render(request_for(engine, SIMPLE.html, width=640)).data
    assert SIMPLE.problem(small) == "a PNG of 640 × 720"
    assert "not a whole PNG" in SIMPLE.problem(empty[:-100])
    assert "not a whole PNG" in SIMPLE.problem(b'{"success": false}')


def test_what_is_asked_for_follows_the_work(site: Site) -> None:
    assert (SIMPLE.route, SIMPLE.body(site.url)) == ("/render", {"html": SIMPLE.html})
    assert (SLOW_URL.route, SLOW_URL.body("http://a")) == ("/render-url", {"url": "http://a/page"})


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1))
def test_a_percentile_is_the_least_value_that_the_share_does_not_exceed(
    values: list[float], share: float
) -> None:
    found = percentile(values, share)
    assert sum(value <= found for value in values) >= share * len(values) - 1e-6
    assert sum(value < found for value in values) < share * len(values) + 1e-6


def test_no_values_have_no_percentile() -> None:
    assert math.isnan(percentile([], 0.5))


def test_only_right_answers_of_the_time_make_the_rate() -> None:
    answers = Answers(
        began=100,
        ended=104,
        answers=[
            Answer(100.5, 50, "a"),
            Answer(102, 60, "a"),
            Answer(103, 5, "a", "503 busy"),
            Answer(103.5, 70, "a"),
        ],
    )
    assert answers.rate == 3 / 4
    assert answers.since(101).rate == 2 / 3
    assert answers.p50 == 60
    assert answers.problems == ["a: 503 busy"]


@pytest.mark.parametrize(
    ("figure", "goal", "at_least", "met", "margin"),
    [
        (0.99, 0.9, True, True, 0.1),
        (0.81, 0.9, True, False, -0.1),
        (0.9, 0.9, True, True, 0),
        (50, 100, False, True, 0.5),
        (150, 100, False, False, -0.5),
        (0, 0, False, True, 0),
        (2, 0, False, False, -2),
    ],
)
def test_a_goal_says_whether_it_is_met_and_by_how_much(
    figure: float, goal: float, at_least: bool, met: bool, margin: float
) -> None:
    found = Goal("P1", "what", figure, goal, at_least)
    assert found.met == met
    assert found.margin == pytest.approx(margin)
