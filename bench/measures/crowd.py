"""How throughput holds as more clients ask at once: `python -m bench.measures.crowd`.

locust takes a twelfth of a machine of two cores for fifty clients, which the farm then lacks. So
these are connections of one program that takes next to nothing (`asking`).
"""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import requests

from bench.measures.asking import Asked, post
from bench.workloads.pages import SIMPLE
from farm.settings import Settings
from tests.support.farm_process import Farm, running_farm, wait_until

#: How many clients ask at once: of the few the best counts, of the many the worst.
FEW, MANY = (4, 8), (16, 32, 50)
_ROUNDS = 3


def measure(farm: Farm, seconds: float) -> dict[int, float]:
    """Renders a second, by the number of clients. Raises `RuntimeError` if one was refused."""
    rates: dict[int, list[float]] = {clients: [] for clients in (*FEW, *MANY)}
    for _ in range(_ROUNDS):
        for clients, found in rates.items():
            # Clients hang up when their time is over: what they asked for is still in the line.
            wait_until(lambda: _is_idle(farm))
            asked = ask(farm, {"html": SIMPLE.html}, clients, seconds)
            if set(asked.kinds) != {"200"}:
                raise RuntimeError(f"{clients} clients were answered {asked.kinds}")
            found.append(asked.rate)
    return {clients: statistics.median(found) for clients, found in rates.items()}


def ask(farm: Farm, body: object, clients: int, seconds: float) -> Asked:
    """In a process of its own, which shares no lock with this one."""
    command = [
        sys.executable,
        "-m",
        "bench.measures.asking",
        str(farm.port),
        str(clients),
        str(seconds),
    ]
    request = post("/render", json.dumps(body).encode())
    done = subprocess.run(command, input=request, stdout=subprocess.PIPE, check=True)
    return Asked(**json.loads(done.stdout))


def _is_idle(farm: Farm) -> bool:
    use = requests.get(f"{farm.url}/status", timeout=10).json()["use"]
    return not use["rendering"] and not use["waiting"]


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # Chromium may run as another user
        with running_farm(folder / "log", workers=Settings().worker_count) as farm:
            for clients, rate in measure(farm, 8).items():
                print(f"{clients:3} clients: {rate:.1f} renders a second")


if __name__ == "__main__":
    main()
