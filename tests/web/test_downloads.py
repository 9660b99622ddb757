"""Downloads over HTTP: ranges, ETags, and no more of them or for longer than there is room for."""

import base64
import io
import socket
import uuid
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import falcon.testing
import pytest
import redis
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from farm.bundle import pack
from farm.errors import RenderTimeout, StorageUnavailable
from farm.formats import FORMATS, ZIP
from farm.job import file_name
from farm.jobs.queue import RedisJobQueue
from farm.jobs.record import Records, record_key
from farm.render import Engine
from farm.request import RenderResult, Timings
from farm.settings import Settings
from farm.storage import ObjectStorage
from farm.web import create_app
from farm.web.serving.sending import ClientSocket, Senders
from tests.support.farm_process import wait_until
from tests.support.redis_data import spoil
from tests.web.answers import assert_is_error
from tests.web.jobs import UNKNOWN_JOB_ID

Client = falcon.testing.TestClient
Result = falcon.testing.Result
#: Makes a completed job of a file and its format; answers the path of its download.
MakeFile = Callable[..., str]

FILE = bytes(range(256)) * 4
HEADER_TEXT = st.text(st.characters(codec="latin-1", exclude_categories=["C"]), max_size=30)
fuzzed = hypothesis_settings(max_examples=50)


@pytest.fixture
def records(redis_client: redis.Redis) -> Records:
    return Records(redis_client, 3600)


@pytest.fixture
def make_file(client: Client, records: Records, storage: ObjectStorage) -> MakeFile:
    def make(data: bytes = FILE, format_: str = "png") -> str:
        job_id = submit(client)
        records.start(job_id)
        storage.put(file_name(job_id), data)
        encoded = base64.b64encode(data).decode()
        assert records.complete(job_id, RenderResult(encoded, FORMATS[format_], 4, 3, Timings()))
        return f"/download/{job_id}"

    return make


@pytest.fixture
def client_of(engine: Engine, jobs: RedisJobQueue, storage: ObjectStorage) -> Callable[..., Client]:
    """Clients of farms with settings of their own, for the same jobs and files."""

    def make(of_storage: ObjectStorage = storage, **settings: object) -> Client:
        its = Settings.model_validate(settings)
        return Client(create_app(engine, jobs, of_storage, its))

    return make


def submit(client: Client) -> str:
    return str(client.simulate_post("/render-async", json={"html": "x"}).json["jobId"])


def begin(client: Client, path: str, **environ: object) -> Any:
    """A download as a WSGI server has it under way: to be iterated, and to be closed."""
    start_response = falcon.testing.StartResponseMock()
    pieces = client.app(falcon.testing.create_environ(path) | environ, start_response)
    assert str(start_response.status).startswith("200 ")
    return pieces


def is_busy(client: Client, path: str) -> bool:
    result = client.simulate_get(path)
    if result.status_code == 503:
        assert_is_error(result, 503, "busy")
        assert int(result.headers["Retry-After"]) >= 1
        return True
    assert result.status_code == 200
    return False


def get_range(client: Client, path: str, range_: str, **headers: str) -> Result:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.simulate_get(path, headers={"Range": range_, **named})


def assert_is_whole(result: Result, data: bytes = FILE) -> None:
    assert result.status_code == 200
    assert "Content-Range" not in result.headers
    assert result.content == data


def assert_is_slice(result: Result, start: int, end: int) -> None:
    """Bytes `start` to `end` (not included) of `FILE`."""
    assert result.status_code == 206
    assert result.content == FILE[start:end]
    assert result.headers["Content-Length"] == str(end - start)
    assert result.headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(FILE)}"
    assert result.headers["Content-Type"] == "image/png"
    assert result.headers["ETag"]


def assert_is_past_the_end(result: Result) -> None:
    assert_is_error(result, 416, "range_not_satisfiable")
    assert result.headers["Content-Range"] == f"bytes */{len(FILE)}"


# The file.


@pytest.mark.parametrize("format_", FORMATS)
def test_a_file_is_an_attachment_with_its_own_type_and_name(
    client: Client, make_file: MakeFile, format_: str
) -> None:
    path = make_file(format_=format_)
    result = client.simulate_get(path)
    assert_is_whole(result)
    job_id = path.rpartition("/")[2]
    assert result.headers["Content-Type"] == FORMATS[format_].media_type
    assert result.headers["Content-Disposition"] == f'attachment; filename="{job_id}.{format_}"'
    assert result.headers["Content-Length"] == str(len(FILE))
    assert result.headers["Accept-Ranges"] == "bytes"
    assert result.headers["Cache-Control"] == "private, no-cache"
    assert result.headers["ETag"].startswith('"')
    assert result.headers["ETag"].endswith('"')


def test_head_answers_what_get_would_and_no_file(client: Client, make_file: MakeFile) -> None:
    path = make_file()
    got, head = client.simulate_get(path), client.simulate_head(path)
    assert head.status_code == 200
    assert head.content == b""
    differs = {"x-request-id"}
    assert {k: v for k, v in head.headers.items() if k not in differs} == {
        k: v for k, v in got.headers.items() if k not in differs
    }


def test_a_file_of_many_pieces_comes_whole_and_in_ranges(
    client: Client, make_file: MakeFile
) -> None:
    data = bytes(range(251)) * 11_000
    path = make_file(data)
    assert_is_whole(client.simulate_get(path), data)
    edge = 1 << 20
    result = get_range(client, path, f"bytes={edge - 3}-{2 * edge + 3}")
    assert result.status_code == 206
    assert result.content == data[edge - 3 : 2 * edge + 4]


def test_an_empty_file_comes_whole(client: Client, make_file: MakeFile) -> None:
    path = make_file(b"")
    result = client.simulate_get(path)
    assert_is_whole(result, b"")
    assert result.headers["Content-Length"] == "0"
    assert_is_error(get_range(client, path, "bytes=0-"), 416, "range_not_satisfiable")


# Who has it already.


@pytest.mark.parametrize("asked", ["{}", "W/{}", '"a", {}', 'W/"a",W/{} , "b"', "*", " {} "])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_who_has_the_file_is_told_so(
    client: Client, make_file: MakeFile, method: str, asked: str
) -> None:
    path = make_file()
    etag = client.simulate_head(path).headers["ETag"]
    headers = {"If-None-Match": asked.format(etag), "Range": "bytes=0-3"}
    result = client.simulate_request(method, path, headers=headers)
    assert result.status_code == 304
    assert result.content == b""
    assert result.headers["ETag"] == etag
    assert result.headers["Cache-Control"] == "private, no-cache"
    assert result.headers["X-Request-Id"]
    assert "Content-Range" not in result.headers


@pytest.mark.parametrize("asked", ["", '"a"', 'W/"a", "b"', "a b c", "W/", '"', ",,"])
def test_who_has_another_file_gets_this_one(
    client: Client, make_file: MakeFile, asked: str
) -> None:
    result = client.simulate_get(make_file(), headers={"If-None-Match": asked})
    assert_is_whole(result)


def test_two_files_have_two_etags(client: Client, make_file: MakeFile) -> None:
    etags = {client.simulate_head(make_file()).headers["ETag"] for _ in range(2)}
    assert len(etags) == 2


# Ranges.


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("0-0", 0, 1),
        ("0-99", 0, 100),
        ("100-199", 100, 200),
        ("1000-1023", 1000, 1024),
        ("1000-99999", 1000, 1024),
        ("1-", 1, 1024),
        ("1023-", 1023, 1024),
        ("-1", 1023, 1024),
        ("-100", 924, 1024),
    ],
)
def test_a_range_is_that_part_of_the_file(
    client: Client, make_file: MakeFile, asked: str, start: int, end: int
) -> None:
    assert_is_slice(get_range(client, make_file(), f"bytes={asked}"), start, end)


@pytest.mark.parametrize("asked", ["0-", "0-1023", "0-9999", "-1024", "-9999"])
def test_a_range_of_the_whole_is_the_whole(client: Client, make_file: MakeFile, asked: str) -> None:
    assert_is_whole(get_range(client, make_file(), f"bytes={asked}"))


@pytest.mark.parametrize("asked", ["1024-", "1024-2000", "99999999-", "-0"])
def test_a_range_past_the_end_is_refused_with_the_size(
    client: Client, make_file: MakeFile, asked: str
) -> None:
    assert_is_past_the_end(get_range(client, make_file(), f"bytes={asked}"))


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=x-y",
        "bytes=5",
        "bytes=9-5",
        "bytes=--5",
        "bytes=0x1-5",
        "bytes=0-1,5-6",
        "bytes=0-1, -1",
        "lines=0-1",
        "bytes=0-" + "9" * 100,
    ],
)
def test_what_is_no_single_range_gets_the_whole(
    client: Client, make_file: MakeFile, asked: str
) -> None:
    assert_is_whole(get_range(client, make_file(), asked))


@given(first=st.integers(0, 1100), last=st.none() | st.integers(0, 1100))
@fuzzed
def test_any_range_is_exactly_that_slice(
    client: Client, make_file: MakeFile, first: int, last: int | None
) -> None:
    result = get_range(client, make_file(), f"bytes={first}-{'' if last is None else last}")
    if last is not None and last < first:
        assert_is_whole(result)
    elif first >= len(FILE):
        assert_is_past_the_end(result)
    elif first == 0 and (last is None or last >= len(FILE) - 1):
        assert_is_whole(result)
    else:
        assert_is_slice(result, first, len(FILE) if last is None else min(last + 1, len(FILE)))


@given(length=st.integers(1, 1100))
@fuzzed
def test_any_suffix_is_exactly_that_slice(client: Client, make_file: MakeFile, length: int) -> None:
    result = get_range(client, make_file(), f"bytes=-{length}")
    if length >= len(FILE):
        assert_is_whole(result)
    else:
        assert_is_slice(result, len(FILE) - length, len(FILE))


def test_a_range_of_the_same_file_only_is_answered_where_that_is_asked(
    client: Client, make_file: MakeFile
) -> None:
    path = make_file()
    etag = client.simulate_head(path).headers["ETag"]
    assert_is_slice(get_range(client, path, "bytes=5-9", If_Range=etag), 5, 10)
    for other in ('"a"', f"W/{etag}", "Wed, 21 Oct 2015 07:28:00 GMT", "*", ""):
        assert_is_whole(get_range(client, path, "bytes=5-9", If_Range=other))
        assert_is_whole(get_range(client, path, "bytes=9999-", If_Range=other))


@pytest.mark.parametrize("asked", ["bytes=0-3", "bytes=9999-"])
def test_a_head_has_no_ranges(client: Client, make_file: MakeFile, asked: str) -> None:
    result = client.simulate_head(make_file(), headers={"Range": asked})
    assert result.status_code == 200
    assert result.headers["Content-Length"] == str(len(FILE))


# No file.


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_job_that_has_not_ended_is_not_ready(
    client: Client, records: Records, method: str
) -> None:
    job_id = submit(client)
    for is_started in (False, True):
        if is_started:
            records.start(job_id)
        result = client.simulate_request(method, f"/download/{job_id}")
        assert result.status_code == 409
        if method == "GET":
            assert_is_error(result, 409, "not_ready")


def test_a_job_that_failed_or_was_cancelled_has_no_file(client: Client, records: Records) -> None:
    failed, cancelled = submit(client), submit(client)
    records.fail(failed, RenderTimeout())
    records.cancel(cancelled)
    for job_id in (failed, cancelled):
        assert_is_error(client.simulate_get(f"/download/{job_id}"), 404, "not_found")


@pytest.mark.parametrize("name", [UNKNOWN_JOB_ID, "x", "..", "%2e%2e", "%00", "%ff", "a.png"])
def test_what_is_no_job_has_no_file(client: Client, name: str) -> None:
    assert_is_error(client.simulate_get(f"/download/{name}"), 404, "not_found")


def test_an_expired_job_has_no_file_though_it_may_still_be_there(
    client: Client, make_file: MakeFile, redis_client: redis.Redis, storage: ObjectStorage
) -> None:
    path = make_file()
    job_id = path.rpartition("/")[2]
    redis_client.pexpire(record_key(job_id), 1)
    wait_until(lambda: client.simulate_get(path).status_code == 404)
    assert_is_error(client.simulate_get(path), 404, "not_found")
    assert storage.read(file_name(job_id)) == FILE


def test_a_file_that_is_gone_is_not_found_and_takes_no_place(
    client_of: Callable[..., Client], make_file: MakeFile, storage: ObjectStorage
) -> None:
    client = client_of(max_downloads=1)
    gone, there = make_file(), make_file()
    storage.delete([file_name(gone.rpartition("/")[2])])
    for _ in range(3):
        assert_is_error(client.simulate_get(gone), 404, "not_found")
    assert not is_busy(client, there)


def test_storage_that_is_gone_is_unavailable(
    client_of: Callable[..., Client], make_file: MakeFile, tmp_path: Path
) -> None:
    path = make_file()
    broken = ObjectStorage((tmp_path / "broken").as_uri())
    (tmp_path / "broken" / "files").write_text("a file where the directory should be")
    client = client_of(broken, max_downloads=1)
    for method in ("GET", "HEAD"):
        result = client.simulate_request(method, path)
        assert result.status_code == 503
        assert int(result.headers["Retry-After"]) >= 1
    assert_is_error(client.simulate_get(path), 503, "storage_unavailable")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_other_methods_are_refused_with_those_that_are_known(
    client: Client, make_file: MakeFile, method: str
) -> None:
    result = client.simulate_request(method, make_file())
    assert_is_error(result, 405, "method_not_allowed")
    assert set(result.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


# Places.


@pytest.mark.parametrize("iterated", [False, True])
def test_a_download_has_its_place_until_it_is_closed(
    client_of: Callable[..., Client], make_file: MakeFile, iterated: bool
) -> None:
    client = client_of(max_downloads=1)
    path = make_file()
    pieces = begin(client, path)
    if iterated:
        assert b"".join(pieces) == FILE
    assert is_busy(client, path)
    job = path.replace("/download/", "/render-async/")
    result = client.simulate_get(job, query_string="image=true")
    assert_is_error(result, 503, "busy")
    assert client.simulate_get(job).status_code == 200
    # Looking at a file takes a place as well: the storage may be slow.
    assert client.simulate_head(path).status_code == 503
    pieces.close()
    assert client.simulate_head(path).status_code == 200
    assert not is_busy(client, path)
    assert client.simulate_get(job, query_string="image=true").status_code == 200


def test_a_download_gives_no_more_than_its_own_place_back(
    client_of: Callable[..., Client], make_file: MakeFile
) -> None:
    client = client_of(max_downloads=2)
    path = make_file()
    first, second = begin(client, path), begin(client, path)
    assert is_busy(client, path)
    first.close()
    first.close()
    third = begin(client, path)
    assert is_busy(client, path)
    for pieces in (second, third):
        pieces.close()
    assert not is_busy(client, path)


class BreaksOff(ObjectStorage):
    """A storage that fails once the first bytes of a file are sent."""

    def stream(self, name: str, start: int, length: int) -> Iterator[bytes]:
        def pieces() -> Iterator[bytes]:
            yield from super(BreaksOff, self).stream(name, start, 10)
            raise StorageUnavailable()

        return pieces()


def test_a_download_that_breaks_off_gives_its_place_back(
    client_of: Callable[..., Client], make_file: MakeFile, tmp_path: Path
) -> None:
    client = client_of(BreaksOff((tmp_path / "storage").as_uri()), max_downloads=1)
    path = make_file()
    pieces = begin(client, path)
    sent = iter(pieces)
    assert next(sent) == FILE[:10]
    with pytest.raises(StorageUnavailable):
        next(sent)
    pieces.close()
    assert not is_busy(client_of(max_downloads=1), path)
    begin(client, path).close()


def test_refusals_take_no_place(client_of: Callable[..., Client], make_file: MakeFile) -> None:
    client = client_of(max_downloads=1)
    path = make_file()
    for _ in range(2):
        assert_is_past_the_end(get_range(client, path, "bytes=9999-"))
        assert_is_error(client.simulate_get(f"/download/{uuid.uuid4()}"), 404, "not_found")
        assert not is_busy(client, path)


def test_a_record_of_a_format_that_is_gone_takes_no_place(
    client_of: Callable[..., Client], make_file: MakeFile, redis_client: redis.Redis
) -> None:
    client = client_of(max_downloads=1)
    strange, path = make_file(), make_file()
    spoil(redis_client, record_key(strange.rpartition("/")[2]), b'"png"', b'"gif"')
    assert client.simulate_get(strange).status_code >= 400
    assert not is_busy(client, path)


# Slow clients.


def test_a_client_that_reads_nothing_makes_way_for_another_download(
    client_of: Callable[..., Client], make_file: MakeFile
) -> None:
    client = client_of(max_downloads=1)
    small, path = make_file(), make_file(bytes(20_000_000))
    near, far = socket.socketpair()
    with near, far, ThreadPoolExecutor(1) as pool:
        near.setblocking(False)
        sock = ClientSocket(near, Senders(deadline_s=60))
        pieces = begin(client, path, **{"gunicorn.socket": sock})

        def send() -> None:
            try:
                for piece in pieces:
                    sock.sendall(piece)
            finally:
                pieces.close()

        sending = pool.submit(send)
        wait_until(lambda: not is_busy(client, small))
        assert isinstance(sending.exception(), BrokenPipeError)


# Everything else that may be sent.


RANGES = st.lists(
    st.sampled_from(["bytes", "=", "-", ",", "0", "5", "1023", "1024", "9" * 19, " ", "x"]),
    max_size=7,
).map("".join)
TAGS = HEADER_TEXT | st.sampled_from(["*", '"a"', 'W/"', ',"', "W/", ",,"])


@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "OPTIONS"]),
    range_=RANGES | HEADER_TEXT,
    if_range=st.none() | TAGS,
    if_none_match=st.none() | TAGS,
    accept=HEADER_TEXT,
    query=st.text(st.sampled_from("ab=&%+0f,"), max_size=12),
)
@fuzzed
def test_no_download_is_a_500(
    client: Client,
    make_file: MakeFile,
    method: str,
    range_: str,
    if_range: str | None,
    if_none_match: str | None,
    accept: str,
    query: str,
) -> None:
    sent = {"If-Range": if_range, "If-None-Match": if_none_match}
    headers = {name: value for name, value in sent.items() if value is not None}
    headers |= {"Range": range_, "Accept": accept}
    result = client.simulate_request(method, make_file(), headers=headers, query_string=query)
    assert result.status_code in (200, 206, 304, 405, 416)
    assert result.headers["X-Request-Id"]
    if result.status_code >= 400 and method != "HEAD":
        assert_is_error(result, result.status_code, result.json["code"])


# ---- one of several files


MakeSeveral = Callable[[dict[str, bytes]], str]


@pytest.fixture
def make_several(client: Client, records: Records, storage: ObjectStorage) -> MakeSeveral:
    """A job's download is a ZIP of files; its path. What is before the last dot is their name."""

    def make(files: dict[str, bytes]) -> str:
        job_id = submit(client)
        records.start(job_id)
        bundle = pack(files.items())
        storage.put(file_name(job_id), bundle)
        told = []
        for file, data in files.items():
            name, format_ = file.rsplit(".", 1)
            told.append({"name": name, "fileName": file, "size": len(data), "format": format_})
        result = RenderResult(bundle, ZIP, 4, 3, Timings(), facts={"outputs": told})
        assert records.complete(job_id, result)
        return f"/download/{job_id}"

    return make


@pytest.fixture
def several(make_several: MakeSeveral) -> str:
    """The path of a job's download: a ZIP of `a.png` and `b.pdf`."""
    return make_several({"a.png": FILE, "b.pdf": b"%PDF"})


def test_the_files_together_are_a_zip(client: Client, several: str) -> None:
    result = client.simulate_get(several)
    assert result.headers["Content-Type"] == "application/zip"
    assert result.headers["Content-Disposition"].endswith('.zip"')
    with zipfile.ZipFile(io.BytesIO(result.content)) as bundle:
        files = {name: bundle.read(name) for name in bundle.namelist()}
    assert files == {"a.png": FILE, "b.pdf": b"%PDF"}


@pytest.mark.parametrize("name", ["a", "a.png"])
def test_each_is_a_download_of_its_own(client: Client, several: str, name: str) -> None:
    result = client.simulate_get(f"{several}/{name}")
    assert result.content == FILE
    assert result.headers["Content-Type"] == "image/png"
    assert result.headers["Content-Disposition"] == 'attachment; filename="a.png"'
    etag = result.headers["ETag"]
    assert etag != client.simulate_get(f"{several}/b").headers["ETag"]
    again = client.simulate_get(f"{several}/{name}", headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    head = client.simulate_head(f"{several}/{name}")
    assert (head.headers["Content-Length"], head.content) == (str(len(FILE)), b"")


@pytest.mark.parametrize(
    ("asked", "start", "end"), [("0-9", 0, 10), ("1000-", 1000, 1024), ("-5", 1019, 1024)]
)
def test_a_range_is_one_of_the_file(
    client: Client, several: str, asked: str, start: int, end: int
) -> None:
    result = client.simulate_get(f"{several}/a", headers={"Range": f"bytes={asked}"})
    assert (result.status_code, result.content) == (206, FILE[start:end])
    assert result.headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(FILE)}"


def test_a_range_behind_the_file_is_not_the_next_one(client: Client, several: str) -> None:
    result = client.simulate_get(f"{several}/a", headers={"Range": "bytes=1024-1030"})
    assert_is_error(result, 416, "range_not_satisfiable")


def test_there_is_no_file_of_another_name(
    client: Client, several: str, make_file: MakeFile
) -> None:
    for path in (f"{several}/c", f"{several}/a.pdf", f"{make_file()}/a", f"{several}/a/b"):
        assert_is_error(client.simulate_get(path), 404, "not_found")


def outputs_of(client: Client, path: str) -> list[dict[str, Any]]:
    record = client.simulate_get(path.replace("download", "render-async")).json
    assert record["format"] == "zip"
    outputs: list[dict[str, Any]] = record["outputs"]
    return outputs


def test_the_record_tells_where_each_is(client: Client, several: str) -> None:
    assert [output["downloadUrl"] for output in outputs_of(client, several)] == [
        *(f"{several}/a.png", f"{several}/b.pdf"),
    ]


def test_each_is_where_the_record_tells_though_another_is_called_alike(
    client: Client, make_several: MakeSeveral
) -> None:
    files = {"a.webp": b"1", "a.webp.png": b"22", "b.png": b"333", "b.pdf": b"4444"}
    outputs = outputs_of(client, make_several(files))
    found = [client.simulate_get(output["downloadUrl"]).content for output in outputs]
    assert found == list(files.values())
