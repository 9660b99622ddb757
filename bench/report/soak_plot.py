"""The soak as a picture: memory, open files and processes over the renders."""

import logging
from pathlib import Path
from typing import Any

from bench.measures.soak_run import TOLERANCE, Run

#: Title, and field of `Reading`, of each panel.
PANELS = (("Memory, MiB", "memory_mib"), ("Open files", "files"), ("Processes", "processes"))
PEAK, SAMPLES, BAND, TEXT, FAINT = "#1f5fa8", "#a9c4e2", "#dff0e2", "#22272e", "#6b7480"

#: Text stays text, and the same samples give the same file.
STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "soak",
    "font.family": ["Liberation Sans", "Arial", "Helvetica", "sans-serif"],
    "font.size": 11,
    "text.color": TEXT,
    "axes.edgecolor": "#c9cfd6",
    "axes.labelcolor": FAINT,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.major.size": 4,
    "ytick.major.size": 0,
}


def plot(run: Run, path: Path, tolerance: float = TOLERANCE) -> None:
    """Write an SVG. Needs matplotlib, the `bench` extra."""
    import matplotlib
    from matplotlib.figure import Figure

    # It tells of every font that is not on this machine; who looks at the SVG may have it.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9, 7.8), facecolor="white")
        panels = figure.subplots(len(PANELS), 1, sharex=True)
        figure.subplots_adjust(left=0.085, right=0.915, top=0.815, bottom=0.085, hspace=0.38)
        _head(figure, run)
        for axes, (title, measure) in zip(panels, PANELS, strict=True):
            _panel(axes, run, measure, tolerance)
            axes.set_title(title, loc="left", fontsize=12.5, fontweight="bold", pad=8)
            axes.tick_params(axis="x", length=4 if axes is panels[-1] else 0)
        panels[-1].set_xlabel("renders so far", labelpad=6)
        _handovers(panels, run)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def _head(figure: Any, run: Run) -> None:
    minutes = max(1, round(run.seconds / 60))
    span = f"{run.renders:,} renders in {minutes} minute{'s' if minutes > 1 else ''}"
    what = "All its processes together; memory is PSS, so what they share counts once"
    figure.text(0.085, 0.952, f"What the farm holds during {span}", fontsize=17, fontweight="bold")
    figure.text(0.085, 0.918, what, color=FAINT)
    legend = (
        (0.085, PEAK, 2.4, f"peak of every {run.block:,} renders"),
        (0.345, SAMPLES, 1.2, "each second"),
        (0.5, BAND, 9, "within 5 % of the second peak"),
    )
    from matplotlib.lines import Line2D

    for x, colour, width, text in legend:
        line = Line2D([x, x + 0.028], [0.879] * 2, color=colour, linewidth=width)
        line.set_solid_capstyle("butt")
        figure.add_artist(line)
        figure.text(x + 0.036, 0.879, text, fontsize=10, va="center")


def _panel(axes: Any, run: Run, measure: str, tolerance: float) -> None:
    peaks = run.peaks(measure)
    edges = [min(place * run.block, run.renders) for place in range(len(peaks) + 1)]
    if len(peaks) > 1:
        low, high = peaks[1] * (1 - tolerance), peaks[1] * (1 + tolerance)
        axes.fill_between([edges[1], edges[-1]], low, high, color=BAND, linewidth=0)
    samples = [(s.renders, getattr(s.reading, measure)) for s in run.samples]
    axes.plot(*zip(*samples, strict=True), color=SAMPLES, linewidth=0.9)
    axes.stairs(peaks, edges, color=PEAK, linewidth=2.4, baseline=None, zorder=3)
    axes.set_xlim(0, run.renders)
    axes.set_ylim(0, max(peaks) * 1.12)
    axes.yaxis.set_major_locator(_ticks())
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.grid(axis="y", color="#edf0f3", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.annotate(
        f"{peaks[-1]:,.0f}" + (f"\n{peaks[-1] / peaks[1] - 1:+.1%}" if len(peaks) > 1 else ""),
        (run.renders, peaks[-1]),
        xytext=(8, 0),
        textcoords="offset points",
        va="center",
        color=PEAK,
        fontsize=10.5,
        fontweight="bold",
        annotation_clip=False,
    )


def _ticks() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(4, integer=True)


def _handovers(panels: Any, run: Run) -> None:
    """A line for each replacement of a browser, which shows as a peak of its own."""
    more = [s.reading.browsers > run.usual_browsers for s in run.samples]
    starts = [
        sample.renders
        for sample, now, before in zip(run.samples, more, [False, *more], strict=False)
        if now and not before
    ]
    for renders in starts:
        for axes in panels:
            axes.axvline(renders, color=FAINT, linewidth=0.9, linestyle=(0, (1, 2.5)), zorder=1)
    if 0 < len(starts) <= 3:
        for renders in starts:
            left = renders < run.renders * 0.75
            panels[0].annotate(
                "a browser is replaced",
                (renders, 0),
                xytext=(5 if left else -5, 6),
                textcoords="offset points",
                ha="left" if left else "right",
                color=FAINT,
                fontsize=9.5,
            )
