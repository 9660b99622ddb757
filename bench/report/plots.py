"""The figures as pictures: SVG, one question each."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.report.figures import Figure, Figures
from bench.report.soak_plot import FAINT, STYLE, TEXT
from bench.workloads.pages import SIMPLE, SLOW_URL

#: The farm stands out, and the limit is what it is held against; the others stand back.
COLOURS = {
    "farm": "#1f5fa8",
    "limit": "#22272e",
    "bare Playwright loop": "#c77d2e",
    "puppeteer-cluster": "#3f8f5f",
    "Express + Playwright": "#9b5fb0",
}
_OTHER = "#6b7480"


def draw(figures: Figures, folder: Path) -> list[tuple[str, str]]:
    """Write them; returns file and caption of each. Needs matplotlib, the `bench` extra."""
    drawn = []
    for name, caption, plot in (
        ("throughput.svg", "Throughput against concurrency", _throughput),
        ("latency.svg", "Latency against concurrency", _latency),
        ("distribution.svg", "Distribution of the latency", _distribution),
        ("scaling.svg", "One instance from 1 to 50 renders at once", _scaling),
    ):
        if plot(figures, folder / name):
            drawn.append((name, caption))
    return drawn


@contextmanager
def _picture(path: Path, title: str, subtitle: str, panels: int = 1) -> Iterator[Any]:
    import logging

    import matplotlib
    from matplotlib.figure import Figure as Canvas

    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": path.name}):
        canvas = Canvas(figsize=(9, 5.2), facecolor="white")
        axes = canvas.subplots(1, panels, squeeze=False)[0]
        canvas.subplots_adjust(left=0.085, right=0.965, top=0.8, bottom=0.13, wspace=0.22)
        canvas.text(0.085, 0.93, title, fontsize=17, fontweight="bold")
        canvas.text(0.085, 0.878, subtitle, color=FAINT)
        for each in axes:
            each.grid(axis="y", color="#edf0f3", linewidth=0.8)
            each.set_axisbelow(True)
            each.spines[["top", "right", "left"]].set_visible(False)
        yield axes if panels > 1 else axes[0]
        for each in axes:
            each.set_ylim(bottom=0)
        canvas.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def _clients_axis(axes: Any, clients: list[int]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(clients, [str(count) for count in clients])
    axes.minorticks_off()
    axes.set_xlabel("renders asked for at the same time", labelpad=6)


def _line(axes: Any, figures: list[Figure], measure: str, **style: Any) -> None:
    name = figures[0].contender
    style = {
        "color": COLOURS.get(name, _OTHER),
        "linewidth": 2.4 if name == "farm" else 1.6,
    } | style
    if name == "limit":
        style |= {"linestyle": (0, (4, 2))}
    xs = [figure.clients for figure in figures]
    ys = [getattr(figure, measure) for figure in figures]
    size = 5 if name == "farm" else 3.5
    axes.plot(xs, ys, **{"marker": "o", "markersize": size, "label": name} | style)


def _throughput(figures: Figures, path: Path) -> bool:
    names = figures.contenders(SIMPLE.name)
    if len(names) < 2:
        return False
    subtitle = "Right renders a second: 1 KB of HTML to a PNG of 1280 × 720, a new context for each"
    with _picture(path, "How close the farm comes to the limit", subtitle) as axes:
        for name in names:
            _line(axes, _up_to_16(figures.of(name, SIMPLE.name)), "rate")
        _clients_axis(
            axes, [figure.clients for figure in _up_to_16(figures.of("farm", SIMPLE.name))]
        )
        axes.legend(frameon=False, loc="lower right", labelcolor=TEXT)
    return True


def _up_to_16(figures: list[Figure]) -> list[Figure]:
    return [figure for figure in figures if figure.clients <= 16]


def _latency(figures: Figures, path: Path) -> bool:
    farm, limit = (_up_to_16(figures.of(name, SIMPLE.name)) for name in ("farm", "limit"))
    if not (farm and limit):
        return False
    subtitle = (
        "Milliseconds until the PNG was there: median, and the band from it to the 95th percentile"
    )
    with _picture(path, "How long a render takes", subtitle) as axes:
        for line in (limit, farm):
            _line(axes, line, "p50_ms")
            xs = [figure.clients for figure in line]
            axes.fill_between(
                xs,
                [figure.p50_ms for figure in line],
                [figure.p95_ms for figure in line],
                color=COLOURS[line[0].contender],
                alpha=0.13,
                linewidth=0,
            )
        _clients_axis(axes, [figure.clients for figure in farm])
        axes.legend(frameon=False, loc="upper left", labelcolor=TEXT)
    return True


def _distribution(figures: Figures, path: Path) -> bool:
    clients = 8
    lines = [
        figure
        for name in figures.contenders(SIMPLE.name)
        if (figure := figures.find(name, SIMPLE.name, clients)) and figure.latencies_ms
    ]
    if not lines:
        return False
    subtitle = (
        f"Share of the renders that were there within so many milliseconds, {clients} clients"
    )
    with _picture(path, "How evenly renders are answered", subtitle) as axes:
        for figure in lines:
            count = len(figure.latencies_ms)
            shares = [100 * (place + 1) / count for place in range(count)]
            axes.plot(
                figure.latencies_ms,
                shares,
                color=COLOURS.get(figure.contender, _OTHER),
                linewidth=2.4 if figure.contender == "farm" else 1.6,
                linestyle=(0, (4, 2)) if figure.contender == "limit" else "-",
                label=figure.contender,
            )
        axes.set_xlim(left=0)
        axes.yaxis.set_major_formatter("{x:.0f} %")
        axes.set_xlabel("milliseconds", labelpad=6)
        axes.legend(frameon=False, loc="upper left", labelcolor=TEXT)
    return True


def _scaling(figures: Figures, path: Path) -> bool:
    works = {SIMPLE.name: "#1f5fa8", SLOW_URL.name: "#be185d"}
    if len(figures.of("farm", SLOW_URL.name)) < 3:
        return False
    subtitle = "With the defaults: simple HTML keeps the CPU busy, the slow URL mostly waits"
    with _picture(path, "One instance under more and more load", subtitle, panels=2) as panels:
        for axes, measure, title in zip(
            panels, ("rate", "peak_mib"), ("Renders a second", "Memory, MiB (PSS)"), strict=True
        ):
            for work, colour in works.items():
                _line(axes, figures.of("farm", work), measure, color=colour, label=work)
            axes.set_title(title, loc="left", fontsize=12, fontweight="bold", pad=8)
            _clients_axis(axes, [figure.clients for figure in figures.of("farm", SLOW_URL.name)])
        panels[0].legend(frameon=False, loc="lower right", labelcolor=TEXT)
    return True
