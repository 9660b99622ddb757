"""What several files of one load cost beside one: `python -m bench.measures.outputs [--rounds 15]`.

In turn, by one client of an engine: one file and five viewports of a slow URL, one file and five
encodings of simple HTML. Prints a table in Markdown. The goals: 1.5 and 2 times the one.
"""

import statistics
import time
from typing import Any

import click

from bench.workloads.pages import SIMPLE, SLOW_URL
from bench.workloads.site import running_site
from farm.render import Engine
from farm.request import HTML_OR_URL, RenderRequest
from farm.settings import Settings
from tests.support.site import SITES

VIEWPORTS = [{"width": width} for width in (1280, 390, 768, 1024, 1920)]
ENCODINGS = [
    {"name": "best", "optimizeForSpeed": False},
    {"name": "fast"},
    {"format": "jpeg"},
    {"name": "lossless", "format": "webp"},
    {"format": "webp", "quality": 80},
]


def milliseconds(engine: Engine, fields: dict[str, Any]) -> float:
    request = RenderRequest.from_fields(dict(fields), HTML_OR_URL, engine.limits)
    began = time.perf_counter()
    engine.render(request)
    return (time.perf_counter() - began) * 1000


@click.command()
@click.option("--rounds", default=15, show_default=True)
def main(rounds: int) -> None:
    engine = Engine(Settings(egress_allow=SITES))
    engine.start()
    engine.wait_started()
    print("| work | one file, ms | five, ms | times | goal |")
    print("|---|---|---|---|---|")
    with running_site() as url:
        for what, source, outputs, goal in (
            ("five viewports of a slow URL", SLOW_URL.body(url), VIEWPORTS, 1.5),
            ("five encodings of simple HTML", SIMPLE.body(""), ENCODINGS, 2.0),
            ("five viewports of simple HTML", SIMPLE.body(""), VIEWPORTS, None),
        ):
            pairs = [
                (milliseconds(engine, source), milliseconds(engine, {**source, "outputs": outputs}))
                for _ in range(rounds + 2)
            ][2:]
            one, five = (statistics.median(times) for times in zip(*pairs, strict=True))
            print(f"| {what} | {one:.0f} | {five:.0f} | {five / one:.2f} | {goal or ''} |")
    engine.close()


if __name__ == "__main__":
    main()
