"""One job, from its stored input to its stored file, with the real engine, server and directory."""

import io
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from PIL import Image

from farm.errors import (
    BrowserDied,
    BrowserUnavailable,
    InternalError,
    InvalidRequest,
    NavigationFailed,
    NotFound,
    RenderTimeout,
    StorageUnavailable,
)
from farm.job import State, file_name, input_name
from farm.jobs.queue import RedisJobQueue
from farm.jobs.record import Records, record_key
from farm.jobs.rq_worker import Abandoned, Verdict
from farm.jobs.task import HandedBack, JobRunner
from farm.render import Engine
from farm.renderer import RenderCancelled
from farm.storage import NotStored, ObjectStorage
from tests.conftest import request_for
from tests.support.farm_process import wait_until
from tests.support.redis_data import spoil

BLUE = "<body style='background: rgb(0, 0, 255)'>"
HANGS = "<script>while (true);</script>"


@pytest.fixture
def records(redis_client: redis.Redis) -> Records:
    return Records(redis_client, 3600)


@pytest.fixture
def runner(engine: Engine, storage: ObjectStorage, records: Records) -> JobRunner:
    return JobRunner(engine, storage, records)


def do(runner: JobRunner, job_id: str) -> Verdict | None:
    """As RQ does it: the job, and if it raises, the verdict."""
    try:
        runner.run(job_id)
    except Exception as exc:
        return runner.on_failure(job_id, {}, exc)
    return None


def test_a_job_becomes_a_file(
    engine: Engine, runner: JobRunner, jobs: RedisJobQueue, storage: ObjectStorage
) -> None:
    job_id = jobs.submit(request_for(engine, BLUE, width=40, height=30), "")
    runner.run(job_id)
    record, _ = jobs.read(job_id)
    data = storage.read(file_name(job_id))
    assert (record.status, record.size) == (State.COMPLETED, len(data))
    image = Image.open(io.BytesIO(data))
    assert image.size == (record.width, record.height) == (40, 30)
    assert image.convert("RGB").getpixel((20, 15)) == (0, 0, 255)
    with pytest.raises(NotStored):
        storage.read(input_name(job_id))


def test_a_job_that_is_cancelled_before_its_render_begins_is_not_rendered(
    engine: Engine,
    jobs: RedisJobQueue,
    records: Records,
    storage: ObjectStorage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runner = JobRunner(engine, storage, records)
    job_id = jobs.submit(request_for(engine, HANGS), "")
    read = storage.read

    def read_meanwhile(name: str) -> bytes:
        runner.cancel(job_id)
        return read(name)

    monkeypatch.setattr(storage, "read", read_meanwhile)
    with pytest.raises(RenderCancelled):
        runner.run(job_id)


def test_a_job_that_is_run_again_after_a_crash_ends_as_if_nothing_had_been(
    engine: Engine,
    runner: JobRunner,
    jobs: RedisJobQueue,
    records: Records,
    storage: ObjectStorage,
) -> None:
    job_id = jobs.submit(request_for(engine, BLUE), "")
    records.start(job_id)
    storage.put(file_name(job_id), b"half a file")
    runner.run(job_id)
    assert jobs.read(job_id)[0].status is State.COMPLETED
    assert storage.read(file_name(job_id))[:4] == b"\x89PNG"


def test_a_job_that_has_ended_is_not_done_again(
    engine: Engine, runner: JobRunner, jobs: RedisJobQueue, storage: ObjectStorage
) -> None:
    job_id = jobs.submit(request_for(engine, BLUE), "")
    runner.run(job_id)
    before = storage.stat(file_name(job_id))
    runner.run(job_id)
    assert storage.stat(file_name(job_id)) == before


def test_a_job_that_nobody_knows_any_more_is_passed_over(runner: JobRunner) -> None:
    runner.run("6a3a8c0e-5f0e-4c43-9b3b-0c2f5d6f7a10")


def test_a_page_that_cannot_be_loaded_fails_the_job_with_its_reason(
    engine: Engine, runner: JobRunner, jobs: RedisJobQueue, storage: ObjectStorage
) -> None:
    job_id = jobs.submit(request_for(engine, url="http://127.0.0.1:1/"), "")
    assert do(runner, job_id) is Verdict.FAIL
    record, _ = jobs.read(job_id)
    assert (record.status, record.code) == (State.FAILED, NavigationFailed.code)
    with pytest.raises(NotStored):
        storage.read(input_name(job_id))


def test_what_the_policy_refused_is_in_the_record(
    engine: Engine, runner: JobRunner, jobs: RedisJobQueue
) -> None:
    job_id = jobs.submit(request_for(engine, "<img src=http://10.0.0.1/>"), "")
    runner.run(job_id)
    refused = [{"host": "10.0.0.1", "reason": "its address is not public"}]
    assert jobs.read(job_id)[0].public()["blocked"] == refused


def test_a_page_that_never_ends_fails_the_job_at_its_deadline(
    make_engine: Callable[..., Engine],
    jobs: RedisJobQueue,
    storage: ObjectStorage,
    records: Records,
) -> None:
    engine = make_engine(render_deadline_s=1)
    job_id = jobs.submit(request_for(engine, HANGS), "")
    assert do(JobRunner(engine, storage, records), job_id) is Verdict.FAIL
    assert jobs.read(job_id)[0].code == RenderTimeout.code


def test_a_request_that_this_worker_may_not_render_fails(
    engine: Engine, runner: JobRunner, jobs: RedisJobQueue, storage: ObjectStorage
) -> None:
    job_id = jobs.submit(request_for(engine, BLUE), "")
    slow = request_for(engine, BLUE, waitFor=5).to_json()
    assert b'"waitFor":5' in slow
    # Where it was submitted, the deadline was longer.
    storage.put(input_name(job_id), slow.replace(b'"waitFor":5', b'"waitFor":999999'))
    assert do(runner, job_id) is Verdict.FAIL
    assert jobs.read(job_id)[0].code == InvalidRequest.code


def test_a_job_whose_input_is_gone_fails(
    engine: Engine, runner: JobRunner, jobs: RedisJobQueue, storage: ObjectStorage
) -> None:
    job_id = jobs.submit(request_for(engine, BLUE), "")
    storage.delete([input_name(job_id)])
    assert do(runner, job_id) is Verdict.FAIL
    assert jobs.read(job_id)[0].code == InternalError.code


@pytest.mark.parametrize("step", ["put", "complete"])
def test_a_job_that_two_workers_do_at_once_keeps_its_file(
    engine: Engine,
    runner: JobRunner,
    jobs: RedisJobQueue,
    records: Records,
    storage: ObjectStorage,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    job_id = jobs.submit(request_for(engine, BLUE), "")
    owner = storage if step == "put" else records
    do_step = getattr(owner, step)

    def after_the_other(*args: object) -> object:
        monkeypatch.undo()
        JobRunner(engine, storage, records).run(job_id)
        return do_step(*args)

    monkeypatch.setattr(owner, step, after_the_other)
    runner.run(job_id)
    assert jobs.read(job_id)[0].status is State.COMPLETED
    assert storage.read(file_name(job_id))[:4] == b"\x89PNG"


def test_a_job_that_is_cancelled_while_it_runs_leaves_no_file_and_a_free_page(
    engine: Engine, runner: JobRunner, jobs: RedisJobQueue, storage: ObjectStorage
) -> None:
    wait_until(lambda: engine.status.rendering == 0)  # of the test before
    job_id = jobs.submit(request_for(engine, BLUE, waitFor=20_000), "")
    raised: list[BaseException] = []

    def render() -> None:
        try:
            runner.run(job_id)
        except BaseException as exc:
            raised.append(exc)

    thread = threading.Thread(target=render)
    thread.start()
    wait_until(lambda: engine.status.rendering)
    jobs.cancel(job_id)
    runner.cancel(job_id)
    thread.join(10)
    assert [type(exc) for exc in raised] == [RenderCancelled]
    assert runner.on_failure(job_id, {}, raised[0]) is Verdict.FAIL
    wait_until(lambda: engine.status.rendering == 0)
    assert jobs.read(job_id)[0].status is State.CANCELLED
    assert list(storage.list()) == []


def test_a_job_that_was_cancelled_before_its_file_was_stored_leaves_none(
    engine: Engine,
    runner: JobRunner,
    jobs: RedisJobQueue,
    storage: ObjectStorage,
    records: Records,
) -> None:
    job_id = jobs.submit(request_for(engine, BLUE), "")
    complete = records.complete
    records.complete = lambda *args: (jobs.cancel(job_id), complete(*args))[1]  # type: ignore[method-assign]
    runner.run(job_id)
    assert jobs.read(job_id)[0].status is State.CANCELLED
    assert list(storage.list()) == []


def test_a_job_stopped_by_other_tools_is_cancelled(
    engine: Engine, runner: JobRunner, jobs: RedisJobQueue
) -> None:
    job_id = jobs.submit(request_for(engine, BLUE), "")
    assert runner.on_failure(job_id, {}, RenderCancelled()) is Verdict.FAIL
    assert jobs.read(job_id)[0].status is State.CANCELLED


def test_a_job_whose_record_is_not_understood_fails_at_once(
    engine: Engine, runner: JobRunner, jobs: RedisJobQueue, redis_client: redis.Redis
) -> None:
    """Of a newer version, say; it would be tried again and again, and never expire."""
    job_id = jobs.submit(request_for(engine, BLUE), "a-request")
    spoil(redis_client, record_key(job_id), b"pending", b"unheard-of")
    assert do(runner, job_id) is Verdict.FAIL
    record, _ = jobs.read(job_id)
    assert (record.status, record.code) == (State.FAILED, "internal_error")
    assert record.request_id == "a-request"


def test_a_storage_that_fails_is_tried_again(
    engine: Engine, runner: JobRunner, jobs: RedisJobQueue, storage: ObjectStorage, tmp_path: Path
) -> None:
    job_id = jobs.submit(request_for(engine, BLUE), "")
    in_the_way = tmp_path / "storage" / "files"
    in_the_way.write_text("a file where the directory should be")
    runner.stopping.set()  # so that it does not pause
    assert do(runner, job_id) is Verdict.RETRY
    assert jobs.read(job_id)[0].status is State.PROCESSING
    in_the_way.unlink()
    assert do(runner, job_id) is None
    assert jobs.read(job_id)[0].status is State.COMPLETED


@pytest.mark.parametrize(
    ("error", "times", "code"),
    [
        (Abandoned(), 3, "page_crashes"),
        (BrowserDied(), 5, "page_crashes"),
        (BrowserUnavailable(), 10, "browser_unavailable"),
        (StorageUnavailable(), 10, "storage_unavailable"),
        (NavigationFailed(), 1, "navigation_failed"),
        (RenderTimeout(), 1, "render_timeout"),
        (ZeroDivisionError(), 1, "internal_error"),
    ],
)
def test_a_job_fails_with_a_reason_after_so_many_times(
    engine: Engine,
    runner: JobRunner,
    jobs: RedisJobQueue,
    error: Exception,
    times: int,
    code: str,
) -> None:
    job_id = jobs.submit(request_for(engine, BLUE), "")
    runner.stopping.set()  # so that it does not pause
    meta: dict[str, int] = {}
    for _ in range(times - 1):
        first = isinstance(error, Abandoned)
        expected = Verdict.RETRY_FIRST if first else Verdict.RETRY
        assert runner.on_failure(job_id, meta, error) is expected
        assert not jobs.read(job_id)[0].status.final
    assert runner.on_failure(job_id, meta, error) is Verdict.FAIL
    record, _ = jobs.read(job_id)
    assert (record.status, record.code) == (State.FAILED, code)
    assert record.error


def test_handing_back_counts_for_nothing(runner: JobRunner) -> None:
    meta: dict[str, int] = {}
    assert runner.on_failure("a job", meta, HandedBack()) is Verdict.RETRY_FIRST
    assert meta == {}


def test_a_stopping_engine_hands_back_what_it_had(
    make_engine: Callable[..., Engine],
    jobs: RedisJobQueue,
    storage: ObjectStorage,
    records: Records,
) -> None:
    engine = make_engine()
    runner = JobRunner(engine, storage, records)
    wait_until(lambda: engine.status.rendering == 0)  # of the test before
    job_id = jobs.submit(request_for(engine, BLUE, waitFor=20_000), "")
    raised: list[BaseException] = []

    def render() -> None:
        try:
            runner.run(job_id)
        except BaseException as exc:
            raised.append(exc)

    thread = threading.Thread(target=render)
    thread.start()
    wait_until(lambda: engine.status.rendering)
    runner.stopping.set()
    engine.close()
    thread.join(10)
    assert [type(exc) for exc in raised] == [HandedBack]


def test_the_job_is_gone_from_the_books_of_a_queue_that_forgot_it(
    engine: Engine, runner: JobRunner, jobs: RedisJobQueue, redis_client: redis.Redis
) -> None:
    job_id = jobs.submit(request_for(engine, BLUE), "")
    redis_client.flushall()
    assert do(runner, job_id) is None
    with pytest.raises(NotFound):
        jobs.read(job_id)
