"""The supervisor that `farm serve` is without a Redis, with small programs as its children."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest
import redis

from farm.jobs.embedded import EmbeddedValkey
from farm.settings import Settings
from tests.support.farm_process import command_line, gone, log_lines, wait_until

pytestmark = pytest.mark.dedicated

SUPERVISOR = """
import sys
from farm import supervisor
from farm.settings import Settings
name = [sys.executable, *sys.argv[1:]]
sys.exit(supervisor.run(Settings(), [*name, "gunicorn"], [*name, "worker"]))
"""

#: Writes down what happens to it, and whether Valkey then answers. On SIGUSR1 it asks for the
#: cache. On SIGTERM it ends as soon as
#: there is a file `release`, on SIGINT at once.
CHILD = """
import os, signal, socket, sys, time
folder, name = sys.argv[1:]

def note(what):
    with open(f"{folder}/journal", "a") as file:
        file.write(f"{name} {what}\\n")

def on_signal(number, _):
    note(signal.Signals(number).name)
    if number == signal.SIGUSR1:
        # The next one would find a half-made module if it came amid the import.
        signal.pthread_sigmask(signal.SIG_BLOCK, [number])
        from farm.cache import SupervisorSocket
        SupervisorSocket.from_environment().request_cache()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
    if number == signal.SIGTERM:
        while not os.path.exists(f"{folder}/release"):
            time.sleep(0.02)
        with socket.socket(socket.AF_UNIX) as valkey:
            valkey.connect(f"{folder}/data/valkey/valkey.sock")
            valkey.sendall(b"PING\\r\\n")
            note("ends after " + valkey.recv(7).decode().strip())
    if number in (signal.SIGTERM, signal.SIGINT):
        sys.exit()

for number in ("HUP", "INT", "TERM", "USR1", "USR2", "TTIN", "TTOU"):
    signal.signal(getattr(signal, "SIG" + number), on_signal)
note("starts")
while True:
    signal.pause()
"""


class Supervisor:
    """A supervisor in a process group of its own, as a shell would start it."""

    def __init__(self, folder: Path, gunicorn: str = CHILD, **environment: str) -> None:
        self._folder = folder
        self.settings = Settings(data_dir=folder / "data")
        self.log_path = folder / "log"
        program = f"if sys.argv[2] == 'gunicorn':\n    exec({gunicorn!r})\nexec({CHILD!r})"
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", SUPERVISOR, "-c", f"import sys\n{program}", str(folder)],
                env={**os.environ, "FARM_DATA_DIR": str(self.settings.data_dir), **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_up(self) -> None:
        wait_until(lambda: {"gunicorn starts", "worker starts"} <= set(self.journal()))

    def journal(self) -> list[str]:
        path = self._folder / "journal"
        return path.read_text().splitlines() if path.exists() else []

    def release(self) -> None:
        """Let the children end when they are told SIGTERM."""
        (self._folder / "release").touch()

    def tree(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def caches(self) -> list[psutil.Process]:
        """The Valkeys for rendered files."""
        lines = {process: command_line(process) for process in self.tree()}
        return [p for p, line in lines.items() if any("/cache/valkey.sock" in a for a in line)]

    def child(self, name: str) -> psutil.Process:
        """`gunicorn`, `worker` or `valkey-server`."""
        lines = {process: command_line(process) for process in self.tree()}
        (found,) = [p for p, line in lines.items() if name in (line[-1], Path(line[0]).name)]
        return found


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    started = Supervisor(tmp_path)
    try:
        started.wait_up()
        yield started
    finally:
        if started.process.poll() is None:
            for process in [*started.tree(), psutil.Process(started.process.pid)]:
                process.kill()
        started.process.wait(10)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_in_order_and_leaves_nothing(supervisor: Supervisor, number: int) -> None:
    tree = supervisor.tree()
    assert len(tree) == 3
    # To the whole group, as a terminal sends Ctrl-C.
    os.killpg(supervisor.process.pid, number) if number == signal.SIGINT else (
        supervisor.process.send_signal(number)
    )
    wait_until(lambda: "gunicorn SIGTERM" in supervisor.journal())
    assert "worker SIGTERM" not in supervisor.journal()
    supervisor.release()
    assert supervisor.process.wait(20) == 0
    assert gone(tree)
    assert supervisor.journal()[2:] == [
        "gunicorn SIGTERM",
        "gunicorn ends after +PONG",
        "worker SIGTERM",
        "worker ends after +PONG",
    ]
    assert log_lines(supervisor.log_path, "stopped")


def test_a_second_signal_ends_it_at_once(supervisor: Supervisor) -> None:
    tree = supervisor.tree()
    supervisor.process.send_signal(signal.SIGTERM)
    wait_until(lambda: "gunicorn SIGTERM" in supervisor.journal())
    supervisor.process.send_signal(signal.SIGTERM)
    assert supervisor.process.wait(20) == 0
    assert gone(tree)
    assert "gunicorn SIGINT" in supervisor.journal()
    assert "worker SIGINT" in supervisor.journal()


def test_gunicorns_own_signals_reach_it(supervisor: Supervisor) -> None:
    def is_noted(line: str) -> bool:
        return line in supervisor.journal()

    supervisor.process.send_signal(signal.SIGUSR2)  # this one is not passed on
    for name in ("SIGHUP", "SIGUSR1", "SIGTTIN", "SIGTTOU"):
        supervisor.process.send_signal(getattr(signal, name))
        wait_until(partial(is_noted, f"gunicorn {name}"))
    assert not [line for line in supervisor.journal() if line.startswith("worker SIG")]
    assert "gunicorn SIGUSR2" not in supervisor.journal()


def test_a_worker_that_dies_is_started_again(supervisor: Supervisor) -> None:
    supervisor.child("worker").kill()
    wait_until(lambda: supervisor.journal().count("worker starts") == 2)
    (entry,) = log_lines(supervisor.log_path, "child ended")
    assert (entry["child"], entry["exit_status"]) == ("worker", -signal.SIGKILL)
    assert supervisor.journal().count("gunicorn starts") == 1


def test_a_valkey_that_dies_is_started_again_with_its_data(supervisor: Supervisor) -> None:
    def answers() -> bool:
        with redis.Redis.from_url(supervisor.settings.queue_url) as client:
            return bool(client.get("job") == b"accepted")

    with redis.Redis.from_url(supervisor.settings.queue_url) as client:
        client.set("job", "accepted")
    victim = supervisor.child("valkey-server")
    victim.kill()
    wait_until(lambda: log_lines(supervisor.log_path, "child started again"))
    assert answers()
    (entry,) = log_lines(supervisor.log_path, "child ended")
    assert (entry["child"], entry["exit_status"]) == ("valkey", -signal.SIGKILL)
    assert supervisor.child("valkey-server").pid != victim.pid


def test_a_cache_is_started_when_it_is_asked_for_and_kept_up(supervisor: Supervisor) -> None:
    assert not supervisor.caches()
    for _ in range(2):  # once is enough, and more does nothing
        supervisor.process.send_signal(signal.SIGUSR1)
    wait_until(lambda: log_lines(supervisor.log_path, "embedded cache up"))
    (cache,) = supervisor.caches()
    with redis.Redis.from_url(supervisor.settings.cache_address or "") as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "allkeys-lru"}
        assert client.config_get("appendonly") == {"appendonly": "no"}
    cache.kill()
    wait_until(lambda: log_lines(supervisor.log_path, "child started again"))
    wait_until(lambda: supervisor.caches() and supervisor.caches()[0].pid != cache.pid)
    tree = supervisor.tree()
    supervisor.release()
    supervisor.process.send_signal(signal.SIGTERM)
    assert supervisor.process.wait(20) == 0
    assert gone(tree)


@pytest.mark.parametrize(
    ("environment", "count"),
    [({"FARM_CACHE_TTL_S": "60"}, 1), ({"FARM_CACHE_TTL_S": "0"}, 0)],
)
def test_a_default_for_all_starts_the_cache_at_once(
    tmp_path: Path, environment: dict[str, str], count: int
) -> None:
    supervisor = Supervisor(tmp_path, **environment)
    try:
        supervisor.wait_up()
        assert len(supervisor.caches()) == count
    finally:
        supervisor.release()
        supervisor.process.terminate()
        supervisor.process.wait(20)


def test_a_cache_that_is_elsewhere_is_not_started_here(tmp_path: Path) -> None:
    elsewhere = {"FARM_CACHE_TTL_S": "60", "FARM_CACHE_URL": "redis://cache.example"}
    supervisor = Supervisor(tmp_path, **elsewhere)
    try:
        supervisor.wait_up()
        supervisor.process.send_signal(signal.SIGUSR1)
        wait_until(lambda: "gunicorn SIGUSR1" in supervisor.journal())
        assert not supervisor.caches()
    finally:
        supervisor.release()
        supervisor.process.terminate()
        supervisor.process.wait(20)


def test_gunicorns_end_is_the_farms(tmp_path: Path) -> None:
    (tmp_path / "release").touch()
    supervisor = Supervisor(tmp_path, "print('The port is taken.', flush=True); sys.exit(4)")
    assert supervisor.process.wait(20) == 4
    assert "The port is taken." in supervisor.log_path.read_text()
    log_text = supervisor.log_path.read_text()
    assert str(supervisor.settings.data_dir / "valkey") in log_text
    assert "Traceback" not in log_text


def test_a_killed_gunicorn_is_the_farms_end_too(supervisor: Supervisor) -> None:
    supervisor.release()
    tree = supervisor.tree()
    supervisor.child("gunicorn").kill()
    assert supervisor.process.wait(20) == 128 + signal.SIGKILL
    assert gone(tree)


def test_a_killed_supervisor_leaves_no_child_but_valkey(supervisor: Supervisor) -> None:
    supervisor.release()
    children = [supervisor.child("gunicorn"), supervisor.child("worker")]
    supervisor.process.kill()
    wait_until(lambda: gone(children))
    # The next farm takes its place.
    valkey = EmbeddedValkey(supervisor.settings)
    valkey.start()
    valkey.stop()


def serve(data_dir: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "farm.cli", "serve"],
        env={**os.environ, "FARM_DATA_DIR": str(data_dir), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_second_farm_in_the_same_directory_says_why_it_stops(tmp_path: Path) -> None:
    valkey = EmbeddedValkey(Settings(data_dir=tmp_path / "data"))
    valkey.start()
    try:
        finished = serve(tmp_path / "data")
        assert valkey.running
    finally:
        valkey.stop()
    assert finished.returncode == 1
    assert "The farm cannot start." in finished.stderr
    assert f"Another farm uses the directory {tmp_path / 'data'}" in finished.stderr
    assert "Traceback" not in finished.stdout + finished.stderr


@pytest.mark.parametrize("redis_url", ["", "http://localhost"])
def test_every_wrong_setting_is_told_once(tmp_path: Path, redis_url: str) -> None:
    finished = serve(tmp_path, FARM_PORT="x", FARM_PROT="1", FARM_REDIS_URL=redis_url)
    assert finished.returncode == 1
    printed = finished.stdout + finished.stderr
    assert printed.count("FARM_PORT:") == 1
    assert printed.count("FARM_PROT is not a setting") == 1
    assert "Traceback" not in printed
