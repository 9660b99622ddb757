"""`python -m tests.instances`: one scenario after the other, and the ledger of each."""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.instances import network, versions
from tests.instances.ledger import HEAD
from tests.instances.run import play
from tests.instances.scenarios import SCENARIOS


def main() -> None:
    names = [scenario.name for scenario in SCENARIOS]
    parser = argparse.ArgumentParser(prog="python -m tests.instances", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--seconds", type=float, default=30, help="how long a fault lasts")
    parser.add_argument("--farms", type=int, default=3, help="renderers, and as many workers")
    parser.add_argument("--before", default=versions.before(), help="revision to upgrade from")
    parser.add_argument("--logs", type=Path, help="the folder where all logs go")
    args = parser.parse_args()
    if problem := network.problem():
        parser.error(problem)
    network.enter("tests.instances", sys.argv[1:])
    switch, rows, broken = network.Network(), [], False
    for scenario in SCENARIOS:
        if scenario.name not in args.only:
            continue
        if problem := scenario.problem():
            _tell(f"{scenario.name}: not played, since {problem}")
            continue
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            folder.chmod(0o755)  # Chromium and nginx may run as other users
            try:
                ledger = play(
                    scenario, switch, folder, args.seconds, args.before, args.farms, _tell
                )
            finally:
                if args.logs:
                    _keep(folder, args.logs / scenario.name)
        print(f"\n== {scenario.name}: {scenario.what}\n{ledger.table()}", flush=True)
        rows.append(ledger.row(scenario.what))
        broken = broken or bool(ledger.broken_promises())
    print("\n" + "\n".join([HEAD, *rows]))
    sys.exit(broken)


def _tell(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def _keep(folder: Path, kept: Path) -> None:
    kept.mkdir(parents=True, exist_ok=True)
    for log in folder.glob("*.log"):
        shutil.copy(log, kept)


if __name__ == "__main__":
    main()
