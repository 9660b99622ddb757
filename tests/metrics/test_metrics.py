"""What operators see: figures that are right across processes, whichever of them live or die."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import falcon.testing
import psutil
import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from farm.errors import Busy, UrlRefused
from farm.formats import FORMATS
from farm.job import QueueFigures
from farm.jobs import broker
from farm.jobs.queue import RedisJobQueue
from farm.metrics import figures
from farm.policy import DENIED, Refusal
from farm.render import Engine
from farm.renderer import RenderCancelled
from farm.request import CacheUse, RenderRequest, RenderResult, Timings
from farm.settings import Settings
from farm.storage import ObjectStorage
from farm.web import create_app
from tests.conftest import request_for
from tests.support.farm_process import Farm, free_port, running_farm, running_worker, wait_until

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scraped(url: str) -> Samples:
    return samples(requests.get(url + "/metrics", timeout=10).text)


def value(of: Samples, name: str, **labels: str) -> float:
    return of.get((name, frozenset(labels.items())), 0)


def own(name: str, **labels: str) -> float:
    """This process's figure."""
    return figures.REGISTRY.get_sample_value(name, labels) or 0


def result(timings: Timings, refusals: int = 0, cache: CacheUse | None = None) -> RenderResult:
    refused = (Refusal("a.example", DENIED),) * refusals
    return RenderResult(b"", FORMATS["png"], 1, 1, timings, refused, cache=cache)


@pytest.mark.parametrize(
    ("outcome", "is_render"), [("miss", True), ("off", True), ("hit", False), ("joined", False)]
)
def test_what_was_found_or_joined_is_no_render_of_its_own(outcome: Any, is_render: bool) -> None:
    labels = {"route": "render", "format": "pdf", "outcome": "completed", "code": ""}
    renders, asked = (
        own("farm_renders_total", **labels),
        own("farm_cache_requests_total", outcome=outcome),
    )
    with figures.render("render") as counted:
        counted.format = "pdf"
        counted.completed(result(Timings(), cache=CacheUse(outcome, "tag")))
    assert own("farm_renders_total", **labels) == renders + is_render
    assert own("farm_cache_requests_total", outcome=outcome) == asked + 1


def test_a_completed_render_is_counted_and_its_steps_timed() -> None:
    labels = {"route": "render", "format": "webp", "outcome": "completed", "code": ""}
    before = own("farm_renders_total", **labels)
    waited = own("farm_render_step_seconds_sum", step="waiting")
    with figures.render("render") as counted:
        counted.format = "webp"
        counted.completed(result(Timings(2000, 1, 1, 1)))
    assert own("farm_renders_total", **labels) == before + 1
    assert own("farm_render_step_seconds_sum", step="waiting") == pytest.approx(waited + 2)


@pytest.mark.parametrize(("error", "code"), [(Busy(), "busy"), (ValueError(), "internal_error")])
def test_a_failed_render_is_counted_by_its_code(error: Exception, code: str) -> None:
    labels = {"route": "render", "format": "", "outcome": "failed", "code": code}
    before = own("farm_renders_total", **labels)
    with pytest.raises(type(error)), figures.render("render"):
        raise error
    assert own("farm_renders_total", **labels) == before + 1


def test_a_cancelled_render_is_no_failure() -> None:
    labels = {"route": "job", "format": "", "outcome": "cancelled", "code": ""}
    before = own("farm_renders_total", **labels)
    with pytest.raises(RenderCancelled), figures.render("job"):
        raise RenderCancelled
    assert own("farm_renders_total", **labels) == before + 1


def test_refusals_are_counted_of_pages_that_arrived_and_that_did_not() -> None:
    before = own("farm_egress_refusals_total")
    with figures.render("render") as counted:
        counted.completed(result(Timings(1, 1, 1, 1), refusals=3))
    with pytest.raises(UrlRefused), figures.render("render-url"):
        raise UrlRefused()
    assert own("farm_egress_refusals_total") == before + 4


def test_an_engines_counts_are_added_once(engine: Engine) -> None:
    watch = figures.EngineWatch(lambda: engine.status)
    watch.look()
    before = own("farm_browser_recycles_total")
    watch.look()
    assert own("farm_browser_recycles_total") == before
    assert own("farm_pages") == engine.status.pages


def test_the_queue_tells_what_waits(jobs: RedisJobQueue, engine: Engine) -> None:
    assert jobs.figures() == QueueFigures("renders", 0, 0.0, None)
    request: RenderRequest = request_for(engine, "<p>x")
    for _ in range(2):
        jobs.submit(request, "id")
    first = jobs.figures()
    assert first.waiting == 2
    wait_until(lambda: jobs.figures().oldest_s > first.oldest_s)


COUNT = """
from farm.metrics import figures
figures.job("completed")
figures.PAGES.set(4)
"""
SHOW = """
from types import SimpleNamespace
from farm.job import QueueFigures
from farm.metrics import exposition
queue = SimpleNamespace(figures=lambda: QueueFigures("renders", 0, 0.0, None))
print(exposition.text(queue).decode())
"""


def python(script: str, folder: Path) -> str:
    env = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    command = [sys.executable, "-c", script]
    return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout


@pytest.mark.dedicated
def test_what_dead_processes_counted_stays_and_their_files_go(tmp_path: Path) -> None:
    for _ in range(3):
        python(COUNT, tmp_path)
    (tmp_path / "counter_4194303.db").touch()  # of one that died as it began
    (tmp_path / f"histogram_{os.getpid()}.db").touch()  # of one that begins
    for _ in range(2):
        shown = samples(python(SHOW, tmp_path))
        assert value(shown, "farm_jobs_total", outcome="completed") == 3
        assert value(shown, "farm_pages") == 0, "a state that nobody has any more"
    dead = [file for file in tmp_path.glob("*.db") if not file.stem.endswith("_0")]
    assert len(dead) <= 4, "those of the last who looked, and of who begins"


def test_figures_that_cannot_be_kept_break_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for metric in (figures.RENDERS, figures.REQUESTS, figures.JOBS, figures.STEP_SECONDS):
        monkeypatch.setattr(metric, "labels", fails)
    with figures.render("render") as counted:
        counted.completed(result(Timings(1, 1, 1, 1)))
    figures.request("/render", "POST", "200", 0.1)
    figures.job("completed")


def test_folders_of_killed_processes_are_removed(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as dead:
        pass
    left = tmp_path / f"render-farm-metrics-{dead.pid}-x"
    alive = tmp_path / f"render-farm-metrics-{os.getpid()}-x"
    for folder in (left, alive):
        folder.mkdir()
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    script = "from farm.metrics import folder; folder.share()"
    subprocess.run([sys.executable, "-c", script], env=env, check=True)
    assert list(tmp_path.iterdir()) == [alive], "not even its own is left"


def test_a_farms_figures_are_those_of_all_its_processes(log_path: Path) -> None:
    with running_farm(log_path, workers=2, spare_contexts=0, max_waiting=5) as farm:
        pages = 2 * 32 + 4

        def all_look() -> bool:
            return value(scraped(farm.url), "farm_pages") == pages

        wait_until(all_look)
        renders = {"route": "render", "format": "png", "outcome": "completed", "code": ""}
        for _ in range(12):
            assert farm.render("<p>x").status_code == 200
        farm.render("<p>x", width="wide")
        _complete_a_job(farm)
        seen = scraped(farm.url)
        assert value(seen, "farm_renders_total", **renders) == 12
        assert value(seen, "farm_renders_total", **renders | {"route": "job"}) == 1
        failed = renders | {"format": "", "outcome": "failed", "code": "invalid_request"}
        assert value(seen, "farm_renders_total", **failed) == 1
        assert value(seen, "farm_jobs_total", outcome="completed") == 1
        assert value(seen, "farm_render_seconds_count", route="render") == 13
        path = {"route": "/render-async/{job_id}", "method": "GET", "status": "200"}
        assert value(seen, "farm_http_requests_total", **path) >= 1

        victim = farm.workers()[0]
        victim.kill()
        wait_until(lambda: victim.pid not in [worker.pid for worker in farm.workers()])
        wait_until(all_look)
        assert value(scraped(farm.url), "farm_renders_total", **renders) == 12
        browser = farm.chromiums()[0]
        browser.kill()
        wait_until(
            lambda: value(scraped(farm.url), "farm_browser_restarts_total", cause="died") == 1
        )
        folder = _folder(farm.gunicorn())
        assert folder.is_dir()
    assert not folder.exists()


def _complete_a_job(farm: Farm) -> None:
    location = farm.post("/render-async", {"html": "<p>x"}).headers["Location"]
    wait_until(lambda: requests.get(farm.url + location).json()["status"] == "completed")


def _folder(process: psutil.Process) -> Path:
    return Path(process.environ()["PROMETHEUS_MULTIPROC_DIR"])


def test_a_worker_alone_answers_too(log_path: Path, valkey: str, tmp_path: Path) -> None:
    port = free_port()
    settings = {"redis_url": valkey, "storage_url": tmp_path.as_uri(), "metrics_port": port}
    with running_worker(log_path, **settings):

        def is_up() -> bool:
            try:
                return value(scraped(f"http://127.0.0.1:{port}"), "farm_browsers_up") == 1
            except requests.ConnectionError:
                return False

        wait_until(is_up)


def test_without_redis_the_rest_is_told(
    engine: Engine, storage: ObjectStorage, tmp_path: Path
) -> None:
    jobs = RedisJobQueue(broker.connect(f"unix://{tmp_path}/nobody"), storage, Settings())
    client = falcon.testing.TestClient(create_app(engine, jobs, storage, Settings()))
    shown = samples(client.simulate_get("/metrics").text)
    assert shown["farm_queue_up", frozenset()] == 0
    assert ("farm_pages", frozenset()) in shown


def test_a_callers_inventions_are_no_labels(client: falcon.testing.TestClient) -> None:
    client.simulate_request("PATCH", "/invented?invented=1", headers={"X-Request-Id": "invented"})
    client.simulate_get(f"/render-async/{'invented' * 3}")
    client.simulate_post("/render", json={"html": "x", "options": {"format": "invented"}})
    text = client.simulate_get("/metrics").text
    assert 'route="unknown"' in text
    assert "invented" not in text
