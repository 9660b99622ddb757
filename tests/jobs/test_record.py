"""Jobs' records: states that only move forward, and what expires when."""

import json
import uuid
from collections.abc import Callable
from dataclasses import replace

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.clock import timestamp
from farm.errors import (
    AlreadyFinished,
    InternalError,
    NotFound,
    PageFailed,
    Problem,
    QueueUnavailable,
    RenderTimeout,
)
from farm.formats import FORMATS
from farm.job import Record, State
from farm.jobs import broker
from farm.jobs.record import ENDED_CHANNEL, Records, record_key
from farm.request import RenderResult, Timings
from tests.support.redis_data import data, spoil

RESULT = RenderResult("iVBORw==", FORMATS["png"], 40, 30, Timings())
TTL_S = 3600


@pytest.fixture
def records(redis_client: redis.Redis) -> Records:
    return Records(redis_client, TTL_S)


@pytest.fixture
def job_id(redis_client: redis.Redis) -> str:
    return pending(redis_client)


def pending(client: redis.Redis, idempotency: str | None = None, owner: str | None = None) -> str:
    job_id = str(uuid.uuid4())
    record = Record(State.PENDING, timestamp(), "a-request", idempotency, owner)
    client.set(record_key(job_id), record.to_json())
    return job_id


def test_a_record_is_json_as_the_contract_writes_it(records: Records, job_id: str) -> None:
    records.start(job_id)
    records.complete(job_id, RESULT)
    answer = records.read(job_id).public()
    assert answer["status"] == "completed"
    assert {"createdAt", "startedAt", "completedAt", "requestId"} <= set(answer)
    assert answer["downloadUrl"] == f"/download/{job_id}"
    assert (answer["size"], answer["format"]) == (4, "png")
    assert (answer["width"], answer["height"]) == (40, 30)


def test_facts_are_told_and_none_takes_the_place_of_what_the_record_says(
    records: Records, job_id: str
) -> None:
    records.start(job_id)
    told = {"status": 404, "finalUrl": "http://a.example/", "title": "x", "report": {"fonts": []}}
    clashing = {"error": "x", "createdAt": "x", "size": 1, "owner": "x", "downloadUrl": "x"}
    records.complete(job_id, replace(RESULT, facts=told | clashing))
    record = records.read(job_id)
    without = replace(record, facts=None).public()
    assert record.public() == without | {
        "httpStatus": 404,
        "finalUrl": "http://a.example/",
        "title": "x",
        "report": {"fonts": []},
    }
    assert without["status"] == "completed"


def test_a_record_of_a_newer_version_can_be_read(
    records: Records, redis_client: redis.Redis, job_id: str
) -> None:
    text = json.loads(data(redis_client.get(record_key(job_id))))
    redis_client.set(record_key(job_id), json.dumps(text | {"thatIsNew": 1}))
    assert records.read(job_id).status is State.PENDING


@pytest.mark.parametrize("part", [b'"pending"', b'"createdAt"'])
def test_a_record_that_is_not_understood_is_told_so_and_can_only_fail(
    records: Records, redis_client: redis.Redis, part: bytes
) -> None:
    job_id = pending(redis_client, owner="a-caller")
    key = record_key(job_id)
    spoil(redis_client, key, part, b'"unheard-of"')
    for ask in (records.read, records.start, records.cancel, records.is_open):
        with pytest.raises(InternalError, match="understands"):
            ask(job_id)
    assert records.fail(job_id, RenderTimeout())
    record = records.read(job_id)
    assert (record.status, record.code) == (State.FAILED, "render_timeout")
    if part == b'"pending"':
        assert (record.owner, record.request_id) == ("a-caller", "a-request")
    assert 0 < redis_client.ttl(key) <= TTL_S


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", "\xff"])
def test_a_record_that_is_none_can_only_fail(
    records: Records, redis_client: redis.Redis, text: str
) -> None:
    job_id = str(uuid.uuid4())
    redis_client.set(record_key(job_id), text.encode("latin-1"))
    with pytest.raises(InternalError):
        records.start(job_id)
    assert records.fail(job_id, RenderTimeout())
    assert records.read(job_id).status is State.FAILED


def test_a_failure_of_the_page_says_all_that_failed(records: Records, job_id: str) -> None:
    records.fail(job_id, PageFailed(None, [Problem("options.failOn.status", "it was 404")]))
    details = [{"field": "options.failOn.status", "problem": "it was 404"}]
    assert records.read(job_id).public()["details"] == details


def test_a_failure_says_why(records: Records, job_id: str) -> None:
    records.fail(job_id, RenderTimeout("The page did not finish within 30 s."))
    answer = records.read(job_id).public()
    assert answer["status"] == "failed"
    assert answer["code"] == "render_timeout"
    assert answer["error"] == "The page did not finish within 30 s."


def test_nothing_expires_before_a_job_has_ended(
    records: Records, redis_client: redis.Redis, job_id: str
) -> None:
    records.start(job_id)
    assert redis_client.ttl(record_key(job_id)) == -1


@pytest.mark.parametrize(
    "end",
    [
        lambda records, job_id: records.complete(job_id, RESULT),
        lambda records, job_id: records.fail(job_id, RenderTimeout()),
        lambda records, job_id: records.cancel(job_id),
    ],
    ids=["completed", "failed", "cancelled"],
)
def test_an_ended_job_expires_with_its_idempotency_key(
    records: Records, redis_client: redis.Redis, end: Callable[[Records, str], object]
) -> None:
    redis_client.set("idempotency:x", "claim")
    job_id = pending(redis_client, idempotency="idempotency:x")
    end(records, job_id)
    assert 0 < redis_client.ttl(record_key(job_id)) <= TTL_S
    assert 0 < redis_client.ttl("idempotency:x") <= TTL_S
    assert "idempotency" not in records.read(job_id).public()


def test_an_end_is_published(records: Records, redis_client: redis.Redis, job_id: str) -> None:
    with redis_client.pubsub(  # type: ignore[no-untyped-call]
        ignore_subscribe_messages=True
    ) as pubsub:
        pubsub.subscribe(ENDED_CHANNEL)
        pubsub.get_message(timeout=5)
        records.start(job_id)
        records.complete(job_id, RESULT)
        message = pubsub.get_message(timeout=5)
    assert message is not None
    assert message["data"].decode() == job_id


def test_a_job_that_is_run_again_keeps_its_first_start(records: Records, job_id: str) -> None:
    first = records.start(job_id)
    again = records.start(job_id)
    assert again is not None
    assert again == first


@pytest.mark.parametrize(
    "text", ["", "x", "../../etc/passwd", "d86f7f9c-e8dd-11f1-a0b4-02fc00000001", "é" * 36]
)
def test_what_is_no_job_id_is_not_found(
    records: Records, redis_client: redis.Redis, text: str
) -> None:
    redis_client.set(record_key(text), "another program's")
    with pytest.raises(NotFound):
        records.read(text)
    with pytest.raises(NotFound):
        records.cancel(text)


def test_an_unknown_job_is_not_found_and_not_made(records: Records) -> None:
    job_id = str(uuid.uuid4())
    with pytest.raises(NotFound):
        records.cancel(job_id)
    assert records.start(job_id) is None
    assert not records.complete(job_id, RESULT)
    assert not records.fail(job_id, RenderTimeout())
    with pytest.raises(NotFound):
        records.read(job_id)


STEPS = ["start", "complete", "fail", "cancel"]


@given(st.lists(st.sampled_from(STEPS), min_size=1, max_size=8))
@settings(max_examples=60)
def test_the_first_end_is_the_last_change(
    redis_client: redis.Redis, records: Records, steps: list[str]
) -> None:
    """Whatever workers and clients do, in whatever order, twice or after the end."""
    job_id = pending(redis_client)
    ended: Record | None = None
    for step in steps:
        match step:
            case "start":
                records.start(job_id)
            case "complete":
                records.complete(job_id, RESULT)
            case "fail":
                records.fail(job_id, RenderTimeout())
            case "cancel" if ended:
                with pytest.raises(AlreadyFinished):
                    records.cancel(job_id)
            case "cancel":
                records.cancel(job_id)
        now = records.read(job_id)
        assert ended is None or now == ended
        if now.status.final:
            ended = now
    if set(steps) != {"start"}:
        assert ended is not None


def test_a_redis_that_is_gone_is_said(tmp_path_factory: pytest.TempPathFactory) -> None:
    nowhere = broker.connect(f"unix://{tmp_path_factory.mktemp('none')}/none.sock")
    with pytest.raises(QueueUnavailable):
        Records(nowhere, TTL_S).read(str(uuid.uuid4()))
