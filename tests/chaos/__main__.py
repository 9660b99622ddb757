"""`python -m tests.chaos`: a long run, and its ledger."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.chaos.faults import FAULTS
from tests.chaos.run import run


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1, help="the same faults in the same order")
    parser.add_argument("--faults", nargs="+", choices=FAULTS, default=FAULTS, metavar="FAULT")
    parser.add_argument("--isolation", choices=["render", "key"], default="render")
    parser.add_argument("--log", type=Path, help="where the farm's log goes")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log_path = args.log or Path(folder) / "farm.log"
        ledger = run(
            args.seconds,
            args.faults,
            args.seed,
            log_path,
            isolation=args.isolation,
            tell=lambda line: print(line, file=sys.stderr, flush=True),
        )
    print(ledger.table())
    sys.exit(bool(ledger.broken_promises()))


if __name__ == "__main__":
    main()
