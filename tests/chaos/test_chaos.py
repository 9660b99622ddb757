"""A short run: each process is killed once or stopped, and every promise is kept."""

from pathlib import Path

import pytest

from tests.chaos.faults import FAULTS
from tests.chaos.run import run

pytestmark = pytest.mark.dedicated

#: A job whose worker was killed may wait for two minutes. `bench.measures.ledger` and the long run
#: do it.
SHORT = [fault for fault in FAULTS if fault not in ("kill job worker", "stop job worker")]


@pytest.mark.timeout(180)
def test_every_answer_is_right_or_typed_in_time_whatever_dies(log_path: Path) -> None:
    ledger = run(seconds=0, faults=SHORT, seed=5, log_path=log_path, pause_s=1.5)
    print(ledger.table())
    assert ledger.broken_promises() == []
    assert ledger.right("good") > 10
    assert ledger.right("jobs") > 0
    assert set(ledger.faults) == set(SHORT)
