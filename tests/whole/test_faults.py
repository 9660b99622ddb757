"""Disks and Redis that fail: typed errors, nothing lost, and no restart."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from tests.support.disk import fill, set_writable, small_disk
from tests.support.farm_process import Farm, running_farm, running_worker, wait_until
from tests.support.images import LIME, is_filled
from tests.support.site import SITES, Site
from tests.support.slow_proxy import slow_proxy

pytestmark = pytest.mark.dedicated

GREEN = {"html": "<body style='background:lime'>"}


def renders_at_once(farm: Farm) -> bool:
    response = farm.post("/render", GREEN, headers={"Accept": "image/png"})
    return response.status_code == 200 and is_filled(response.content, LIME)


def code(response: requests.Response) -> str:
    return str(response.json()["code"]) if response.status_code >= 400 else "ok"


def state(farm: Farm, job_id: str) -> str:
    return str(requests.get(f"{farm.url}/render-async/{job_id}", timeout=10).json()["status"])


def test_a_disk_that_takes_nothing_refuses_jobs_and_loses_none(log_path: Path, site: Site) -> None:
    with small_disk() as disk:
        if disk is None:
            pytest.skip("this user may not make a file system")
        settings = {"storage_url": disk.as_uri(), "egress_allow": SITES}
        with running_farm(log_path, workers=1, **settings) as farm:
            accepted = farm.post("/render-async", {"url": site.url + "/slow"}).json()["jobId"]
            wait_until(lambda: site.requests)
            filler = fill(disk)
            site.hold.set()
            wait_until(lambda: farm.log_lines("job is tried again"))
            assert code(farm.post("/render-async", GREEN)) == "storage_unavailable"
            assert renders_at_once(farm)
            set_writable(disk, False)
            assert code(farm.post("/render-async", GREEN)) == "storage_unavailable"
            assert state(farm, accepted) == "processing"
            early = requests.get(f"{farm.url}/download/{accepted}", timeout=10)
            assert code(early) == "not_ready"
            set_writable(disk, True)
            filler.unlink()
            wait_until(lambda: state(farm, accepted) == "completed")
            file = requests.get(f"{farm.url}/download/{accepted}", timeout=10)
            assert file.content.startswith(b"\x89PNG")
            assert code(farm.post("/render-async", GREEN)) == "ok"


def state_or_none(farm: Farm, job_id: str) -> str | None:
    """None while nobody can say."""
    response = requests.get(f"{farm.url}/render-async/{job_id}", timeout=10)
    status: str | None = response.json().get("status")
    return status


def test_a_redis_that_is_slow_or_gone_is_told_in_time_and_used_again_when_it_is_back(
    log_path: Path, valkey: str
) -> None:
    with slow_proxy(valkey.removeprefix("unix://")) as proxy, ExitStack() as stack:
        url = f"redis://127.0.0.1:{proxy.port}"
        storage = (log_path.parent / "storage").as_uri()
        settings = {"redis_url": url, "storage_url": storage, "spare_contexts": 0}
        worker_log = log_path.parent / "worker.log"
        stack.enter_context(running_worker(worker_log, job_concurrency=1, **settings))
        farm = stack.enter_context(running_farm(log_path, workers=1, **settings))
        accepted = farm.post("/render-async", GREEN).json()["jobId"]
        wait_until(lambda: state(farm, accepted) == "completed")

        faults: list[tuple[Callable[[], None], set[str]]] = [
            (lambda: setattr(proxy, "delay_s", 0.3), {"ok", "queue_unavailable"}),
            (lambda: setattr(proxy, "delay_s", 3.0), {"queue_unavailable"}),
            (proxy.leave, {"queue_unavailable"}),
        ]
        for fault, allowed in faults:
            fault()
            assert answers(farm, accepted) <= allowed
            assert requests.get(farm.url + "/health", timeout=5).status_code == 200
            assert requests.get(farm.url + "/status", timeout=5).status_code == 200
            assert renders_at_once(farm)

        proxy.delay_s = 0.0
        proxy.come_back()
        wait_until(lambda: answers(farm, accepted) == {"ok"})
        again = farm.post("/render-async", GREEN).json()["jobId"]
        wait_until(lambda: state_or_none(farm, again) == "completed")


def answers(farm: Farm, job_id: str) -> set[str]:
    """The codes of a submission, a poll and a download, each within five seconds."""
    poll = requests.get(f"{farm.url}/render-async/{job_id}", timeout=5)
    download = requests.get(f"{farm.url}/download/{job_id}", timeout=5)
    return {
        code(farm.post("/render-async", GREEN, timeout=5)),
        code(poll),
        "ok" if download.ok else code(download),
    }
