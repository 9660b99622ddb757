"""A whole farm as its users run it.

::

    farm serve
    ├─ Valkey
    ├─ farm worker ─ its driver ─ Chromium
    └─ gunicorn ─ workers ─ their drivers ─ Chromiums

With `redis_url` there is no Valkey and no `farm worker`, and `farm serve` itself is gunicorn.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import requests

START_TIMEOUT_S = 110


class Farm:
    """A farm that is up; its log is `log_path`."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log_path: Path) -> None:
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.log_path = log_path

    def post(self, path: str, body: object, **kwargs: Any) -> requests.Response:
        kwargs.setdefault("timeout", 60)
        return requests.post(self.url + path, json=body, **kwargs)

    def render(self, html: str, **options: object) -> requests.Response:
        return self.post("/render", {"html": html, "options": options})

    def tree(self) -> list[psutil.Process]:
        """Every process below `farm serve`."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def gunicorn(self) -> psutil.Process:
        """gunicorn's master."""
        return self._find(lambda line: line[1:3] == ["-m", "gunicorn"])

    def job_worker(self) -> psutil.Process:
        """The `farm worker`."""
        return self._find(lambda line: line[-2:] == ["farm.cli", "worker"])

    def valkey(self) -> psutil.Process:
        """The queue's, not the cache's."""

        def is_queue(line: list[str]) -> bool:
            is_cache = any("/cache/valkey.sock" in part for part in line)
            return Path(line[0]).name == "valkey-server" and not is_cache

        return self._find(is_queue)

    def _find(self, is_it: Callable[[list[str]], bool]) -> psutil.Process:
        """`farm serve` or the child of it whose command line it is. Raises `LookupError`."""
        serve = psutil.Process(self.process.pid)
        for process in [serve, *serve.children()]:
            line = command_line(process)
            if line and is_it(line):
                return process
        raise LookupError("the farm has no such process")

    def workers(self) -> list[psutil.Process]:
        """gunicorn's workers."""
        return self.gunicorn().children()

    def chromiums(self) -> list[psutil.Process]:
        """The main processes of the browsers of gunicorn's workers."""
        return [p for p in self.gunicorn().children(recursive=True) if is_browser(p)]

    def drivers(self) -> list[psutil.Process]:
        """The Playwright drivers of gunicorn's workers."""
        return [driver_of(browser) for browser in self.chromiums()]

    def log_lines(self, event: str) -> list[dict[str, Any]]:
        return log_lines(self.log_path, event)

    def stop(self, timeout_s: float = 60) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s)


def log_lines(log_path: Path, event: str) -> list[dict[str, Any]]:
    """The entries of a JSON log that tell of this event."""
    lines = []
    *whole, _being_written = log_path.read_text().split("\n")
    for line in whole:
        if line.startswith("{"):
            entry = json.loads(line)
            if entry["event"] == event:
                lines.append(entry)
    return lines


def command_line(process: psutil.Process) -> list[str]:
    """Empty for a process that is gone, or a zombie."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def is_browser(process: psutil.Process) -> bool:
    line = command_line(process)
    return any(a.startswith("--user-data-dir=") for a in line) and not any(
        a.startswith("--type=") for a in line
    )


def wait_until(condition: Callable[[], object], timeout_s: float = 30) -> None:
    """Poll a condition, often at first; fail when it does not come true in time."""
    end = time.monotonic() + timeout_s
    pause_s = 0.005
    while not condition():
        assert time.monotonic() < end, f"not true within {timeout_s} s: {condition}"
        time.sleep(pause_s)
        pause_s = min(1.5 * pause_s, 0.05)


def driver_of(chromium: psutil.Process) -> psutil.Process:
    driver = chromium.parent()
    assert driver is not None
    return driver


def gone(processes: list[psutil.Process]) -> bool:
    return not any(runs(process) for process in processes)


def runs(process: psutil.Process) -> bool:
    """Asks of this process only: its number may belong to another one, or to a thread, by now."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # it went between the two questions
        return False


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def environment(**settings: object) -> dict[str, str]:
    """This process's without settings, but for the Chromium to use; then those given."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("FARM_") or name == "FARM_CHROMIUM_PATH"
    }
    given = {"log_format": "json", **settings}
    return kept | {f"FARM_{name.upper()}": str(value) for name, value in given.items()}


def end(process: subprocess.Popen[bytes], timeout_s: float = 60) -> None:
    """SIGTERM, and if that does not do, SIGKILL for it and all below it."""
    if process.poll() is None:
        started = psutil.Process(process.pid)
        tree = [started, *started.children(recursive=True)]
        process.terminate()
        try:
            process.wait(timeout_s)
        finally:
            for survivor in tree:
                with suppress(psutil.Error, OSError):
                    survivor.kill()


@contextmanager
def running_worker(
    log_path: Path, package: Path | None = None, /, **settings: object
) -> Iterator[subprocess.Popen[bytes]]:
    """A `farm worker`, which may not be up yet; its settings as of `running_farm`.

    `package`: the folder that has another version of the farm in it.
    """
    elsewhere = {"PYTHONPATH": str(package)} if package else {}
    with log_path.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "farm.cli", "worker"],
            cwd=package,  # where `-m` looks first
            env=environment(**settings) | elsewhere,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        end(process)


@contextmanager
def running_farm(log_path: Path, workers: int = 2, **settings: object) -> Iterator[Farm]:
    """A farm with the settings given by their names in lower case (`max_waiting=4`).

    Its data are beside its log, unless `data_dir` says otherwise.
    """
    port = free_port()
    given = {"data_dir": log_path.parent / "data", **settings, "port": port, "workers": workers}
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "farm.cli", "serve"],
            env=environment(**given),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    farm = Farm(process, port, log_path)
    try:
        wait_until(lambda: _all_up(farm, workers), START_TIMEOUT_S)
        yield farm
    finally:
        end(process)


def _all_up(farm: Farm, workers: int) -> bool:
    assert farm.process.poll() is None, farm.log_path.read_text()
    up = {entry["chromium_pid"] for entry in farm.log_lines("browser up")}
    if len(up) < workers:  # to look at the processes takes much longer
        return False
    # The job worker has a browser too.
    try:
        return len(up & {browser.pid for browser in farm.chromiums()}) >= workers
    except LookupError:
        return False
