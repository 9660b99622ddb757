"""Draws a plan as a picture with matplotlib: load, machines and p95 over the day.

matplotlib is in the extra `plan`, and is imported when a picture is drawn.
"""

from pathlib import Path

from farm.plan.plan import Part, Plan

_LOAD, _MACHINES, _P95 = "#4338ca", "#0f766e", "#be185d"
FORMATS = (".svg", ".png")


class NoDrawingError(Exception):
    """No picture can be drawn. `str()` of it is a sentence for the user."""


def draw(plan: Plan, path: Path) -> None:
    """Write the picture, in the format of the path's suffix. Raises `NoDrawingError`."""
    if path.suffix.lower() not in FORMATS:
        raise NoDrawingError(f"{path}: pictures are {' or '.join(FORMATS)}")
    try:
        from matplotlib.figure import Figure
    except ImportError as exc:
        raise NoDrawingError(
            "pictures need matplotlib: pip install 'render-farm[plan]'; "
            "the table above has the same figures"
        ) from exc
    parts = [
        (name, part)
        for name, part in (("requests", plan.instances), ("jobs", plan.workers))
        if part is not None
    ]
    figure = Figure(figsize=(9, 6.5), layout="constrained")
    figure.suptitle(f"{plan.question.demand.per_day:,.0f} renders a day")
    axes = figure.subplots(3, len(parts), sharex=True, squeeze=False)
    for column, (name, part) in enumerate(parts):
        load, machines, latency = axes[:, column]
        hours = range(len(part.hours) + 1)
        load.set_title(name)
        load.fill_between(
            hours, _steps([h.rate for h in part.hours]), step="post", color=_LOAD, alpha=0.3
        )
        load.set_ylabel("a second,\nbusiest minutes")
        machines.step(
            hours, _steps([h.needed + part.lost for h in part.hours]), where="post", color=_MACHINES
        )
        machines.axhline(part.machines, color=_MACHINES, linestyle=":")
        machines.set_ylabel("machines")
        machines.yaxis.get_major_locator().set_params(integer=True)
        latency.step(hours, _steps([h.outcome.p95_s for h in part.hours]), where="post", color=_P95)
        latency.axhline(_target_s(plan, part), color=_P95, linestyle=":")
        latency.set_ylabel(f"p95, s, with\n{part.lost} lost")
        latency.set_xlabel("hour")
        latency.set_xticks(range(0, len(part.hours) + 1, 4))
        for each in (load, machines, latency):
            each.set_ylim(bottom=0)
            each.grid(alpha=0.25)
    try:
        figure.savefig(path)
    except OSError as exc:
        raise NoDrawingError(f"{path} cannot be written: {exc.strerror}") from exc


def _steps(values: list[float]) -> list[float]:
    """The values with the last one twice, for the end of the last hour."""
    return [*values, values[-1]]


def _target_s(plan: Plan, part: Part) -> float:
    return plan.question.target.p95_s if part is plan.instances else plan.question.jobs_p95_s
