"""Who may call, over the whole application: keys, rates, and whose a job is."""

import uuid
from pathlib import Path
from typing import Any

import falcon.testing
import pytest
import redis
import structlog
from structlog.testing import capture_logs

from farm.job import file_name
from farm.jobs.queue import RedisJobQueue
from farm.jobs.record import Records
from farm.rates import RateLimiter
from farm.render import Engine
from farm.settings import Settings
from farm.storage import ObjectStorage
from farm.web import create_app
from tests.web.answers import assert_is_error
from tests.web.jobs import FILE, UNKNOWN_JOB_ID, complete

Client = falcon.testing.TestClient

ANNA = {"Authorization": "Bearer annas-key-0123456789"}
BOB = {"X-Api-Key": "bobs-key-0123456789"}
KEYS = f"anna:{ANNA['Authorization'].removeprefix('Bearer ')},bob:{BOB['X-Api-Key']}"
HTML = {"html": "x"}


@pytest.fixture
def make_client(
    engine: Engine,
    jobs: RedisJobQueue,
    storage: ObjectStorage,
    valkey: str,
) -> Any:
    def make(**given: object) -> Client:
        settings = Settings.model_validate(given)
        rates = RateLimiter(settings.rate_limit, valkey) if settings.rate_limit else None
        return Client(create_app(engine, jobs, storage, settings, rates))

    return make


@pytest.fixture
def client(make_client: Any) -> Client:
    made: Client = make_client(api_keys=KEYS)
    return made


@pytest.fixture
def records(redis_client: redis.Redis) -> Records:
    return Records(redis_client, 3600)


# Keys.


@pytest.mark.parametrize(
    "headers",
    [
        ANNA,
        BOB,
        {"Authorization": f"bearer  {BOB['X-Api-Key']}"},
        BOB | {"Authorization": "Basic dXNlcjpwYXNz"},
    ],
)
def test_who_has_a_key_is_let_in(client: Client, headers: dict[str, str]) -> None:
    assert client.simulate_get("/status", headers=headers).status_code == 200
    assert client.simulate_post("/render", json=HTML, headers=headers).status_code == 200


@pytest.mark.one_in(5)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer anna"},
        {"Authorization": ANNA["Authorization"].removeprefix("Bearer ")},
        {"Authorization": f"Basic {BOB['X-Api-Key']}"},
        {"X-Api-Key": ""},
        {"X-Api-Key": BOB["X-Api-Key"] + "x"},
        {"X-Api-Key": "ümlaut-and-so-on-0123"},
        {"X-Api-Key": KEYS},
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/render"),
        ("POST", "/render-url"),
        ("POST", "/render-async"),
        ("GET", f"/render-async/{UNKNOWN_JOB_ID}"),
        ("DELETE", f"/render-async/{UNKNOWN_JOB_ID}"),
        ("GET", f"/download/{UNKNOWN_JOB_ID}"),
        ("GET", "/status"),
        ("GET", "/nowhere"),
        ("GET", "/health/"),
        ("PUT", "/render"),
        ("OPTIONS", "/render"),
    ],
)
def test_who_has_none_is_refused_everywhere(
    client: Client, method: str, path: str, headers: dict[str, str]
) -> None:
    result = client.simulate_request(method, path, headers=headers)
    assert_is_error(result, 401, "unauthorized")
    assert result.headers["WWW-Authenticate"] == "Bearer"


def test_it_is_refused_before_its_body_is_read(client: Client) -> None:
    class Unread:
        def read(self, *_: object) -> bytes:
            raise AssertionError("the body is read")

    environ = falcon.testing.create_environ("/render", method="POST")
    environ["wsgi.input"] = Unread()
    start_response = falcon.testing.StartResponseMock()
    client.app(environ, start_response)
    assert str(start_response.status).startswith("401 ")


def test_health_needs_no_key(client: Client) -> None:
    assert client.simulate_get("/health").status_code == 200


def test_a_preflight_needs_no_key_and_a_refusal_can_be_read(make_client: Any) -> None:
    client = make_client(api_keys=KEYS, cors_origins=("https://a.example",))
    origin = {"Origin": "https://a.example"}
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    preflight = client.simulate_options("/render", headers=origin | asked)
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Headers"] == "authorization"
    refused = client.simulate_post("/render", json=HTML, headers=origin)
    assert_is_error(refused, 401, "unauthorized")
    assert refused.headers["Access-Control-Allow-Origin"] == "https://a.example"


def test_keys_may_be_in_a_file(make_client: Any, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(KEYS.replace(",", "\n"))
    client = make_client(api_keys_path=path)
    assert client.simulate_get("/status", headers=BOB).status_code == 200
    assert client.simulate_get("/status").status_code == 401


def test_the_log_has_the_callers_name_and_no_key(client: Client) -> None:
    with capture_logs([structlog.contextvars.merge_contextvars]) as logs:
        client.simulate_post("/render", json=HTML, headers=ANNA)
        client.simulate_post("/render", json=HTML, headers={"X-Api-Key": "not-a-key-of-anybody"})
    admitted, refused = (line for line in logs if line.get("route") == "/render")
    assert admitted["caller"] == "anna"
    assert (refused["code"], "caller" in refused) == ("unauthorized", False)
    assert "key-" not in str(logs)


# Rates.


def rate_headers(result: falcon.testing.Result) -> tuple[int, int]:
    assert 1 <= int(result.headers["RateLimit-Reset"]) <= 3600
    return int(result.headers["RateLimit-Limit"]), int(result.headers["RateLimit-Remaining"])


def test_who_asks_too_often_is_told_when_to_come_back(make_client: Any) -> None:
    client = make_client(api_keys=KEYS, rate_limit="2/hour")
    first = client.simulate_post("/render", json=HTML, headers=ANNA)
    assert (first.status_code, rate_headers(first)) == (200, (2, 1))
    second = client.simulate_post("/render-async", json=HTML, headers=ANNA)
    assert (second.status_code, rate_headers(second)) == (202, (2, 0))
    for path in ("/render", "/render-url", "/render-async"):
        refused = client.simulate_post(path, json=HTML, headers=ANNA)
        assert_is_error(refused, 429, "rate_limited")
        assert rate_headers(refused) == (2, 0)
        assert refused.headers["Retry-After"] == refused.headers["RateLimit-Reset"]
    job = f"/render-async/{second.json['jobId']}"
    assert client.simulate_get(job, headers=ANNA).status_code == 200
    assert client.simulate_get(job.replace("render-async", "download")).status_code == 401
    assert client.simulate_delete(job, headers=ANNA).status_code == 200
    assert client.simulate_get("/health").status_code == 200
    assert client.simulate_post("/render", json=HTML, headers=BOB).status_code == 200


def test_only_what_makes_renders_counts(make_client: Any) -> None:
    client = make_client(rate_limit="1/hour")
    for method, path in [
        ("GET", "/status"),
        ("GET", "/health"),
        ("GET", f"/render-async/{UNKNOWN_JOB_ID}"),
        ("GET", f"/download/{UNKNOWN_JOB_ID}"),
        ("POST", "/nowhere"),
        ("GET", "/render"),
    ]:
        result = client.simulate_request(method, path)
        assert "RateLimit-Limit" not in result.headers
    assert client.simulate_post("/render", json=HTML).status_code == 200


def test_no_spelling_of_a_route_escapes_the_rate(make_client: Any) -> None:
    client = make_client(rate_limit="1/hour")
    statuses = [client.simulate_post(path, json={}).status_code for path in ("//render", "/render")]
    assert statuses == [400, 429]


def test_a_request_that_is_refused_counts_too(make_client: Any) -> None:
    client = make_client(rate_limit="2/hour")
    assert rate_headers(client.simulate_post("/render", json={})) == (2, 1)


def test_without_keys_the_clients_address_counts_and_no_header(make_client: Any) -> None:
    client = make_client(rate_limit="1/hour")

    def ask(address: str, **headers: str) -> int:
        environ = {"remote_addr": address}
        result = client.simulate_post("/render", json={}, headers=headers, **environ)
        return int(result.status_code)

    assert [ask("192.0.2.1"), ask("192.0.2.1"), ask("192.0.2.2")] == [400, 429, 400]
    forwarded = {"X-Forwarded-For": "192.0.2.9", "Forwarded": "for=192.0.2.9"}
    assert ask("192.0.2.1", **forwarded) == 429


def test_who_has_no_key_takes_nothing_from_those_who_have(make_client: Any) -> None:
    client = make_client(api_keys=KEYS, rate_limit="1/hour")
    refused = client.simulate_post("/render", json=HTML)
    assert_is_error(refused, 401, "unauthorized")
    assert "RateLimit-Limit" not in refused.headers
    assert client.simulate_post("/render", json=HTML, headers=ANNA).status_code == 200


# Whose a job is.


def submit(client: Client, headers: dict[str, str], **more: str) -> str:
    result = client.simulate_post("/render-async", json=HTML, headers=headers | more)
    assert result.status_code == 202
    return str(result.json["jobId"])


def without_ids(result: falcon.testing.Result) -> tuple[int, dict[str, Any]]:
    return result.status_code, result.json | {"requestId": ""}


@pytest.mark.parametrize("completed", [False, True])
def test_another_callers_job_is_as_an_unknown_one(
    client: Client, records: Records, storage: ObjectStorage, completed: bool
) -> None:
    job_id, nobodys = submit(client, ANNA), str(uuid.uuid4())
    if completed:
        complete(records, storage, job_id)
    for method, path, query in [
        ("GET", "/render-async/", ""),
        ("GET", "/render-async/", "wait=30"),
        ("GET", "/render-async/", "image=true"),
        ("DELETE", "/render-async/", ""),
        ("GET", "/download/", ""),
        ("GET", "/render-async/", "wait=x"),
    ]:
        anothers, unknown = (
            client.simulate_request(method, path + its_id, query_string=query, headers=BOB)
            for its_id in (job_id, nobodys)
        )
        assert without_ids(anothers) == without_ids(unknown)
        assert anothers.status_code == (400 if query == "wait=x" else 404)
    mine = client.simulate_get(f"/render-async/{job_id}", headers=ANNA)
    assert mine.json["status"] == ("completed" if completed else "pending")
    assert "anna" not in mine.text
    if completed:
        file = client.simulate_get(f"/download/{job_id}", headers=ANNA)
        assert file.content == FILE
        assert storage.stat(file_name(job_id)).size == len(FILE)
    else:
        cancelled = client.simulate_delete(f"/render-async/{job_id}", headers=ANNA)
        assert cancelled.json["status"] == "cancelled"
        assert "anna" not in cancelled.text


def test_an_idempotency_key_is_its_callers_own(client: Client) -> None:
    key = {"Idempotency-Key": "invoice-1"}
    annas, bobs = submit(client, ANNA, **key), submit(client, BOB, **key)
    assert annas != bobs
    assert submit(client, ANNA, **key) == annas
    assert submit(client, BOB, **key) == bobs
    for headers in (ANNA, BOB):
        result = client.simulate_post("/render-async", json={"html": "y"}, headers=headers | key)
        assert_is_error(result, 409, "idempotency_conflict")


def test_a_job_from_before_there_were_keys_is_nobodys(client: Client, make_client: Any) -> None:
    anybody = make_client()
    job_id = submit(anybody, {})
    result = client.simulate_get(f"/render-async/{job_id}", headers=ANNA)
    assert_is_error(result, 404, "not_found")
    annas = submit(client, ANNA)
    assert anybody.simulate_get(f"/render-async/{annas}").status_code == 200
