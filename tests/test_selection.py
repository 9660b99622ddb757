"""Which tests the commands run."""

import subprocess
import sys

import pytest

from tests.support.selection import SLOW_FILES, SLOW_FOLDERS, TESTS

#: Its test has many cases, of which `make test` runs some.
FILE = "tests/field/test_redirects.py"


def test_what_is_passed_over_is_there() -> None:
    files = [
        TESTS / room / f"test_{name}.py"
        for room, names in SLOW_FILES.items()
        for name in names.split()
    ]
    assert [path for path in files if not path.is_file()] == []
    assert [name for name in SLOW_FOLDERS if not (TESTS / name).is_dir()] == []


@pytest.mark.dedicated  # to collect tests takes seconds
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
