"""A short run: an instance and a worker lose their Redis, and nothing that was accepted is lost."""

import subprocess
import sys

import pytest

from tests.instances import network

pytestmark = [
    pytest.mark.dedicated,
    pytest.mark.skipif(bool(network.problem()), reason=f"no machines: {network.problem()}"),
]


@pytest.mark.timeout(180)
def test_machines_that_are_cut_off_from_redis_lose_nothing() -> None:
    # A process of its own, since all of its threads have to be in the other namespaces.
    command = [sys.executable, "-m", "tests.instances", "--only", "redis-drop"]
    done = subprocess.run(
        [*command, "--farms", "1", "--seconds", "5"], capture_output=True, text=True, check=False
    )
    print(done.stdout, done.stderr)
    assert done.returncode == 0
