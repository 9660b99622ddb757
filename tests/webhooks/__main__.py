"""`python -m tests.webhooks`: jobs with webhooks, a receiver with moods, workers that die."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.webhooks.run import run


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.webhooks", description=__doc__)
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--per-second", type=float, default=4)
    parser.add_argument("--seed", type=int, default=1, help="the same moods in the same order")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ledger = run(
            args.jobs,
            args.seed,
            Path(folder) / "farm.log",
            args.per_second,
            tell=lambda line: print(line, file=sys.stderr, flush=True),
        )
    print(ledger.table())
    sys.exit(bool(ledger.broken_promises()))


if __name__ == "__main__":
    main()
