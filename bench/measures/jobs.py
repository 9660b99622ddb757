"""Jobs a second through the queue beside the same renders answered at once.

`python -m bench.measures.jobs`

One farm, one gunicorn worker and one `farm worker` of concurrency 4 on its embedded Valkey. In
turn, four clients render N pages and wait for each, and N jobs are submitted and waited for. Prints
a table in Markdown, and what a waiting job takes of Redis.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import redis
import requests

from bench.workloads.pages import SIMPLE
from tests.support.farm_process import Farm, running_farm

CONCURRENCY = 4


def render_all(farm: Farm, count: int) -> float:
    """Renders a second, of `count`."""
    began = time.monotonic()
    with ThreadPoolExecutor(CONCURRENCY) as pool:
        for response in pool.map(lambda _: post(farm, "/render", "image/png"), range(count)):
            assert not SIMPLE.problem(response.content)
    return count / (time.monotonic() - began)


def do_jobs(farm: Farm, count: int) -> float:
    """Jobs a second, of `count`: from the first submission until the last one has its file."""
    began = time.monotonic()
    with ThreadPoolExecutor(CONCURRENCY) as pool:
        ids = [
            response.json()["jobId"]
            for response in pool.map(lambda _: post(farm, "/render-async"), range(count))
        ]
    for job_id in reversed(ids):
        url = f"{farm.url}/render-async/{job_id}?wait=30"
        while requests.get(url, timeout=60).json()["status"] != "completed":
            pass
    seconds = time.monotonic() - began
    for job_id in ids:
        file = requests.get(f"{farm.url}/download/{job_id}", timeout=60).content
        assert not SIMPLE.problem(file)
    return count / seconds


def post(farm: Farm, path: str, accept: str = "*/*") -> requests.Response:
    response = farm.post(path, SIMPLE.body(""), headers={"Accept": accept})
    response.raise_for_status()
    return response


def bytes_a_job(farm: Farm, count: int) -> float:
    """Growth of Redis's memory for each job that waits; the worker is stopped meanwhile."""
    client = redis.Redis(unix_socket_path=str(farm.log_path.parent / "data/valkey/valkey.sock"))
    farm.job_worker().suspend()
    before = client.info("memory")["used_memory_dataset"]
    with ThreadPoolExecutor(CONCURRENCY) as pool:
        list(pool.map(lambda _: post(farm, "/render-async"), range(count)))
    grown = client.info("memory")["used_memory_dataset"] - before
    farm.job_worker().resume()
    return float(grown) / count


def measure(farm: Farm, count: int, rounds: int) -> dict[str, list[float]]:
    """Renders a second of each round: `at once`, and `as jobs`, which a `farm worker` does."""
    ways: dict[str, Callable[[Farm, int], float]] = {"at once": render_all, "as jobs": do_jobs}
    results: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way(farm, 20)
    for _ in range(rounds):
        for what, way in ways.items():
            results[what].append(way(farm, count))
    return results


@click.command()
@click.option("--count", default=200, show_default=True)
@click.option("--rounds", default=3, show_default=True)
def main(count: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name, running_farm(Path(name) / "log", 1) as farm:
        results = measure(farm, count, rounds)
        print(f"| {count} renders, {CONCURRENCY} at a time | a second, each round | median |")
        print("|---|---|---|")
        for what, rates in results.items():
            shown = ", ".join(f"{rate:.1f}" for rate in rates)
            print(f"| {what} | {shown} | {statistics.median(rates):.1f} |")
        print(f"\nA waiting job takes {bytes_a_job(farm, 2000):,.0f} bytes of Redis.")


if __name__ == "__main__":
    main()
