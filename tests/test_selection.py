"""`make test` and `make test-dedicated` run every test, and none twice."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.dedicated  # each collecting of tests takes seconds

#: Its test has many cases, of which `make test` runs some.
FILE = "tests/field/test_redirects.py"


def test_each_case_is_run_by_one_of_the_two_commands() -> None:
    cases = collected()
    short, dedicated = collected("-m", "not dedicated"), collected("-m", "dedicated")
    assert len(cases) == len(set(cases))
    assert sorted(short + dedicated) == sorted(cases)
    assert short == cases[::3]


def collected(*args: str) -> list[str]:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", *args, FILE]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line for line in finished.stdout.splitlines() if line.startswith(FILE)]
