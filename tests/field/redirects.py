"""`python -m tests.field.redirects`: pages that go elsewhere, by every means and at every moment.

The first page is blue and the next one is lime. A picture of either is right; an error never is.
By default there are 200 renders of each means at each moment and delay: a third of them are HTML
that is sent, a fifth are PDFs, and half of them go to a page that is slow to come.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import product

from farm.render import Engine
from tests.field.asking import ask_engine, log_nothing, running_engine
from tests.field.case import HELPERS, Case, doc
from tests.field.outcome import Outcome, either, shows
from tests.field.site import Page, Site, running_field_site

BEFORE, AFTER = shows("blue"), shows("lime")

_PAGE = "<!doctype html><body style='margin:0;background:blue'>"
_TARGET = "<!doctype html><body style='margin:0;background:lime'>"
_RELOADED = "performance.getEntriesByType('navigation')[0]?.type === 'reload'"
_SLOW_S = 0.15

#: What goes to `$to`.
MEANS = {
    "location": "location = '$to'",
    "replace": "location.replace('$to')",
    "link": "add('a', { href: '$to' }).click()",
    "form": "add('form', { method: 'post', action: '$to' }).submit()",
    "meta": "add('meta', { httpEquiv: 'refresh', content: '0;url=$to' })",
    "other-site": "location = '$to'",
    "reload": "location.reload()",
    "history": "history.pushState(1, '', '#1'); document.body.style.background = 'lime'",
    "document-open": "document.open(); document.write(`" + _TARGET + "`); document.close()",
}
#: What calls `later` at which moment.
MOMENTS = {
    "parsed": "later(0)",
    "DOMContentLoaded": "addEventListener('DOMContentLoaded', () => later(0))",
    "load": "addEventListener('load', () => later(0))",
    "settled": "addEventListener('load', () => later(150))",
}
DELAYS_MS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500)


@dataclass(frozen=True)
class Move:
    """One way to go elsewhere, and how the page that does is asked for."""

    means: str
    moment: str
    delay_ms: int
    as_html: bool = False
    slow: bool = False
    format: str = "png"

    @property
    def name(self) -> str:
        speed = "slow" if self.slow else "fast"
        return f"{self.means}-{self.moment}-{self.delay_ms}-{speed}"

    def __str__(self) -> str:
        return f"{self.name}-{self.format}" + ("-html" if self.as_html else "")

    @property
    def html(self) -> str:
        origin = "$other" if self.means == "other-site" else "$site"
        to = doc(_TARGET, origin, _SLOW_S if self.slow else 0)
        script = (
            f"const go = () => {{ {MEANS[self.means]} }};"
            f"const later = (ms) => setTimeout(go, ms + {self.delay_ms});"
            f"if ({_RELOADED}) document.body.style.background = 'lime';"
            f"else {MOMENTS[self.moment]}"
        )
        return f"{_PAGE}<script>{HELPERS}{script.replace('$to', to)}</script>"

    @property
    def case(self) -> Case:
        right = either(BEFORE, AFTER)
        if self.as_html:
            return Case(self.name, right, html=self.html, format=self.format)
        return Case(self.name, right, page=Page(self.html), format=self.format)


def moves(means: Iterable[str], moments: Iterable[str]) -> list[Move]:
    return [Move(*each) for each in product(means, moments, DELAYS_MS)]


def varied(move: Move, run: int) -> Move:
    """The move by URL or as HTML, to a fast or a slow page, as an image or a PDF: by its run."""
    return replace(
        move, as_html=run % 3 == 1, slow=run // 3 % 2 == 1, format="pdf" if run % 5 == 4 else "png"
    )


#: What the site serves for all of them.
PAGES = {
    move.name: Page(move.html)
    for each in moves(MEANS, MOMENTS)
    for move in (each, replace(each, slow=True))
}


def ask(engine: Engine, site: Site, move: Move) -> str:
    """`before`, `after`, the code of an error, or what else is in the picture."""
    case = move.case
    outcome: Outcome = ask_engine(engine, site, case)
    if not case.right(outcome):
        return outcome.error or f"wrong: {case.right.describe(outcome)}"
    return "before" if BEFORE(outcome) else "after"


def _rows(counted: dict[Move, Counter[str]]) -> Iterator[str]:
    errors = sorted({what for came in counted.values() for what in came} - {"after", "before"})
    columns = ["after", "before", *errors]
    yield f"| means | moment | {' | '.join(columns)} | delays of the errors, ms |"
    yield "|---" * (len(columns) + 3) + "|"
    total: Counter[str] = Counter()
    for means, moment in dict.fromkeys((move.means, move.moment) for move in counted):
        row = {m: c for m, c in counted.items() if (m.means, m.moment) == (means, moment)}
        came: Counter[str] = sum(row.values(), Counter())
        total += came
        late = [str(m.delay_ms) for m, c in row.items() if any(c[error] for error in errors)]
        cells = " | ".join(str(came[column]) for column in columns)
        yield f"| {means} | {moment} | {cells} | {' '.join(late)} |"
    yield f"| all | | {' | '.join(str(total[column]) for column in columns)} | |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.field.redirects", description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="of each means, moment and delay")
    parser.add_argument("--means", nargs="+", choices=MEANS, default=MEANS, metavar="MEANS")
    parser.add_argument("--moments", nargs="+", choices=MOMENTS, default=MOMENTS, metavar="MOMENT")
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--deadline", type=float, default=30, metavar="S", help="of a render")
    args = parser.parse_args()
    log_nothing()
    chosen = moves(args.means, args.moments)
    counted: dict[Move, Counter[str]] = {move: Counter() for move in chosen}
    with (
        running_engine(args.deadline) as engine,
        running_field_site(PAGES) as site,
        ThreadPoolExecutor(args.at_once) as pool,
    ):
        # Round after round, so that every move has different ones beside it.
        for run in range(args.runs):
            renders = [varied(move, run + place) for place, move in enumerate(chosen)]
            came = pool.map(lambda move: ask(engine, site, move), renders)
            for move, what in zip(chosen, came, strict=True):
                counted[move][what] += 1
            so_far = sum(counted.values(), Counter())
            print(f"round {run + 1} of {args.runs}: {dict(so_far)}", file=sys.stderr, flush=True)
    print("\n".join(_rows(counted)))
    sys.exit(any(what not in ("after", "before") for came in counted.values() for what in came))


if __name__ == "__main__":
    main()
