"""Clients that are slow or silent stop nobody else; and no header changes what a request is."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from farm.settings import MAX_SENDING
from tests.chaos import slow
from tests.support.farm_process import Farm, running_farm
from tests.support.images import LIME, is_filled

pytestmark = pytest.mark.dedicated

GREEN = {"html": "<body style='background:lime'>"}


@pytest.fixture(scope="module")
def small_farm(
    tmp_path_factory: pytest.TempPathFactory, without_jobs: dict[str, object]
) -> Iterator[Farm]:
    """One worker, with the fewest threads that there can be."""
    few = {"max_waiting": 4, "max_submissions": 1, "max_long_polls": 1, "max_downloads": 1}
    log_path = tmp_path_factory.mktemp("farm") / "log"
    with running_farm(log_path, workers=1, pages_per_browser=4, **few, **without_jobs) as farm:
        yield farm


@pytest.fixture
def connect(small_farm: Farm) -> Iterator[Callable[[bytes], socket.socket]]:
    with ExitStack() as stack:
        yield lambda sent: stack.enter_context(slow.connect(small_farm.port, sent))


@pytest.mark.parametrize("kind", slow.KINDS)
def test_slow_clients_stop_nobody(
    small_farm: Farm, connect: Callable[[bytes], socket.socket], kind: str
) -> None:
    for _ in range(1100 if kind == "silent" else 250):
        connect(slow.KINDS[kind][0])
    assert requests.get(small_farm.url + "/health", timeout=10).status_code == 200
    response = small_farm.post("/render", GREEN, headers={"Accept": "image/png"})
    assert is_filled(response.content, LIME)


def test_answers_that_nobody_reads_stop_nobody(
    small_farm: Farm, connect: Callable[[bytes], socket.socket]
) -> None:
    for _ in range(MAX_SENDING + 4):
        connect(slow.unread_render()).recv(1)
    assert requests.get(small_farm.url + "/health", timeout=10).status_code == 200
    response = small_farm.post("/render", GREEN, headers={"Accept": "image/png"})
    assert is_filled(response.content, LIME)


def test_a_stranger_is_refused_before_its_body_is_read(
    log_path: Path, without_jobs: dict[str, object]
) -> None:
    settings = without_jobs | {"api_keys": "me:0123456789abcdef"}
    with running_farm(log_path, workers=1, **settings) as farm:
        with socket.create_connection(("127.0.0.1", farm.port), timeout=30) as sock:
            sock.sendall(slow.post("/render", 50_000_000, b"{"))
            assert sock.recv(4096).startswith(b"HTTP/1.1 401 ")
        large = {"html": "<p>x<!--" + "x" * 10_000_000}
        keys = {"X-Api-Key": "0123456789abcdef"}
        assert farm.post("/render", large).status_code == 401
        assert farm.post("/render", large, headers=keys).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"SCRIPT_NAME": "/x"},
        {"Script-Name": "/x"},
        {"PATH_INFO": "/status"},
        {"X-Forwarded-Proto": "https", "X-Forwarded-Ssl": "off"},
        {"X-Forwarded-Protocol": "ssl", "X-Forwarded-Proto": "http"},
        {"X-Forwarded-For": "1.2.3.4", "X_Forwarded_For": "5.6.7.8"},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_no_header_changes_what_a_request_is(small_farm: Farm, headers: dict[str, str]) -> None:
    response = requests.get(small_farm.url + "/health", headers=headers, timeout=10)
    assert response.status_code == 200
    assert set(response.json()) == {"status", "timestamp", "details"}
