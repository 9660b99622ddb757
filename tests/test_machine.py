"""What the machine gives."""

import subprocess
import sys

import pytest
from gunicorn.util import parse_address

from farm.machine import host_and_port


@pytest.mark.parametrize(
    ("soft", "hard", "asked", "given"),
    [(50, 200, 100, 100), (50, 80, 100, 80), (150, 200, 100, 150)],
)
def test_as_many_files_as_are_needed_and_allowed(
    soft: int, hard: int, asked: int, given: int
) -> None:
    """In a process of its own, whose limits are nobody else's."""
    script = (
        "import resource; from farm.machine import allow_open_files; "
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard})); "
        f"print(allow_open_files({asked}), resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    printed = subprocess.check_output([sys.executable, "-c", script], text=True)
    assert printed.split() == [str(given)] * 2


@pytest.mark.parametrize("host", ["0.0.0.0", "localhost", "::", "fd00::1"])
def test_gunicorn_listens_where_it_is_told_to(host: str) -> None:
    assert parse_address(host_and_port(host, 3000)) == (host, 3000)
