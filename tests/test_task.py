"""One job, from its stored input to its stored file, with the real engine, server and directory."""

import io
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from PIL import Image

from farm.errors import (
    BrowserUnavailable,
    InternalError,
    InvalidRequest,
    NavigationFailed,
    NotFound,
    RenderTimeout,
    StorageUnavailable,
)
from farm.job import State, file_name, input_name
from farm.jobs.queue import RedisJobs
from farm.jobs.record import Records
from farm.jobs.rq_adapter import Abandoned, Verdict
from farm.jobs.task import HandedBack, Renderer
from farm.render import Engine, RenderCancelled
from farm.storage import NotStored, ObjectStorage
from tests.conftest import request_for
from tests.farm_process import wait_until

BLUE = "<body style='background: rgb(0, 0, 255)'>"
HANGS = "<script>while (true);</script>"


@pytest.fixture
def records(redis_client: redis.Redis) -> Records:
    return Records(redis_client, 3600)


@pytest.fixture
def renderer(engine: Engine, storage: ObjectStorage, records: Records) -> Renderer:
    return Renderer(engine, storage, records)


def run(renderer: Renderer, job_id: str) -> Verdict | None:
    """As RQ does it: the job, and if it raises, the verdict."""
    try:
        renderer.render(job_id)
    except Exception as exc:
        return renderer.judge(job_id, {}, exc)
    return None


def test_a_job_becomes_a_file(
    engine: Engine, renderer: Renderer, jobs: RedisJobs, storage: ObjectStorage
) -> None:
    job_id = jobs.submit(request_for(engine, BLUE, width=40, height=30), "")
    renderer.render(job_id)
    record, _ = jobs.read(job_id)
    data = storage.read(file_name(job_id))
    assert (record.status, record.size) == (State.COMPLETED, len(data))
    image = Image.open(io.BytesIO(data))
    assert image.size == (record.width, record.height) == (40, 30)
    assert image.convert("RGB").getpixel((20, 15)) == (0, 0, 255)
    with pytest.raises(NotStored):
        storage.read(input_name(job_id))


def test_a_job_that_is_run_again_after_a_crash_ends_as_if_nothing_had_been(
    engine: Engine, renderer: Renderer, jobs: RedisJobs, records: Records, storage: ObjectStorage
) -> None:
    job_id = jobs.submit(request_for(engine, BLUE), "")
    records.start(job_id)
    storage.put(file_name(job_id), b"half a file")
    renderer.render(job_id)
    assert jobs.read(job_id)[0].status is State.COMPLETED
    assert storage.read(file_name(job_id))[:4] == b"\x89PNG"


def test_a_job_that_has_ended_is_not_done_again(
    engine: Engine, renderer: Renderer, jobs: RedisJobs, storage: ObjectStorage
) -> None:
    job_id = jobs.submit(request_for(engine, BLUE), "")
    renderer.render(job_id)
    before = storage.stat(file_name(job_id))
    renderer.render(job_id)
    assert storage.stat(file_name(job_id)) == before


def test_a_job_that_nobody_knows_any_more_is_passed_over(renderer: Renderer) -> None:
    renderer.render("6a3a8c0e-5f0e-4c43-9b3b-0c2f5d6f7a10")


def test_a_page_that_cannot_be_loaded_fails_the_job_with_its_reason(
    engine: Engine, renderer: Renderer, jobs: RedisJobs, storage: ObjectStorage
) -> None:
    job_id = jobs.submit(request_for(engine, url="http://127.0.0.1:1/"), "")
    assert run(renderer, job_id) is Verdict.FAIL
    record, _ = jobs.read(job_id)
    assert (record.status, record.code) == (State.FAILED, NavigationFailed.code)
    with pytest.raises(NotStored):
        storage.read(input_name(job_id))


def test_a_page_that_never_ends_fails_the_job_at_its_deadline(
    make_engine: Callable[..., Engine], jobs: RedisJobs, storage: ObjectStorage, records: Records
) -> None:
    engine = make_engine(render_deadline_s=1)
    job_id = jobs.submit(request_for(engine, HANGS), "")
    assert run(Renderer(engine, storage, records), job_id) is Verdict.FAIL
    assert jobs.read(job_id)[0].code == RenderTimeout.code


def test_a_request_that_this_worker_may_not_render_fails(
    engine: Engine, renderer: Renderer, jobs: RedisJobs, storage: ObjectStorage
) -> None:
    job_id = jobs.submit(request_for(engine, BLUE), "")
    wide = request_for(engine, BLUE).to_json().replace(b'"width":1280', b'"width":99999')
    storage.put(input_name(job_id), wide)
    assert run(renderer, job_id) is Verdict.FAIL
    assert jobs.read(job_id)[0].code == InvalidRequest.code


def test_a_job_whose_input_is_gone_fails(
    engine: Engine, renderer: Renderer, jobs: RedisJobs, storage: ObjectStorage
) -> None:
    job_id = jobs.submit(request_for(engine, BLUE), "")
    storage.delete([input_name(job_id)])
    assert run(renderer, job_id) is Verdict.FAIL
    assert jobs.read(job_id)[0].code == InternalError.code


@pytest.mark.parametrize("step", ["put", "complete"])
def test_a_job_that_two_workers_do_at_once_keeps_its_file(
    engine: Engine,
    renderer: Renderer,
    jobs: RedisJobs,
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
        Renderer(engine, storage, records).render(job_id)
        return do_step(*args)

    monkeypatch.setattr(owner, step, after_the_other)
    renderer.render(job_id)
    assert jobs.read(job_id)[0].status is State.COMPLETED
    assert storage.read(file_name(job_id))[:4] == b"\x89PNG"


def test_a_job_that_is_cancelled_while_it_runs_leaves_no_file_and_a_free_page(
    engine: Engine, renderer: Renderer, jobs: RedisJobs, storage: ObjectStorage
) -> None:
    job_id = jobs.submit(request_for(engine, BLUE, waitFor=20_000), "")
    raised: list[BaseException] = []

    def render() -> None:
        try:
            renderer.render(job_id)
        except BaseException as exc:
            raised.append(exc)

    thread = threading.Thread(target=render)
    thread.start()
    wait_until(lambda: engine.status.rendering)
    jobs.cancel(job_id)
    renderer.cancel(job_id)
    thread.join(10)
    assert [type(exc) for exc in raised] == [RenderCancelled]
    assert renderer.judge(job_id, {}, raised[0]) is Verdict.FAIL
    wait_until(lambda: engine.status.rendering == 0)
    assert jobs.read(job_id)[0].status is State.CANCELLED
    assert list(storage.list()) == []


def test_a_job_that_was_cancelled_before_its_file_was_stored_leaves_none(
    engine: Engine, renderer: Renderer, jobs: RedisJobs, storage: ObjectStorage, records: Records
) -> None:
    job_id = jobs.submit(request_for(engine, BLUE), "")
    complete = records.complete
    records.complete = lambda *args: (jobs.cancel(job_id), complete(*args))[1]  # type: ignore[method-assign]
    renderer.render(job_id)
    assert jobs.read(job_id)[0].status is State.CANCELLED
    assert list(storage.list()) == []


def test_a_job_stopped_by_other_tools_is_cancelled(
    engine: Engine, renderer: Renderer, jobs: RedisJobs
) -> None:
    job_id = jobs.submit(request_for(engine, BLUE), "")
    assert renderer.judge(job_id, {}, RenderCancelled()) is Verdict.FAIL
    assert jobs.read(job_id)[0].status is State.CANCELLED


def test_a_storage_that_fails_is_tried_again(
    engine: Engine, renderer: Renderer, jobs: RedisJobs, storage: ObjectStorage, tmp_path: Path
) -> None:
    job_id = jobs.submit(request_for(engine, BLUE), "")
    in_the_way = tmp_path / "storage" / "files"
    in_the_way.write_text("a file where the directory should be")
    renderer.stopping.set()  # so that it does not pause
    assert run(renderer, job_id) is Verdict.RETRY
    assert jobs.read(job_id)[0].status is State.PROCESSING
    in_the_way.unlink()
    assert run(renderer, job_id) is None
    assert jobs.read(job_id)[0].status is State.COMPLETED


@pytest.mark.parametrize(
    ("error", "times", "code"),
    [
        (Abandoned(), 3, "page_crashes"),
        (BrowserUnavailable(), 5, "page_crashes"),
        (StorageUnavailable(), 10, "storage_unavailable"),
        (NavigationFailed(), 1, "navigation_failed"),
        (RenderTimeout(), 1, "render_timeout"),
        (ZeroDivisionError(), 1, "internal_error"),
    ],
)
def test_a_job_fails_with_a_reason_after_so_many_times(
    engine: Engine,
    renderer: Renderer,
    jobs: RedisJobs,
    error: Exception,
    times: int,
    code: str,
) -> None:
    job_id = jobs.submit(request_for(engine, BLUE), "")
    renderer.stopping.set()  # so that it does not pause
    meta: dict[str, int] = {}
    for _ in range(times - 1):
        assert renderer.judge(job_id, meta, error) is Verdict.RETRY
        assert not jobs.read(job_id)[0].status.final
    assert renderer.judge(job_id, meta, error) is Verdict.FAIL
    record, _ = jobs.read(job_id)
    assert (record.status, record.code) == (State.FAILED, code)
    assert record.error


def test_handing_back_counts_for_nothing(renderer: Renderer) -> None:
    meta: dict[str, int] = {}
    assert renderer.judge("a job", meta, HandedBack()) is Verdict.RETRY
    assert meta == {}


def test_a_stopping_engine_hands_back_what_it_had(
    make_engine: Callable[..., Engine], jobs: RedisJobs, storage: ObjectStorage, records: Records
) -> None:
    engine = make_engine()
    renderer = Renderer(engine, storage, records)
    job_id = jobs.submit(request_for(engine, BLUE, waitFor=20_000), "")
    raised: list[BaseException] = []

    def render() -> None:
        try:
            renderer.render(job_id)
        except BaseException as exc:
            raised.append(exc)

    thread = threading.Thread(target=render)
    thread.start()
    wait_until(lambda: engine.status.rendering)
    renderer.stopping.set()
    engine.close()
    thread.join(10)
    assert [type(exc) for exc in raised] == [HandedBack]


def test_the_job_is_gone_from_the_books_of_a_queue_that_forgot_it(
    engine: Engine, renderer: Renderer, jobs: RedisJobs, redis_client: redis.Redis
) -> None:
    job_id = jobs.submit(request_for(engine, BLUE), "")
    redis_client.flushall()
    assert run(renderer, job_id) is None
    with pytest.raises(NotFound):
        jobs.read(job_id)
