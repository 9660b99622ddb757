"""`farm plan`: calculates how many machines a farm needs."""

import math
import sys
from pathlib import Path
from typing import Any

import click

from farm.plan import report
from farm.plan.demand import CURVES, CurveError, Demand, parse_curve
from farm.plan.drawing import NoDrawingError, draw
from farm.plan.kinds import MEASURED, KindsError, Mix
from farm.plan.machine import MachineType
from farm.plan.plan import Question, make, steps
from farm.plan.scrape import Scraped, ScrapeError, read, scraped
from farm.plan.sizing import SizingError, Target


class _Number(click.FloatRange):
    """A range without `inf`, and without `nan`, which Click accepts in every range."""

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a number that can be planned with.", param, ctx)
        return number


_COUNT = click.IntRange(min=0)
_POSITIVE = _Number(min=0, min_open=True)
_PERCENT = _Number(0, 100)


def _curve(ctx: click.Context, param: click.Parameter, value: str) -> tuple[float, ...]:
    try:
        return parse_curve(value)
    except CurveError as exc:
        raise click.BadParameter(str(exc), ctx, param) from exc


def _mix(ctx: click.Context, param: click.Parameter, value: str) -> Mix:
    try:
        return Mix.parse(value)
    except KindsError as exc:
        raise click.BadParameter(str(exc), ctx, param) from exc


@click.command()
@click.option("--per-day", type=_POSITIVE, required=True, help="Renders asked for in a day.")
@click.option(
    "--curve",
    callback=_curve,
    default="web",
    show_default=True,
    help=f"Shape of the day: {', '.join(CURVES)}, or 24 numbers, one an hour, as 1,1,2,….",
)
@click.option(
    "--burst",
    type=_Number(min=1),
    default=1.2,
    show_default=True,
    help="Rate of an hour's busiest minutes, by the hour's mean.",
)
@click.option(
    "--mix",
    callback=_mix,
    default="simple=60,complex=20,url=20",
    show_default=True,
    help=f"Kinds of pages and their shares; the kinds are {', '.join(MEASURED)}.",
)
@click.option(
    "--metrics",
    metavar="URL|FILE|-",
    help="Take the mix, the jobs and the cache's hits from a farm's /metrics instead.",
)
@click.option(
    "--cpu-ms",
    type=_POSITIVE,
    help="With --metrics: processor time of a render; it is estimated otherwise.",
)
@click.option(
    "--p95",
    type=_POSITIVE,
    default=2.0,
    show_default=True,
    help="Seconds in which 95 % of the renders are to be answered.",
)
@click.option(
    "--refused",
    type=_PERCENT,
    default=0.1,
    show_default=True,
    help="Per cent of the renders that may be refused.",
)
@click.option(
    "--busy",
    type=_Number(1, 100),
    default=85.0,
    show_default=True,
    help="Per cent of the cores that may be at work; the rest is for what the plan does not know.",
)
@click.option(
    "--lost",
    type=_COUNT,
    default=1,
    show_default=True,
    help="Machines that may be lost in the busiest minutes, the target being met.",
)
@click.option("--hits", type=_PERCENT, help="Per cent that the cache answers.  [default: 0]")
@click.option(
    "--cache-ttl", type=_POSITIVE, default=3600, show_default=True, help="Seconds kept there."
)
@click.option("--jobs", type=_PERCENT, help="Per cent that are jobs.  [default: 0]")
@click.option(
    "--jobs-p95",
    type=_POSITIVE,
    default=60.0,
    show_default=True,
    help="Seconds in which 95 % of the jobs are to be done.",
)
@click.option("--job-ttl", type=_POSITIVE, default=3600, show_default=True, help="FARM_JOB_TTL_S.")
@click.option(
    "--retries",
    type=_COUNT,
    default=0,
    show_default=True,
    help="How often a refused client tries again, after the seconds of Retry-After.",
)
@click.option(
    "--cores",
    type=_Number(0.1, 1024),
    default=2.0,
    show_default=True,
    help="Cores of a machine.",
)
@click.option(
    "--pages",
    type=click.IntRange(1, 64),
    default=32,
    show_default=True,
    help="FARM_PAGES_PER_BROWSER.",
)
@click.option("--waiting", type=_COUNT, default=32, show_default=True, help="FARM_MAX_WAITING.")
@click.option(
    "--deadline", type=_POSITIVE, default=30.0, show_default=True, help="FARM_RENDER_DEADLINE_S."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of the random numbers.")
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw the day too: a file that ends in .svg or .png.",
)
def plan(**given: Any) -> None:
    """Say how many machines a farm needs, by simulating its busiest minutes hour by hour.

    docs/plan.md tells what is simulated, what is assumed, and how close it comes.
    """
    mix, jobs, hits = given["mix"], given["jobs"], given["hits"]
    if given["metrics"] is not None:
        found = _scraped(given["metrics"], given["cpu_ms"])
        mix = found.mix
        jobs = 100 * found.job_share if jobs is None else jobs
        hits = 100 * found.hit_share if hits is None else hits
    elif given["cpu_ms"] is not None:
        raise click.UsageError("--cpu-ms needs --metrics.")
    question = Question(
        Demand(given["per_day"], given["curve"], given["burst"]),
        mix,
        Target(given["p95"], given["refused"] / 100, given["busy"] / 100, given["lost"]),
        MachineType(given["cores"], given["pages"], given["waiting"], given["deadline"]),
        hit_share=(hits or 0) / 100,
        cache_ttl_s=given["cache_ttl"],
        job_share=(jobs or 0) / 100,
        jobs_p95_s=given["jobs_p95"],
        job_ttl_s=given["job_ttl"],
        retries=given["retries"],
        seed=given["seed"],
    )
    try:
        with click.progressbar(length=steps(question), label="Simulating", file=sys.stderr) as bar:
            made = make(question, lambda: bar.update(1))
    except SizingError as exc:
        raise click.ClickException(f"There is no such plan: {exc}.") from exc
    for line in report.lines(made):
        click.echo(line)
    if given["plot"] is not None:
        try:
            draw(made, given["plot"])
        except NoDrawingError as exc:
            raise click.ClickException(f"{exc}.") from exc


def _scraped(source: str, cpu_ms: float | None) -> Scraped:
    try:
        return scraped(read(source), cpu_ms)
    except ScrapeError as exc:
        raise click.ClickException(f"--metrics: {exc}.") from exc
