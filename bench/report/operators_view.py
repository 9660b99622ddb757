"""The operator's dashboard without a Grafana: its queries, answered by a real Prometheus, drawn.

`python -m bench.report.operators_view http://127.0.0.1:9090 view.png --minutes 10`

A query that Prometheus does not understand ends it, and one that finds nothing is named.
"""

import argparse
import json
import logging
import math
import time
from pathlib import Path
from typing import Any

import requests

DASHBOARD = Path(__file__).parents[2] / "conf/grafana/dashboards/render-farm.json"
#: Grafana's own variables, as it would fill them in here.
_VARIABLES = {"$__rate_interval": "30s", "$instance": ".*"}
_POINTS = 200
#: A unit of the dashboard's width and height, in inches.
_UNIT = (0.62, 0.3)
_UNITS = {"percentunit": "", "s": "s", "bytes": "MiB", "reqps": "a second", "cps": "a second"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("prometheus")
    parser.add_argument("picture", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--ago", type=float, default=0, help="minutes since the end of the view")
    given = parser.parse_args()
    end = time.time() - given.ago * 60
    panels = json.loads(DASHBOARD.read_text())["panels"]
    found = {
        panel["id"]: [
            series
            for target in panel.get("targets", ())
            for series in _ask(given.prometheus, target, end, given.minutes * 60, _scale(panel))
        ]
        for panel in panels
    }
    for panel in panels:
        if panel["type"] != "row" and not found[panel["id"]]:
            print(f"nothing found: {panel['title']}")
    _draw(panels, found, given.picture)


Series = tuple[str, list[float], list[float]]


def _ask(
    prometheus: str, target: dict[str, Any], end: float, seconds: float, scale: float
) -> list[Series]:
    """Name, minutes before the end and values of each series.

    Raises `requests.HTTPError` for a query that is not understood.
    """
    query = target["expr"]
    for variable, value in _VARIABLES.items():
        query = query.replace(variable, value)
    params = {"query": query, "start": end - seconds, "end": end, "step": seconds / _POINTS}
    answer = requests.get(f"{prometheus}/api/v1/query_range", params=params, timeout=30)
    answer.raise_for_status()
    series = []
    for each in answer.json()["data"]["result"]:
        name = target.get("legendFormat", "")
        for label, value in each["metric"].items():
            name = name.replace("{{" + label + "}}", value)
        points = [(float(when), float(value)) for when, value in each["values"]]
        points = [point for point in points if math.isfinite(point[1])]
        times = [(when - end) / 60 for when, _ in points]
        series.append((name, times, [value * scale for _, value in points]))
    return series


def _draw(panels: list[dict[str, Any]], found: dict[int, list[Series]], path: Path) -> None:
    import matplotlib
    from matplotlib.figure import Figure as Canvas

    from bench.report.soak_plot import FAINT, STYLE

    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    wide, high = _UNIT
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    width, height = 24 * wide, rows * high
    with matplotlib.rc_context(STYLE | {"font.size": 8}):
        canvas = Canvas(figsize=(width, height), facecolor="white", dpi=80)
        for panel in panels:
            at = panel["gridPos"]
            left, top = at["x"] / 24, 1 - at["y"] / rows
            title = {"fontweight": "bold", "va": "top"}
            if panel["type"] == "row":
                canvas.text(0.01, top - 0.15 / height, panel["title"], fontsize=12, **title)
                continue
            canvas.text(left + 0.012, top - 0.1 / height, panel["title"], fontsize=9, **title)
            unit = _unit(panel)
            series = found[panel["id"]]
            if panel["type"] == "stat":
                said = (
                    "   ".join(_said(values[-1], unit) for _, _, values in series if values)
                    or "none"
                )
                canvas.text(left + 0.012, top - 0.5 / height, said, fontsize=17, va="top")
                continue
            box = (
                left + 0.45 / width,
                top - (at["h"] * high - 0.3) / height,
                at["w"] / 24 - 0.6 / width,
                (at["h"] * high - 0.95) / height,
            )
            axes = canvas.add_axes(box)
            for name, times, values in series:
                axes.plot(times, values, linewidth=1.3, label=name)
            axes.set_title(_UNITS.get(unit, ""), fontsize=7, color=FAINT, loc="left")
            most = max((value for _, _, values in series for value in values), default=0)
            axes.set_ylim(0, 1.5 * most or 1)  # room for the legend
            axes.grid(axis="y", color="#edf0f3")
            axes.spines[["top", "right", "left"]].set_visible(False)
            if series:
                axes.legend(fontsize=6, frameon=False, ncols=2, loc="upper left")
        canvas.savefig(path)


def _unit(panel: dict[str, Any]) -> str:
    unit: str = panel.get("fieldConfig", {}).get("defaults", {}).get("unit", "")
    return unit


def _scale(panel: dict[str, Any]) -> float:
    return {"bytes": 1 / (1 << 20)}.get(_unit(panel), 1)


def _said(value: float, unit: str) -> str:
    if unit == "percentunit":
        return f"{value:.0%}"
    return f"{value:.3g} {_UNITS.get(unit, '')}".strip()


if __name__ == "__main__":
    main()
