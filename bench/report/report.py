"""The figures as a page: `report.md` beside the pictures."""

from typing import Any

from bench.measures.answers import percentile
from bench.report.figures import Figure, Figures
from bench.report.goals import Extra, Goal
from bench.workloads.pages import COMPLEX, SIMPLE, SLOW_URL, Workload

#: Of a published service of this kind, one instance: milliseconds, MB for one render, KB of output.
PUBLISHED = (
    (SIMPLE, (100, 300), 100, (5, 50)),
    (COMPLEX, (500, 2000), 150, (20, 200)),
    (SLOW_URL, (2000, 5000), 200, (50, 500)),
)


def report(
    figures: Figures,
    goals: list[Goal],
    extra: Extra,
    pictures: list[tuple[str, str]],
    about: dict[str, Any],
) -> str:
    """The whole page, as Markdown."""
    parts = [
        f"# The farm measured, {about['date']}",
        _about(about),
        "## Goals\n\n" + _goals(goals),
        *(f"![{caption}]({name})" for name, caption in pictures),
        "## Simple HTML side by side\n\n" + _side_by_side(figures, SIMPLE),
        "## Complex HTML and URLs that wait\n\n" + _others(figures),
        "## One instance from 1 to 50 renders at once\n\n" + _scaling(figures),
        "## The published profile\n\n" + _published(figures),
    ]
    if extra.overload is not None:
        parts.append("## Overload\n\n" + _overload(extra))
    return "\n\n".join(parts) + "\n"


def _about(about: dict[str, Any]) -> str:
    machine = about["machine"]
    return (
        f"{machine['cores']} cores ({machine['cpu']}), {machine['memoryGib']:.0f} GiB, "
        f"{machine['system']}, Python {machine['python']}, {about['browser']}, farm "
        f"{machine['farm']}. {about['rounds']} rounds of {about['seconds']:g} s, side by side in "
        "turn; each figure is the median of its rounds. One load generator (locust) for all "
        "servers, on the same cores; every answer is looked at. CPU and memory (PSS) are those of "
        f"all processes of the one that is measured. `{about['command']}` makes this page anew."
    )


def _goals(goals: list[Goal]) -> str:
    rows = ["| | goal | figure | | by | how |", "|---|---|---|---|---|---|"]
    for goal in goals:
        sign = "≥" if goal.at_least else "≤"
        verdict = "met" if goal.met else "**missed**"
        what = f"{goal.what} {sign} {goal.goal:g}"
        figure = f"{_number(goal.figure)} | {verdict} | {goal.margin:+.0%}"
        rows.append(f"| {goal.name} | {what} | {figure} | {goal.how} |")
    return "\n".join(rows)


def _number(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def _side_by_side(figures: Figures, work: Workload) -> str:
    names = figures.contenders(work.name)
    clients = sorted(
        {f.clients for name in names for f in figures.of(name, work.name)} & {1, 4, 8, 16}
    )
    shown = " / ".join(map(str, clients))
    rows = [
        f"| | a second at {shown} | p50 ms | p95 ms | CPU ms a render | MiB at {clients[-1]} |",
        "|---|---|---|---|---|---|",
    ]
    for name in names:
        found = [f for f in figures.of(name, work.name) if f.clients in clients]

        def row(measure: str, digits: int = 0, found: list[Figure] = found) -> str:
            return " / ".join(f"{getattr(figure, measure):.{digits}f}" for figure in found)

        rows.append(
            f"| {name} | {row('rate', 1)} | {row('p50_ms')} | {row('p95_ms')} | {row('cpu_ms')} "
            f"| {found[-1].peak_mib:.0f} |"
        )
    return "\n".join(rows)


def _others(figures: Figures) -> str:
    head = "| | work | clients | a second | p50 ms | p95 ms | CPU ms a render | MiB |"
    rows = [
        f"| {name} | {work.name} | {clients} | {_row(found)} |"
        for work, clients in ((COMPLEX, 4), (SLOW_URL, 32))
        for name in figures.contenders(work.name)
        if (found := figures.find(name, work.name, clients))
    ]
    return "\n".join([head, "|---" * 8 + "|", *rows])


def _row(found: Figure) -> str:
    return (
        f"{found.rate:.1f} | {found.p50_ms:.0f} | {found.p95_ms:.0f} | {found.cpu_ms:.0f} "
        f"| {found.peak_mib:.0f}"
    )


def _scaling(figures: Figures) -> str:
    head = "| at once | work | a second | p50 ms | p95 ms | CPU ms a render | MiB |"
    rows = [
        f"| {found.clients} | {work.name} | {_row(found)} |"
        for work in (SIMPLE, SLOW_URL)
        for found in figures.of("farm", work.name)
    ]
    return "\n".join([head, "|---" * 7 + "|", *rows])


def _published(figures: Figures) -> str:
    head = (
        "| work | ms, published | p50 here | MB a render, published | here | KB, published | here |"
    )
    rows = [head, "|---" * 7 + "|"]
    for work, (fast, slow), mb, (small, large) in PUBLISHED:
        one, many = (figures.find("farm", work.name, clients) for clients in (1, 16))
        if one is None:
            continue
        more = f"{(many.peak_mib - one.peak_mib) / 15:.0f}" if many else ""
        rows.append(
            f"| {work.name} | {fast} to {slow} | {one.p50_ms:.0f} | {mb} | {more} "
            f"| {small} to {large} | {one.bytes / 1000:.0f} |"
        )
    return "\n".join(rows) + (
        "\n\nOne client; memory of a render is what each of 15 more at the same time adds to the "
        "farm. PNGs are written for speed: about twice as large as those written for size."
    )


def _overload(extra: Extra) -> str:
    overload = extra.overload
    assert overload is not None
    rows = [
        "| from connecting to the end of the answer, ms | n | p50 | p95 | p99 | max |",
        "|---|---|---|---|---|---|",
    ]
    times = {"refused as busy": overload.refused_s, "rendered": overload.renders.times["right"]}
    times |= {
        what: [seconds for each in books.times.values() for seconds in each]
        for what, books in overload.probes.items()
    }
    for what, seconds in times.items():
        shown = " | ".join(f"{percentile(seconds, s) * 1000:.0f}" for s in (0.5, 0.95, 0.99, 1))
        rows.append(f"| {what} | {len(seconds)} | {shown} |")
    return "\n".join(rows)
