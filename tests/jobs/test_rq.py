"""The changes to RQ's queue and worker: a test for each of them, on a real server."""

import itertools
import json
import threading
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import redis
import rq
from rq.executions import Execution
from rq.job import Job, JobStatus
from rq.registry import FailedJobRegistry, FinishedJobRegistry, StartedJobRegistry
from rq.serializers import JSONSerializer

from farm.errors import NavigationFailed, RenderTimeout
from farm.jobs import broker, rq_worker, task
from farm.jobs.rq_queue import QUEUE_NAME, RqQueue
from farm.jobs.rq_worker import Abandoned, RqWorker, Verdict
from tests.support.farm_process import wait_until
from tests.support.redis_data import data, texts

TTL_S = 3600
JOB = "6a3a8c0e-5f0e-4c43-9b3b-0c2f5d6f7a10"


class FakeRunner:
    """Stands where the runner does: what a job does is up to the test."""

    def __init__(self) -> None:
        self.body: Callable[[str], object] = lambda job_id: None
        self.verdict = Verdict.RETRY
        self.judged: list[tuple[str, BaseException]] = []
        self.cancelled: list[str] = []

    def run(self, job_id: str) -> None:
        self.body(job_id)

    def judge(self, job_id: str, meta: dict[str, Any], error: BaseException) -> Verdict:
        meta["times"] = meta.get("times", 0) + 1
        self.judged.append((job_id, error))
        return self.verdict


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> FakeRunner:
    fake = FakeRunner()
    monkeypatch.setattr(task, "_runner", fake)
    return fake


@pytest.fixture
def queue(redis_client: redis.Redis) -> RqQueue:
    return RqQueue(redis_client, TTL_S)


@pytest.fixture
def worker(redis_client: redis.Redis, valkey: str, runner: FakeRunner) -> Iterator[RqWorker]:
    client = broker.connect_patiently(valkey)
    worker = RqWorker(client, "a-worker", runner.judge, runner.cancelled.append)
    yield worker
    worker.stop()
    client.close()


@pytest.fixture
def running(worker: RqWorker) -> Iterator[RqWorker]:
    """The worker at work in a thread of its own."""
    thread = threading.Thread(target=worker.run, daemon=True)
    thread.start()
    yield worker
    worker.stop()
    thread.join(10)
    assert not thread.is_alive()


def enqueue(client: redis.Redis, queue: RqQueue, job_id: str = JOB) -> None:
    with client.pipeline() as pipe:
        queue.enqueue(pipe, job_id, "a-request", "HTML → png 1280 × 720")
        pipe.execute()


def rq_job(client: redis.Redis, job_id: str = JOB) -> Job:
    return Job.fetch(job_id, connection=client, serializer=JSONSerializer)


def status(client: redis.Redis, job_id: str = JOB) -> JobStatus:
    return rq_job(client, job_id).get_status()


def queued(client: redis.Redis) -> list[str]:
    return texts(client.lrange(f"rq:queue:{QUEUE_NAME}", 0, -1))


def take(worker: RqWorker) -> Job:
    """What a worker does before it starts a job, to the point where it is in the dequeue."""
    taken = worker.dequeue_job_and_maintain_ttl(1)
    assert taken is not None
    return taken[0]


def begin(worker: RqWorker) -> Job:
    """What a worker does to the point where the job is registered as running."""
    job = take(worker)
    worker.prepare_execution(job)
    worker.prepare_job_execution(job, remove_from_intermediate_queue=True)
    return job


def expire(client: redis.Redis, registry: StartedJobRegistry) -> None:
    """As if a running job's worker had been dead for a while."""
    for member in client.zrange(registry.key, 0, -1):
        client.delete(Execution.from_composite_key(data(member).decode(), client).key)


def test_rq_is_the_one_that_this_was_written_for() -> None:
    assert version("rq") == "3.0.0"
    assert "rq==3.0.0" in (Path(__file__).parents[2] / "setup.cfg").read_text()


def test_the_entry_is_small_json_and_says_what_the_job_is(
    redis_client: redis.Redis, queue: RqQueue
) -> None:
    enqueue(redis_client, queue)
    fields = redis_client.hgetall(f"rq:job:{JOB}")
    call = json.loads(zlib.decompress(data(fields[b"data"])))
    assert call == ["farm.jobs.task.render", None, [JOB], {}]
    assert data(fields[b"description"]).decode() == "HTML → png 1280 × 720"
    assert sum(len(name) + len(value) for name, value in fields.items()) < 1000


def test_positions_count_from_one(redis_client: redis.Redis, queue: RqQueue) -> None:
    enqueue(redis_client, queue, "first")
    enqueue(redis_client, queue, "second")
    assert (queue.position("first"), queue.position("second")) == (1, 2)
    assert queue.position("third") is None


def test_a_job_is_done_in_a_thread_by_a_worker_that_rq_knows_by_name(
    redis_client: redis.Redis, queue: RqQueue, runner: FakeRunner, running: RqWorker
) -> None:
    threads: list[str] = []
    runner.body = lambda job_id: threads.append(threading.current_thread().name)
    enqueue(redis_client, queue)
    wait_until(lambda: status(redis_client) == JobStatus.FINISHED)
    assert threads
    assert threads[0] != threading.main_thread().name
    names = [known.name for known in rq.Worker.all(connection=redis_client)]
    assert names == ["a-worker"]


def test_what_rq_keeps_of_an_ended_job_expires_with_it(
    redis_client: redis.Redis, queue: RqQueue, runner: FakeRunner, running: RqWorker
) -> None:
    def fail(job_id: str) -> None:
        if job_id == "bad":
            raise ValueError(job_id)

    runner.body, runner.verdict = fail, Verdict.FAIL
    enqueue(redis_client, queue, "good")
    enqueue(redis_client, queue, "bad")
    wait_until(lambda: status(redis_client, "bad") == JobStatus.FAILED)
    for registry, job_id in ((FinishedJobRegistry, "good"), (FailedJobRegistry, "bad")):
        known = registry(QUEUE_NAME, connection=redis_client, serializer=JSONSerializer)
        assert known.get_job_ids(cleanup=False) == [job_id]
        expires = known.get_expiration_time(rq_job(redis_client, job_id))
        assert TTL_S - 60 < (expires - datetime.now(UTC)).total_seconds() <= TTL_S
    for pattern in ("rq:*good", "rq:*bad"):
        for key in redis_client.scan_iter(pattern):
            assert 0 < redis_client.ttl(key) <= TTL_S


def test_the_dashboard_is_told_why_a_job_failed_and_no_more(
    redis_client: redis.Redis, queue: RqQueue, runner: FakeRunner, running: RqWorker
) -> None:
    def fail(job_id: str) -> None:
        try:
            raise OSError("https://example.com/?key=secret")
        except OSError as exc:
            raise NavigationFailed from exc

    runner.body, runner.verdict = fail, Verdict.FAIL
    enqueue(redis_client, queue)
    wait_until(lambda: status(redis_client) == JobStatus.FAILED)
    result = rq_job(redis_client).latest_result()
    assert result is not None
    assert result.exc_string == "farm.errors.NavigationFailed: The URL could not be loaded."


def test_a_job_that_raised_is_queued_again_if_the_verdict_is_so(
    redis_client: redis.Redis, queue: RqQueue, runner: FakeRunner, running: RqWorker
) -> None:
    runs: list[str] = []

    def fail_once(job_id: str) -> None:
        runs.append(job_id)
        if len(runs) == 1:
            raise ValueError("once")

    runner.body = fail_once
    enqueue(redis_client, queue)
    wait_until(lambda: status(redis_client) == JobStatus.FINISHED)
    assert len(runs) == 2
    assert [str(error) for _, error in runner.judged] == ["once"]
    assert rq_job(redis_client).meta["times"] == 1


def test_a_running_job_is_shown_to_be_alive(
    redis_client: redis.Redis, queue: RqQueue, runner: FakeRunner, running: RqWorker
) -> None:
    go_on = threading.Event()
    runner.body = lambda job_id: go_on.wait(30)
    enqueue(redis_client, queue)
    wait_until(lambda: running.running == [JOB])
    wait_until(lambda: status(redis_client) == JobStatus.STARTED)
    (execution,) = list(running.executions.values())
    assert redis_client.ttl(execution.key) <= 45
    redis_client.expire(execution.key, 5)
    running.send_heartbeats(longest_s=0)  # it has run for longer than it can
    assert redis_client.ttl(execution.key) <= 5
    running.send_heartbeats(longest_s=60)
    assert redis_client.ttl(execution.key) > 5
    go_on.set()
    wait_until(lambda: status(redis_client) == JobStatus.FINISHED)
    assert running.running == []


def test_an_idle_worker_stops_when_told(running: RqWorker, redis_client: redis.Redis) -> None:
    wait_until(lambda: running.get_state() == "idle")
    running.stop()
    wait_until(lambda: not rq.Worker.all(connection=redis_client))


def test_a_worker_that_stops_ends_its_job_first_and_takes_no_other(
    redis_client: redis.Redis, queue: RqQueue, runner: FakeRunner, running: RqWorker
) -> None:
    go_on = threading.Event()
    runner.body = lambda job_id: go_on.wait(30)
    enqueue(redis_client, queue, "first")
    enqueue(redis_client, queue, "second")
    wait_until(lambda: running.running == ["first"])
    running.stop()
    go_on.set()
    wait_until(lambda: not rq.Worker.all(connection=redis_client))
    assert status(redis_client, "first") == JobStatus.FINISHED
    assert queued(redis_client) == ["second"]


def test_a_job_whose_worker_was_killed_is_queued_again(
    redis_client: redis.Redis, queue: RqQueue, runner: FakeRunner, worker: RqWorker
) -> None:
    enqueue(redis_client, queue)
    job = begin(worker)
    worker.maintain()
    assert queued(redis_client) == []
    expire(redis_client, job.started_job_registry)
    worker.maintain()
    assert queued(redis_client) == [JOB]
    assert isinstance(runner.judged[0][1], Abandoned)
    assert rq_job(redis_client).meta["times"] == 1


def test_a_job_whose_worker_was_killed_goes_before_all_others(
    redis_client: redis.Redis, queue: RqQueue, runner: FakeRunner, worker: RqWorker
) -> None:
    runner.verdict = Verdict.RETRY_FIRST
    for job_id in ("first", "second"):
        enqueue(redis_client, queue, job_id)
    job = begin(worker)
    expire(redis_client, job.started_job_registry)
    worker.maintain()
    assert queued(redis_client) == ["first", "second"]
    assert take(worker).id == "first"
    # From then on it is as any other, if it is to be tried again behind them.
    runner.verdict = Verdict.RETRY
    worker.prepare_execution(job)
    worker.prepare_job_execution(job, remove_from_intermediate_queue=True)
    worker.executions.clear()
    expire(redis_client, job.started_job_registry)
    worker.maintain()
    assert take(worker).id == "second"
    assert take(worker).id == "first"


def test_a_job_that_is_taken_as_it_comes_leaves_nothing_of_its_turn(
    redis_client: redis.Redis, queue: RqQueue, running: RqWorker
) -> None:
    def is_finished(job_id: str) -> bool:
        return status(redis_client, job_id) == "finished"

    wait_until(lambda: running.get_state() == "idle")
    for number in range(3):
        enqueue(redis_client, queue, f"job{number}")
        wait_until(partial(is_finished, f"job{number}"))
    wait_until(lambda: not redis_client.keys("farm:turns*"))


def test_a_job_that_killed_its_workers_fails_if_the_verdict_is_so(
    redis_client: redis.Redis, queue: RqQueue, runner: FakeRunner, worker: RqWorker
) -> None:
    runner.verdict = Verdict.FAIL
    enqueue(redis_client, queue)
    job = begin(worker)
    expire(redis_client, job.started_job_registry)
    worker.maintain()
    assert queued(redis_client) == []
    assert status(redis_client) == JobStatus.FAILED


def test_a_job_whose_worker_was_killed_in_the_dequeue_is_queued_again_uncounted(
    redis_client: redis.Redis, queue: RqQueue, runner: FakeRunner, worker: RqWorker
) -> None:
    enqueue(redis_client, queue)
    take(worker)
    retries = rq_job(redis_client).retries_left
    worker.maintain()
    assert queued(redis_client) == []
    seen = f"rq:queue:{QUEUE_NAME}:intermediate:first_seen:{JOB}"
    assert 0 < redis_client.ttl(seen) <= 120
    redis_client.expire(seen, 120 - 31)
    worker.maintain()
    assert queued(redis_client) == [JOB]
    assert rq_job(redis_client).retries_left == retries
    assert runner.judged == []


def test_a_job_whose_worker_was_killed_between_dequeue_and_start_is_queued_again(
    redis_client: redis.Redis, queue: RqQueue, worker: RqWorker
) -> None:
    enqueue(redis_client, queue)
    job = take(worker)
    worker.prepare_execution(job)
    expire(redis_client, job.started_job_registry)
    worker.maintain()
    redis_client.expire(f"rq:queue:{QUEUE_NAME}:intermediate:first_seen:{JOB}", 120 - 31)
    worker.maintain()
    assert queued(redis_client) == [JOB]


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_jumps_abandons_no_running_job_and_hides_no_dead_one(
    redis_client: redis.Redis,
    queue: RqQueue,
    runner: FakeRunner,
    worker: RqWorker,
    monkeypatch: pytest.MonkeyPatch,
    hours: int,
) -> None:
    for job_id in ("alive", "dead"):
        enqueue(redis_client, queue, job_id)
        begin(worker)
    (dead,) = [each for each in worker.executions.values() if each.job_id == "dead"]
    redis_client.delete(dead.key)

    jumped = datetime.now(UTC) + timedelta(hours=hours)
    monkeypatch.setattr("rq.utils.now", lambda: jumped)
    monkeypatch.setattr("farm.jobs.rq_worker.time.time", jumped.timestamp)
    worker.maintain()
    assert queued(redis_client) == ["dead"]
    assert status(redis_client, "alive") == JobStatus.STARTED
    assert [job_id for job_id, _ in runner.judged] == ["dead"]


def test_an_idle_worker_stops_when_told_though_the_clock_goes_back(
    redis_client: redis.Redis, worker: RqWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RQ would look for jobs until the clock has caught up."""
    readings = itertools.count()
    start = datetime.now(UTC)
    monkeypatch.setattr("rq.worker.base.now", lambda: start - timedelta(hours=next(readings)))
    thread = threading.Thread(target=worker.run, daemon=True)
    thread.start()
    wait_until(lambda: worker.get_state() == "idle")
    worker.stop()
    thread.join(10)
    assert not thread.is_alive()
    assert not rq.Worker.all(connection=redis_client)


def test_a_running_job_whose_sign_of_life_has_expired_is_shown_whole_again(
    redis_client: redis.Redis, queue: RqQueue, runner: FakeRunner, running: RqWorker
) -> None:
    """As when the clock of Redis jumps; RQ cannot read what its own heartbeat leaves then."""
    go_on = threading.Event()
    runner.body = lambda job_id: go_on.wait(30)
    enqueue(redis_client, queue)
    wait_until(lambda: status(redis_client) == JobStatus.STARTED)
    (execution,) = list(running.executions.values())
    redis_client.delete(execution.key)
    running.send_heartbeats(longest_s=60)
    assert Execution.fetch(execution.id, JOB, redis_client).worker_name == "a-worker"
    running.maintain()
    assert queued(redis_client) == []
    go_on.set()
    wait_until(lambda: status(redis_client) == JobStatus.FINISHED)


def test_a_worker_killed_in_maintenance_does_not_keep_others_from_it_for_long(
    redis_client: redis.Redis, worker: RqWorker
) -> None:
    (queue,) = worker.queues
    assert queue.acquire_maintenance_lock()
    assert not queue.acquire_maintenance_lock()
    assert 0 < redis_client.ttl(queue.registry_cleaning_key) <= 30


def test_a_waiting_job_can_be_removed_and_leaves_nothing_lasting(
    redis_client: redis.Redis, queue: RqQueue
) -> None:
    enqueue(redis_client, queue)
    assert queue.remove(JOB)
    assert queued(redis_client) == []
    assert 0 < redis_client.ttl(f"rq:job:{JOB}") <= TTL_S
    assert not queue.remove(JOB)


def test_a_running_job_can_be_stopped(
    redis_client: redis.Redis, queue: RqQueue, runner: FakeRunner, running: RqWorker
) -> None:
    go_on = threading.Event()

    def work(job_id: str) -> None:
        go_on.wait(30)
        raise ValueError("cancelled")

    runner.body = work
    enqueue(redis_client, queue)
    wait_until(lambda: status(redis_client) == JobStatus.STARTED)
    assert not queue.remove(JOB)
    queue.stop(JOB)
    wait_until(lambda: runner.cancelled == [JOB])
    go_on.set()
    wait_until(lambda: status(redis_client) == JobStatus.STOPPED)
    assert queued(redis_client) == []


def test_stopping_a_job_that_nobody_runs_does_nothing(
    redis_client: redis.Redis, queue: RqQueue
) -> None:
    queue.stop(JOB)
    enqueue(redis_client, queue)
    queue.stop(JOB)
    assert status(redis_client) == JobStatus.QUEUED


def test_a_worker_hears_commands_again_after_its_connection_was_cut(
    redis_client: redis.Redis,
    queue: RqQueue,
    runner: FakeRunner,
    running: RqWorker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """RQ would end the thread that listens for commands."""
    monkeypatch.setattr(rq_worker, "_RECONNECT_S", 0)
    go_on = threading.Event()
    runner.body = lambda job_id: go_on.wait(30)
    enqueue(redis_client, queue)
    wait_until(lambda: status(redis_client) == JobStatus.STARTED)
    rq_worker.RqWorker._pubsub_exception_handler(running, redis.TimeoutError("lost"))
    redis_client.client_kill_filter(_type="pubsub")
    channel = running.pubsub_channel_name
    wait_until(lambda: redis_client.pubsub_numsub(channel)[0][1] == 1)
    queue.stop(JOB)
    wait_until(lambda: runner.cancelled == [JOB])
    go_on.set()


def test_no_job_is_taken_while_the_worker_is_not_ready(
    redis_client: redis.Redis, queue: RqQueue, running: RqWorker
) -> None:
    ready = threading.Event()
    looks: list[int] = []

    def is_ready() -> bool:
        looks.append(1)
        return ready.is_set()

    running._is_ready = is_ready
    wait_until(lambda: looks)
    enqueue(redis_client, queue)
    wait_until(lambda: len(looks) > 2)
    assert queued(redis_client) == [JOB]
    ready.set()
    wait_until(lambda: status(redis_client) == JobStatus.FINISHED)


def test_a_worker_that_stood_still_does_not_judge_a_job_that_is_anothers_by_now(
    redis_client: redis.Redis, queue: RqQueue, runner: FakeRunner, running: RqWorker
) -> None:
    runner.verdict = Verdict.FAIL
    runs: list[str] = []

    def time_out_once(job_id: str) -> None:
        runs.append(job_id)
        if len(runs) == 1:
            for execution in list(running.executions.values()):
                redis_client.delete(execution.key)  # it has expired meanwhile
            raise RenderTimeout

    runner.body = time_out_once
    enqueue(redis_client, queue)
    wait_until(lambda: status(redis_client) == JobStatus.FINISHED)
    assert runner.judged == []
    assert len(runs) == 2


def test_a_verdict_that_cannot_be_had_holds_up_no_other_job(
    redis_client: redis.Redis, queue: RqQueue, runner: FakeRunner, worker: RqWorker
) -> None:
    def raise_for_the_first(job_id: str, meta: dict[str, Any], error: BaseException) -> Verdict:
        if job_id == "first":
            raise OSError("the storage is gone")
        return Verdict.RETRY

    worker._judge = raise_for_the_first
    for job_id in ("first", "second"):
        enqueue(redis_client, queue, job_id)
        job = begin(worker)
    expire(redis_client, job.started_job_registry)
    worker.maintain()
    assert sorted(queued(redis_client)) == ["first", "second"]


def test_an_execution_is_short_lived_whatever_the_job_may_take(worker: RqWorker) -> None:
    job = Job.create("operator.add", connection=worker.connection, serializer=JSONSerializer)
    assert worker.get_heartbeat_ttl(job) == 45
