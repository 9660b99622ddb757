"""Disks and Redis that fail: typed errors, nothing lost, and no restart."""

from collections.abc import Callable
from pathlib import Path

import pytest
import redis
import requests

from tests.disk import fill, set_writable, small_disk
from tests.farm_process import Farm, running_farm, wait_until
from tests.images import LIME, is_filled
from tests.site import SITES, Site

pytestmark = pytest.mark.farm

GREEN = {"html": "<body style='background:lime'>"}


def renders_at_once(farm: Farm) -> bool:
    response = farm.post("/render", GREEN, headers={"Accept": "image/png"})
    return response.status_code == 200 and is_filled(response.content, LIME)


def code(response: requests.Response) -> str:
    return str(response.json()["code"]) if response.status_code >= 400 else "ok"


def state(farm: Farm, job_id: str) -> str:
    return str(requests.get(f"{farm.url}/render-async/{job_id}", timeout=10).json()["status"])


def filled(disk: Path) -> Callable[[], None]:
    """Break the disk; what mends it."""
    filler = fill(disk)
    return filler.unlink


def read_only(disk: Path) -> Callable[[], None]:
    set_writable(disk, False)
    return lambda: set_writable(disk, True)


@pytest.mark.parametrize("break_disk", [filled, read_only])
def test_a_disk_that_takes_nothing_refuses_jobs_and_loses_none(
    log_path: Path, site: Site, break_disk: Callable[[Path], Callable[[], None]]
) -> None:
    with small_disk() as disk:
        if disk is None:
            pytest.skip("this user may not make a file system")
        settings = {"storage_url": disk.as_uri(), "egress_allow": SITES}
        with running_farm(log_path, workers=1, **settings) as farm:
            accepted = farm.post("/render-async", {"url": site.url + "/slow"}).json()["jobId"]
            wait_until(lambda: site.requests)
            mend = break_disk(disk)
            site.hold.set()
            wait_until(lambda: farm.log_lines("job is tried again"))
            assert code(farm.post("/render-async", GREEN)) == "storage_unavailable"
            assert renders_at_once(farm)
            assert state(farm, accepted) == "processing"
            early = requests.get(f"{farm.url}/download/{accepted}", timeout=10)
            assert code(early) == "not_ready"
            mend()
            wait_until(lambda: state(farm, accepted) == "completed")
            file = requests.get(f"{farm.url}/download/{accepted}", timeout=10)
            assert file.content.startswith(b"\x89PNG")
            assert code(farm.post("/render-async", GREEN)) == "ok"


def test_a_redis_that_stands_still_refuses_jobs_and_renders_go_on(log_path: Path) -> None:
    with running_farm(log_path, workers=1) as farm:
        socket = log_path.parent / "data" / "valkey" / "valkey.sock"
        with redis.Redis(unix_socket_path=str(socket)) as client:
            job_id = farm.post("/render-async", GREEN).json()["jobId"]
            wait_until(lambda: state(farm, job_id) == "completed")
            client.client_pause(60_000, all=True)
            assert code(farm.post("/render-async", GREEN)) == "queue_unavailable"
            polled = requests.get(f"{farm.url}/render-async/{job_id}", timeout=10)
            assert code(polled) == "queue_unavailable"
            assert requests.get(farm.url + "/health", timeout=10).status_code == 200
            assert requests.get(farm.url + "/status", timeout=10).status_code == 200
            assert renders_at_once(farm)
            client.client_unpause()
            wait_until(lambda: state_or_none(farm, job_id) == "completed")
            again = farm.post("/render-async", GREEN).json()["jobId"]
            wait_until(lambda: state(farm, again) == "completed")


def state_or_none(farm: Farm, job_id: str) -> str | None:
    """None while nobody can say."""
    response = requests.get(f"{farm.url}/render-async/{job_id}", timeout=10)
    return response.json().get("status")
