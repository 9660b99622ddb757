"""`python -m tests.field`: each case many times, several at once, and a table of what came."""

import argparse
import statistics
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from functools import partial

from tests.field.asking import (
    ask_engine,
    ask_playwright,
    log_nothing,
    running_engine,
)
from tests.field.case import Case
from tests.field.cases import CASES, PAGES
from tests.field.outcome import Outcome
from tests.field.site import running_field_site
from tests.support.chromium import running_playwright

Outcomes = dict[str, list[Outcome]]


def chosen(patterns: Sequence[str]) -> list[Case]:
    return [
        case
        for name, case in CASES.items()
        if not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)
    ]


def run_engine(
    cases: list[Case], runs: int, at_once: int, deadline_s: float, isolation: str
) -> Outcomes:
    """Round after round, so that every case has different ones beside it."""
    with (
        running_engine(deadline_s, isolation=isolation) as engine,
        running_field_site(PAGES) as site,
        ThreadPoolExecutor(at_once) as pool,
    ):
        futures = [
            (case.name, pool.submit(ask_engine, engine, site, case))
            for _ in range(runs)
            for case in cases
        ]
        return _gathered((name, future.result) for name, future in futures)


def run_playwright(cases: list[Case], runs: int) -> Outcomes:
    """One after another: Playwright's synchronous API has one thread."""

    with running_field_site(PAGES) as site, running_playwright() as browser:
        return _gathered(
            (case.name, partial(ask_playwright, browser, site, case))
            for _ in range(runs)
            for case in cases
        )


def _gathered(asked: Iterator[tuple[str, Callable[[], Outcome]]]) -> Outcomes:
    outcomes: Outcomes = {}
    for done, (name, result) in enumerate(asked, 1):
        outcomes.setdefault(name, []).append(result())
        if done % 100 == 0:
            print(f"{done} done", file=sys.stderr, flush=True)
    return outcomes


def _title(name: str) -> str:
    note = CASES[name].note
    return f"{name} ({note})" if note else name


def table(outcomes: Outcomes, only_wrong: bool) -> str:
    lines = ["| case | right | what else came | p50 ms | max ms |", "|---|---|---|---|---|"]
    for name, came in outcomes.items():
        right = CASES[name].right
        wrong = Counter(right.describe(outcome) for outcome in came if not right(outcome))
        if only_wrong and not wrong:
            continue
        others = ", ".join(f"{what} × {count}" for what, count in wrong.most_common())
        times = [outcome.milliseconds for outcome in came]
        lines.append(
            f"| {_title(name)} | {len(came) - wrong.total()} / {len(came)} | {others} "
            f"| {statistics.median(times):.0f} | {max(times):.0f} |"
        )
    all_right = sum(CASES[name].right(each) for name, came in outcomes.items() for each in came)
    return "\n".join([*lines, "", f"{all_right} of {sum(map(len, outcomes.values()))} right"])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.field", description=__doc__)
    parser.add_argument("--runs", type=int, default=100, help="of each case")
    parser.add_argument("--case", nargs="+", default=(), help="names, or patterns of them")
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--deadline", type=float, default=30, metavar="S", help="of a render")
    parser.add_argument("--isolation", choices=["render", "key"], default="render")
    parser.add_argument("--only-wrong", action="store_true", help="leave out what was always right")
    parser.add_argument(
        "--playwright", action="store_true", help="ask Playwright, and not the farm"
    )
    args = parser.parse_args()
    log_nothing()
    cases = chosen(args.case)
    if args.playwright:
        outcomes = run_playwright(cases, args.runs)
    else:
        outcomes = run_engine(cases, args.runs, args.at_once, args.deadline, args.isolation)
    print(table(outcomes, args.only_wrong))
    sys.exit(not all(CASES[name].right(each) for name, came in outcomes.items() for each in came))


if __name__ == "__main__":
    main()
