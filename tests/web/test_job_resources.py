"""Submitting, asking and cancelling over HTTP, on a real server and a real directory."""

import base64
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import falcon.testing
import pytest
import redis
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from farm.errors import RenderTimeout
from farm.job import file_name
from farm.jobs import broker
from farm.jobs.queue import RedisJobQueue
from farm.jobs.record import Records, record_key
from farm.render import Engine
from farm.settings import MAX_BODY_BYTES, Settings
from farm.storage import ObjectStorage
from farm.web import create_app
from tests.support.farm_process import wait_until
from tests.web.answers import assert_is_error
from tests.web.jobs import FILE, complete

Client = falcon.testing.TestClient
Result = falcon.testing.Result

#: JSON can spell half of a surrogate pair; no UTF-8 can.
HALF_A_PAIR = b'{"html": "\\ud800"}'
#: Characters that a header's value can have on its way through WSGI.
HEADER_TEXT = st.text(st.characters(codec="latin-1", exclude_categories=["C"]), max_size=30)
fuzzed = hypothesis_settings(max_examples=50)


@pytest.fixture
def records(redis_client: redis.Redis) -> Records:
    return Records(redis_client, 3600)


def submit(client: Client, **body: object) -> str:
    """The id of a job that waits in the queue."""
    result = client.simulate_post("/render-async", json=body or {"html": "x"})
    assert result.status_code == 202
    return str(result.json["jobId"])


def ask(client: Client, job_id: str, query: str = "") -> Result:
    return client.simulate_get(f"/render-async/{job_id}", query_string=query)


def assert_is_job_id(text: str) -> None:
    assert str(uuid.UUID(text, version=4)) == text


def assert_nothing_is_kept(redis_client: redis.Redis, storage: ObjectStorage) -> None:
    assert redis_client.keys() == []
    assert list(storage.list()) == []


def assert_keeps_the_contract(result: Result, method: str = "GET") -> None:
    """What holds for every answer to whatever request."""
    assert result.status_code < 500
    assert result.headers["X-Request-Id"]
    if result.status_code >= 400 and method != "HEAD":
        assert_is_error(result, result.status_code, result.json["code"])


# Submitting.


@pytest.mark.parametrize("body", [{"html": "<p>"}, {"url": "https://example.org/?a=b"}])
def test_a_submission_is_accepted_with_the_address_of_its_state(
    client: Client, body: dict[str, str]
) -> None:
    result = client.simulate_post("/render-async", json=body)
    assert result.status_code == 202
    assert result.headers["Content-Type"] == "application/json"
    job_id = result.json["jobId"]
    assert_is_job_id(job_id)
    url = f"/render-async/{job_id}"
    assert result.json == {
        "success": True,
        "jobId": job_id,
        "statusUrl": url,
        "requestId": result.headers["X-Request-Id"],
    }
    assert result.headers["Location"] == url
    assert client.simulate_get(url).json["status"] == "pending"


def test_the_callers_request_id_is_in_the_jobs_record(client: Client) -> None:
    headers = {"X-Request-Id": "order-7"}
    result = client.simulate_post("/render-async", json={"html": "x"}, headers=headers)
    assert result.headers["X-Request-Id"] == "order-7"
    assert ask(client, result.json["jobId"]).json["requestId"] == "order-7"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "html"),
        ({"html": ""}, "html"),
        ({"html": None, "url": ""}, "html"),
        ({"html": "x", "url": "https://example.org"}, "url"),
        ({"html": 1}, "html"),
        ({"html": "x", "quality": 1}, "quality"),
        ({"html": "x", "options": None}, "options"),
        ({"html": "x", "options": {"width": 0}}, "options.width"),
        ({"html": "x", "options": {"height": 16_385}}, "options.height"),
        ({"html": "x", "options": {"width": "1"}}, "options.width"),
        ({"html": "x", "options": {"format": "gif"}}, "options.format"),
        ({"html": "x", "options": {"waitFor": 30_001}}, "options.waitFor"),
        ({"html": "x", "options": {"waitFor": -1}}, "options.waitFor"),
        ({"html": "x", "options": {"wait_for": 1}}, "options.wait_for"),
        ({"html": "x", "options": {"format": "webp", "width": 16_384}}, "options"),
    ],
)
def test_what_is_wrong_is_refused_by_name_and_nothing_of_it_is_kept(
    client: Client,
    redis_client: redis.Redis,
    storage: ObjectStorage,
    body: dict[str, object],
    field: str,
) -> None:
    result = client.simulate_post("/render-async", json=body)
    error = assert_is_error(result, 400, "invalid_request")
    assert [detail["field"] for detail in error["details"]] == [field]
    assert_nothing_is_kept(redis_client, storage)


def test_every_problem_is_listed_at_once(client: Client) -> None:
    body = {"x": 1, "options": {"width": 0, "format": "gif"}}
    error = assert_is_error(
        client.simulate_post("/render-async", json=body), 400, "invalid_request"
    )
    fields = {detail["field"] for detail in error["details"]}
    assert fields == {"html", "x", "options.width", "options.format"}


@pytest.mark.parametrize("url", ["file:///etc/passwd", "example.org", "http://", "http://a:b@c/"])
def test_a_url_that_is_not_http_is_refused(
    client: Client, redis_client: redis.Redis, storage: ObjectStorage, url: str
) -> None:
    result = client.simulate_post("/render-async", json={"url": url})
    assert_is_error(result, 400, "invalid_url")
    assert_nothing_is_kept(redis_client, storage)


def test_too_many_pixels_are_refused(
    client: Client, redis_client: redis.Redis, storage: ObjectStorage
) -> None:
    body = {"html": "x", "options": {"width": 16_384, "height": 16_384}}
    result = client.simulate_post("/render-async", json=body)
    assert_is_error(result, 422, "output_too_large")
    assert_nothing_is_kept(redis_client, storage)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b"[]", b'{"html": "a", "html": "b"}', HALF_A_PAIR]
)
def test_a_body_that_is_no_json_object_is_refused(
    client: Client, redis_client: redis.Redis, storage: ObjectStorage, body: bytes
) -> None:
    result = client.simulate_post("/render-async", body=body, content_type="application/json")
    assert_is_error(result, 400, "invalid_request")
    assert_nothing_is_kept(redis_client, storage)


def test_a_body_of_another_type_is_refused(client: Client) -> None:
    result = client.simulate_post("/render-async", body=b'{"html": "x"}', content_type="text/plain")
    assert_is_error(result, 415, "unsupported_media_type")


def test_a_body_that_is_too_large_is_refused_by_its_length(
    client: Client, redis_client: redis.Redis, storage: ObjectStorage
) -> None:
    headers = {"Content-Type": "application/json", "Content-Length": str(MAX_BODY_BYTES + 1)}
    result = client.simulate_post("/render-async", body=b"{}", headers=headers)
    assert_is_error(result, 413, "body_too_large")
    assert_nothing_is_kept(redis_client, storage)


# Idempotency.


def submit_with_key(client: Client, key: str, html: str = "x") -> Result:
    headers = {"Idempotency-Key": key}
    return client.simulate_post("/render-async", json={"html": html}, headers=headers)


@pytest.mark.parametrize("key", ["!", "0c1d~", "k" * 255])
def test_the_same_key_and_body_give_the_same_job(client: Client, key: str) -> None:
    first, again = submit_with_key(client, key), submit_with_key(client, key)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json["jobId"] == first.json["jobId"]
    assert again.headers["Location"] == first.headers["Location"]
    assert submit_with_key(client, "another").json["jobId"] != first.json["jobId"]


def test_the_same_key_with_another_body_is_a_conflict(client: Client) -> None:
    first = submit_with_key(client, "key")
    assert_is_error(submit_with_key(client, "key", "other"), 409, "idempotency_conflict")
    assert submit_with_key(client, "key").json["jobId"] == first.json["jobId"]


@pytest.mark.parametrize("key", ["", "k" * 256, "ü", "two words", "tab\tbed"])
def test_a_malformed_key_is_refused(
    client: Client, redis_client: redis.Redis, storage: ObjectStorage, key: str
) -> None:
    error = assert_is_error(submit_with_key(client, key), 400, "invalid_request")
    assert [detail["field"] for detail in error["details"]] == ["Idempotency-Key"]
    assert_nothing_is_kept(redis_client, storage)


# What the routes stand on is gone.


def assert_is_unavailable(result: Result, code: str) -> None:
    assert_is_error(result, 503, code)
    assert int(result.headers["Retry-After"]) >= 1


def test_without_redis_jobs_are_unavailable_and_renders_are_not(
    engine: Engine, storage: ObjectStorage, tmp_path: Path
) -> None:
    jobs = RedisJobQueue(broker.connect(f"unix://{tmp_path}/nobody"), storage, Settings())
    client = Client(create_app(engine, jobs, storage, Settings()))
    job_id = uuid.uuid4()
    for method, path in [
        ("POST", "/render-async"),
        ("GET", f"/render-async/{job_id}"),
        ("GET", f"/render-async/{job_id}?wait=20"),
        ("DELETE", f"/render-async/{job_id}"),
        ("GET", f"/download/{job_id}"),
    ]:
        body = {"html": "x"} if method == "POST" else None
        result = client.simulate_request(method, path, json=body)
        assert_is_unavailable(result, "queue_unavailable")
    assert list(storage.list()) == []
    assert client.simulate_post("/render", json={"html": "x"}).status_code == 200
    assert client.simulate_get("/health").status_code == 200


def test_without_storage_a_submission_is_refused_and_not_queued(
    engine: Engine, redis_client: redis.Redis, tmp_path: Path
) -> None:
    (tmp_path / "inputs").write_text("a file where the directory should be")
    broken = ObjectStorage(tmp_path.as_uri())
    jobs = RedisJobQueue(redis_client, broken, Settings())
    client = Client(create_app(engine, jobs, broken, Settings()))
    result = client.simulate_post("/render-async", json={"html": "x"})
    assert_is_unavailable(result, "storage_unavailable")
    assert redis_client.keys() == []


# Asking.


def test_a_waiting_job_tells_its_place_in_the_queue(client: Client) -> None:
    first, second = submit(client), submit(client)
    result = ask(client, first)
    assert result.status_code == 200
    assert result.headers["Cache-Control"] == "no-store"
    assert result.json["status"] == "pending"
    assert set(result.json) == {"status", "createdAt", "requestId", "position"}
    assert [ask(client, job_id).json["position"] for job_id in (first, second)] == [1, 2]


def test_a_running_job_tells_since_when(client: Client, records: Records) -> None:
    job_id = submit(client)
    records.start(job_id)
    answer = ask(client, job_id).json
    assert answer["status"] == "processing"
    assert answer["startedAt"] >= answer["createdAt"]
    assert "position" not in answer


def test_a_completed_job_tells_what_its_file_is_and_where(
    client: Client, records: Records, storage: ObjectStorage
) -> None:
    job_id = submit(client)
    complete(records, storage, job_id)
    answer = ask(client, job_id).json
    times = {name: answer[name] for name in ("createdAt", "startedAt", "completedAt")}
    assert sorted(times.values()) == list(times.values())
    assert answer == times | {
        "status": "completed",
        "requestId": answer["requestId"],
        "size": len(FILE),
        "format": "png",
        "width": 40,
        "height": 30,
        "downloadUrl": f"/download/{job_id}",
    }
    assert client.simulate_get(answer["downloadUrl"]).content == FILE


def test_a_failed_job_tells_its_error_and_code(client: Client, records: Records) -> None:
    job_id = submit(client)
    records.start(job_id)
    records.fail(job_id, RenderTimeout("The page did not finish within 30 s."))
    answer = ask(client, job_id).json
    assert answer["status"] == "failed"
    assert answer["error"] == "The page did not finish within 30 s."
    assert answer["code"] == "render_timeout"
    assert answer["failedAt"] >= answer["startedAt"]
    assert "downloadUrl" not in answer


def test_what_ties_a_job_to_its_key_is_not_for_clients(client: Client) -> None:
    answer = ask(client, submit_with_key(client, "secret").json["jobId"]).json
    assert set(answer) == {"status", "createdAt", "requestId", "position"}


def test_the_image_comes_with_a_completed_job_and_only_if_asked_for(
    client: Client, records: Records, storage: ObjectStorage
) -> None:
    job_id = submit(client)
    assert "imageBase64" not in ask(client, job_id, "image=true").json
    records.start(job_id)
    assert "imageBase64" not in ask(client, job_id, "image=true").json
    complete(records, storage, job_id)
    assert "imageBase64" not in ask(client, job_id).json
    assert "imageBase64" not in ask(client, job_id, "image=false").json
    assert base64.b64decode(ask(client, job_id, "image=true").json["imageBase64"]) == FILE


def test_an_image_that_is_gone_is_told_so(
    client: Client, records: Records, storage: ObjectStorage
) -> None:
    job_id = submit(client)
    complete(records, storage, job_id)
    storage.delete([file_name(job_id)])
    assert_is_error(ask(client, job_id, "image=true"), 404, "not_found")
    assert ask(client, job_id).status_code == 200


@pytest.mark.parametrize("value", ["0", "0.5", "30", "30.0"])
def test_a_job_that_has_ended_is_answered_however_long_one_would_wait(
    client: Client, value: str
) -> None:
    job_id = submit(client)
    client.simulate_delete(f"/render-async/{job_id}")
    result = ask(client, job_id, f"wait={value}")
    assert (result.status_code, result.json["status"]) == (200, "cancelled")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        *[(f"wait={value}", "wait") for value in ("", "-1", "30.001", "31", "1e9", "x", "1s")],
        *[(f"wait={value}", "wait") for value in ("nan", "inf", "-inf", "1&wait=2")],
        *[(f"image={value}", "image") for value in ("", "1", "TRUE", "yes", "true&image=true")],
        ("image", "image"),
        ("Wait=1", "Wait"),
        ("images=true", "images"),
        ("=1", ""),
    ],
)
def test_a_query_that_means_nothing_is_refused_by_name(
    client: Client, query: str, field: str
) -> None:
    error = assert_is_error(ask(client, submit(client), query), 400, "invalid_request")
    assert [detail["field"] for detail in error["details"]] == [field]


def test_every_problem_of_a_query_is_listed_at_once(client: Client) -> None:
    result = ask(client, submit(client), "wait=x&image=x&a=1&b=2")
    error = assert_is_error(result, 400, "invalid_request")
    assert [detail["field"] for detail in error["details"]] == ["wait", "image", "a", "b"]


@pytest.mark.parametrize("value", ["1_0", "%201", "%D9%A1"])
def test_a_wait_is_a_plain_number(client: Client, value: str) -> None:
    job_id = submit(client)
    client.simulate_delete(f"/render-async/{job_id}")
    assert_is_error(ask(client, job_id, f"wait={value}"), 400, "invalid_request")


@pytest.mark.parametrize("end", ["complete", "fail", "cancel"])
def test_who_waits_is_answered_when_the_job_ends(
    client: Client,
    records: Records,
    storage: ObjectStorage,
    redis_client: redis.Redis,
    end: str,
) -> None:
    def listeners() -> set[str]:
        return {listener["id"] for listener in redis_client.client_list(_type="pubsub")}

    ends: dict[str, tuple[str, Callable[[], Any]]] = {
        "complete": ("completed", lambda: complete(records, storage, job_id)),
        "fail": ("failed", lambda: records.fail(job_id, RenderTimeout())),
        "cancel": ("cancelled", lambda: client.simulate_delete(f"/render-async/{job_id}")),
    }
    state, end_it = ends[end]
    job_id = submit(client)
    before = listeners()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask, client, job_id, "wait=30&image=true")
        wait_until(lambda: listeners() - before)
        records.start(job_id)
        assert not waiting.done()
        end_it()
        answer = waiting.result(timeout=20).json
    assert answer["status"] == state
    assert ("imageBase64" in answer) is (state == "completed")


def test_who_waits_in_vain_is_told_the_state(client: Client) -> None:
    answer = ask(client, submit(client), "wait=0.05").json
    assert (answer["status"], answer["position"]) == ("pending", 1)


# Ids.


@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
@fuzzed
def test_what_is_no_job_id_is_not_found(client: Client, text: str) -> None:
    for method, path in [
        ("GET", "/render-async/"),
        ("GET", "/download/"),
        ("DELETE", "/render-async/"),
    ]:
        result = client.simulate_request(method, path + quote(text, safe=""))
        assert_is_error(result, 404, "not_found")


@pytest.mark.parametrize(
    "spelling", [str.upper, "{{{}}}".format, "urn:uuid:{}".format, lambda i: i.replace("-", "")]
)
def test_a_job_has_one_spelling_only(client: Client, spelling: Callable[[str], str]) -> None:
    # Without a letter in it, an id would be its own upper case.
    job_id = next(i for i in (submit(client) for _ in range(20)) if i != i.upper())
    path = quote(spelling(job_id), safe="")
    for result in (
        ask(client, path),
        ask(client, path, "wait=30"),
        client.simulate_get(f"/download/{path}"),
        client.simulate_delete(f"/render-async/{path}"),
    ):
        assert_is_error(result, 404, "not_found")
    assert ask(client, job_id).json["status"] == "pending"


def test_an_unknown_job_is_not_found(client: Client) -> None:
    path = f"/render-async/{uuid.uuid4()}"
    assert_is_error(client.simulate_get(path), 404, "not_found")
    assert_is_error(client.simulate_get(path, query_string="wait=30"), 404, "not_found")
    assert_is_error(client.simulate_delete(path), 404, "not_found")


def test_an_expired_job_is_not_found(
    client: Client, records: Records, storage: ObjectStorage, redis_client: redis.Redis
) -> None:
    job_id = submit(client)
    complete(records, storage, job_id)
    redis_client.pexpire(record_key(job_id), 1)
    wait_until(lambda: ask(client, job_id).status_code == 404)
    assert_is_error(ask(client, job_id), 404, "not_found")
    assert_is_error(client.simulate_delete(f"/render-async/{job_id}"), 404, "not_found")


# Cancelling.


@pytest.mark.parametrize("running", [False, True])
def test_a_job_is_cancelled_and_answered(
    client: Client, records: Records, redis_client: redis.Redis, running: bool
) -> None:
    job_id = submit(client)
    if running:
        records.start(job_id)
    result = client.simulate_delete(f"/render-async/{job_id}")
    assert result.status_code == 200
    assert result.headers["Content-Type"] == "application/json"
    assert result.json["status"] == "cancelled"
    assert result.json["cancelledAt"] >= result.json["createdAt"]
    assert ask(client, job_id).json == result.json
    assert redis_client.llen("rq:queue:renders") == 0


@pytest.mark.parametrize("end", ["complete", "fail", "cancel"])
def test_a_job_that_has_ended_cannot_be_cancelled(
    client: Client, records: Records, storage: ObjectStorage, end: str
) -> None:
    job_id = submit(client)
    match end:
        case "complete":
            complete(records, storage, job_id)
        case "fail":
            records.fail(job_id, RenderTimeout())
        case "cancel":
            client.simulate_delete(f"/render-async/{job_id}")
    before = ask(client, job_id).json
    result = client.simulate_delete(f"/render-async/{job_id}")
    assert_is_error(result, 409, "already_finished")
    assert ask(client, job_id).json == before


# Everything else that may be sent.


@pytest.mark.parametrize(
    ("path", "known"), [("/render-async", {"POST"}), ("/render-async/{}", {"GET", "DELETE"})]
)
def test_other_methods_are_refused_with_those_that_are_known(
    client: Client, path: str, known: set[str]
) -> None:
    path = path.format(submit(client))
    for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} - known:
        result = client.simulate_request(method, path)
        assert result.status_code == 405
        assert set(result.headers["Allow"].split(", ")) == known | {"OPTIONS"}
        if method != "HEAD":
            assert_is_error(result, 405, "method_not_allowed")


@pytest.mark.filterwarnings("ignore:Unknown REQUEST_METHOD")
def test_methods_that_nobody_knows_are_refused_likewise(client: Client) -> None:
    environ = falcon.testing.create_environ(path="/render-async")
    environ["REQUEST_METHOD"] = "BREW"
    start_response = falcon.testing.StartResponseMock()
    client.app(environ, start_response)
    assert str(start_response.status).startswith("405 ")


def test_a_method_that_is_falcons_own_is_an_error_like_others(client: Client) -> None:
    environ = falcon.testing.create_environ(path="/render-async")
    environ["REQUEST_METHOD"] = "WEBSOCKET"
    start_response = falcon.testing.StartResponseMock()
    client.app(environ, start_response)
    assert str(start_response.status).startswith("4")


@pytest.fixture
def impatient(engine: Engine, redis_client: redis.Redis, storage: ObjectStorage) -> Client:
    """A client of a farm where nobody can wait for a job to end."""
    settings = Settings(max_long_polls=0)
    jobs = RedisJobQueue(redis_client, storage, settings)
    return Client(create_app(engine, jobs, storage, settings))


WORDS = st.sampled_from(["wait", "image", "true", "30", "1e3", "%", "%00", "%ff", "&", "=", "+"])
QUERIES = st.lists(WORDS | st.text(st.characters(codec="ascii"), max_size=4), max_size=8)
STATES = st.sampled_from(["pending", "processing", "completed", "failed", "cancelled", "unknown"])


@given(
    state=STATES,
    method=st.sampled_from(["GET", "DELETE", "POST", "HEAD", "OPTIONS"]),
    query=QUERIES,
    accept=HEADER_TEXT,
)
@fuzzed
def test_no_question_is_a_500(
    impatient: Client,
    records: Records,
    storage: ObjectStorage,
    state: str,
    method: str,
    query: list[str],
    accept: str,
) -> None:
    job_id = submit(impatient) if state != "unknown" else str(uuid.uuid4())
    match state:
        case "processing":
            records.start(job_id)
        case "completed":
            complete(records, storage, job_id)
        case "failed":
            records.fail(job_id, RenderTimeout())
        case "cancelled":
            records.cancel(job_id)
    result = impatient.simulate_request(
        method,
        f"/render-async/{job_id}",
        query_string=quote("".join(query), safe="%&=+"),
        headers={"Accept": accept},
    )
    assert_keeps_the_contract(result, method)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(
            st.sampled_from(["width", "height", "format", "waitFor"]), children, max_size=3
        )
    ),
    max_leaves=6,
)
OBJECTS = st.dictionaries(st.sampled_from(["html", "url", "options", "x"]), VALUES)


@given(
    body=st.binary(max_size=50) | OBJECTS,
    key=st.none() | st.sampled_from(["a", "b"]) | HEADER_TEXT,
    accept=HEADER_TEXT,
    media_type=st.just("application/json") | HEADER_TEXT,
    query=QUERIES,
)
@fuzzed
def test_no_submission_is_a_500(
    client: Client,
    body: bytes | dict[str, object],
    key: str | None,
    accept: str,
    media_type: str,
    query: list[str],
) -> None:
    headers = {"Accept": accept, "Content-Type": media_type}
    if key is not None:
        headers["Idempotency-Key"] = key
    sent: dict[str, Any] = {"body": body} if isinstance(body, bytes) else {"json": body}
    result = client.simulate_post(
        "/render-async",
        headers=headers,
        query_string=quote("".join(query), safe="%&=+"),
        **sent,
    )
    assert_keeps_the_contract(result)
    if result.status_code < 400:
        assert result.status_code == 202
        assert_is_job_id(result.json["jobId"])


# Webhooks.

WEBHOOK = {
    "url": "https://example.com/s3cret?s3cret",
    "headers": {"Authorization": "s3cret"},
}


@pytest.mark.parametrize(
    ("path", "page"), [("/render", {"html": "x"}), ("/render-url", {"url": "https://a.example/"})]
)
def test_only_jobs_have_webhooks(client: Client, path: str, page: dict[str, str]) -> None:
    result = client.simulate_post(path, json={**page, "webhook": WEBHOOK})
    assert_is_error(result, 400, "invalid_request")
    assert result.json["error"].startswith("webhook: is for /render-async")


@pytest.mark.parametrize(
    ("path", "page"), [("/render", {"html": "x"}), ("/render-url", {"url": "https://a.example/"})]
)
def test_only_jobs_have_a_priority(client: Client, path: str, page: dict[str, str]) -> None:
    result = client.simulate_post(path, json={**page, "priority": "low"})
    assert_is_error(result, 400, "invalid_request")
    assert result.json["error"].startswith("priority: is for /render-async")


def test_a_job_of_a_higher_priority_is_done_before(client: Client) -> None:
    low = submit(client, html="x", priority="low")
    normal = submit(client, html="x")
    high = submit(client, html="x", priority="high")
    places = [
        client.simulate_get(f"/render-async/{job_id}").json["position"]
        for job_id in (low, normal, high)
    ]
    assert places == [3, 2, 1]


def test_there_are_three_priorities(client: Client) -> None:
    result = client.simulate_post("/render-async", json={"html": "x", "priority": "urgent"})
    assert_is_error(result, 400, "invalid_request")
    assert "high, normal" in result.json["error"]


def test_a_webhook_that_the_policy_refuses_is_refused_at_once(
    client: Client, redis_client: redis.Redis, storage: ObjectStorage
) -> None:
    webhook = {"url": "http://169.254.169.254/latest"}
    result = client.simulate_post("/render-async", json={"html": "x", "webhook": webhook})
    assert_is_error(result, 403, "url_refused")
    assert_nothing_is_kept(redis_client, storage)


@pytest.mark.parametrize("end", ["complete", "fail", "cancel"])
def test_the_record_tells_of_deliveries_and_no_secret(
    client: Client, records: Records, storage: ObjectStorage, end: str
) -> None:
    job_id = submit(client, html="x", webhook=WEBHOOK)
    assert "deliveries" not in ask(client, job_id).json
    if end == "complete":
        complete(records, storage, job_id)
    elif end == "fail":
        records.fail(job_id, RenderTimeout())
    else:
        assert "s3cret" not in client.simulate_delete(f"/render-async/{job_id}").text
    answer = ask(client, job_id)
    assert "s3cret" not in answer.text
    event = answer.json["status"]
    told = {"id": f"{job_id}_{event}", "event": event, "state": "pending", "tries": 0}
    assert answer.json["deliveries"] == [told]


def test_a_webhook_is_sent_again(client: Client, records: Records) -> None:
    job_id = submit(client, html="x", webhook=WEBHOOK)
    path = f"/render-async/{job_id}/webhook"
    assert_is_error(client.simulate_post(path), 409, "not_ready")
    records.fail(job_id, RenderTimeout())
    result = client.simulate_post(path)
    assert result.status_code == 202
    assert result.json == ask(client, job_id).json
    assert "s3cret" not in result.text


def test_a_webhook_that_is_not_there_is_not_sent_again(client: Client) -> None:
    for job_id in (submit(client), str(uuid.uuid4()), "x"):
        assert_is_error(client.simulate_post(f"/render-async/{job_id}/webhook"), 404, "not_found")


def test_the_same_key_with_another_webhook_is_a_conflict(client: Client) -> None:
    headers = {"Idempotency-Key": "k"}
    for webhook, status in ((WEBHOOK, 202), (WEBHOOK, 202), ({"url": "https://b.example/"}, 409)):
        body = {"html": "x", "webhook": webhook}
        result = client.simulate_post("/render-async", json=body, headers=headers)
        assert result.status_code == status
