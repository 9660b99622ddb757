"""Stopping, reloading, and starting twice: nothing that was accepted is dropped."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest
import requests

from tests.support.farm_process import (
    Farm,
    environment,
    free_port,
    gone,
    running_farm,
    wait_until,
)
from tests.support.images import LIME, is_filled
from tests.support.site import SITES, Site

pytestmark = pytest.mark.dedicated

GREEN = {"html": "<body style='background:lime'>"}
ACCEPT_PNG = {"Accept": "image/png"}


class Load:
    """Clients in a loop until the farm refuses connections; half of them keep theirs open."""

    def __init__(self, farm: Farm) -> None:
        self._url = farm.url + "/render"
        self._stop = threading.Event()
        #: `ok`, `refused` (never accepted), or what went wrong.
        self.answers: Counter[str] = Counter()

    @contextmanager
    def running(self, clients: int) -> Iterator[None]:
        threads = [
            threading.Thread(target=self._client, args=(number % 2 == 0,))
            for number in range(clients)
        ]
        for thread in threads:
            thread.start()
        try:
            wait_until(lambda: self.answers["ok"] >= 2 * clients)
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(60)

    def _client(self, keeps: bool) -> None:
        with requests.Session() as session:
            while not self._stop.is_set() and not self.answers["refused"]:
                send = session.post if keeps else requests.post
                try:
                    response = send(self._url, json=GREEN, headers=ACCEPT_PNG, timeout=60)
                except requests.ConnectionError as exc:
                    refused = "Connection refused" in str(exc)
                    self.answers["refused" if refused else repr(exc)] += 1
                    continue
                right = response.status_code == 200 and is_filled(response.content, LIME)
                self.answers["ok" if right else response.text[:200]] += 1


def reload(farm: Farm) -> None:
    """Have every gunicorn worker replaced, and wait until the old ones are gone."""
    before = farm.workers()
    farm.process.send_signal(signal.SIGHUP)
    wait_until(lambda: gone(before), 60)
    wait_until(lambda: len(farm.workers()) == len(before))


def test_a_reload_under_load_fails_no_request(farm: Farm) -> None:
    load = Load(farm)
    with load.running(8):
        for _ in range(2):
            reload(farm)
    assert set(load.answers) == {"ok"}, load.answers


def drivers_of(worker: psutil.Process, farm: Farm) -> list[psutil.Process]:
    return [driver for driver in farm.drivers() if driver.ppid() == worker.pid]


def test_a_worker_that_is_to_stop_before_it_serves_answers_what_waits_for_it(
    log_path: Path, without_jobs: dict[str, object]
) -> None:
    """As at a reload soon after another: it accepts the connections that were made meanwhile."""
    with (
        running_farm(log_path, workers=1, **without_jobs) as farm,
        ThreadPoolExecutor(4) as pool,
    ):
        main = farm.gunicorn()
        (old,) = main.children()
        main.send_signal(signal.SIGHUP)
        wait_until(lambda: len(main.children()) == 2 or gone([old]))
        (starting,) = [worker for worker in main.children() if worker != old]
        wait_until(lambda: drivers_of(starting, farm))
        (driver, *_) = drivers_of(starting, farm)
        driver.suspend()  # so that the worker still waits for its browser
        wait_until(lambda: gone([old]))
        answers = [pool.submit(farm.post, "/render", GREEN) for _ in range(4)]
        main.send_signal(signal.SIGHUP)
        wait_until(lambda: len(main.children()) == 2)
        driver.resume()
        assert [answer.result().status_code for answer in answers] == [200] * 4
        wait_until(lambda: gone([starting]), 60)
        assert not farm.log_lines("Exception in worker process")


def test_an_upgrade_in_place_under_load_fails_no_request(
    log_path: Path, without_jobs: dict[str, object]
) -> None:
    with running_farm(log_path, workers=1, **without_jobs) as farm, ExitStack() as stack:
        load = Load(farm)
        with load.running(4):
            farm.process.send_signal(signal.SIGUSR2)
            wait_until(lambda: len(farm.log_lines("browser up")) == 2, 60)
            (new,) = [p for p in farm.gunicorn().children() if "gunicorn" in p.cmdline()[1]]
            stack.callback(new.terminate)
            farm.process.send_signal(signal.SIGTERM)
            assert farm.process.wait(60) == 0
            before = load.answers["ok"]
            wait_until(lambda: load.answers["ok"] >= before + 8)
        assert set(load.answers) == {"ok"}, load.answers
    wait_until(lambda: gone([new]))


def test_sigterm_under_load_answers_all_that_was_accepted_and_refuses_the_rest(
    log_path: Path,
) -> None:
    with running_farm(log_path) as farm:
        load = Load(farm)
        with load.running(8):
            tree = farm.tree()
            farm.process.send_signal(signal.SIGTERM)
            assert farm.process.wait(60) == 0
        assert set(load.answers) <= {"ok", "refused"}, load.answers
        wait_until(lambda: gone(tree))


def test_a_farm_that_stops_refuses_new_connections_while_it_ends_what_it_has(
    log_path: Path, site: Site, without_jobs: dict[str, object]
) -> None:
    with (
        running_farm(log_path, workers=1, egress_allow=SITES, **without_jobs) as farm,
        ThreadPoolExecutor(1) as pool,
    ):
        held = pool.submit(farm.post, "/render-url", {"url": site.url + "/slow"})
        wait_until(lambda: site.requests)
        farm.process.send_signal(signal.SIGTERM)
        wait_until(lambda: is_refused(farm.port))
        assert not held.done()
        site.hold.set()
        assert held.result().status_code == 200


def is_refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return True
    return False


def statuses(farm: Farm, keys: str) -> list[int]:
    """What `/status` answers to each of the keys."""
    headers = [{"Authorization": f"Bearer {key}"} for key in keys.split()]
    return [requests.get(farm.url + "/status", headers=h, timeout=10).status_code for h in headers]


def test_a_reload_reads_the_keys_anew_and_keeps_the_old_ones_if_it_cannot(
    log_path: Path, tmp_path: Path, without_jobs: dict[str, object]
) -> None:
    path = tmp_path / "keys"
    old, new = "old-0123456789abcdef", "new-0123456789abcdef"
    path.write_text(f"somebody:{old}\n")
    with running_farm(log_path, workers=1, api_keys_path=path, **without_jobs) as farm:
        assert statuses(farm, f"{old} {new}") == [200, 401]
        path.write_text(f"somebody:{new}\n")
        reload(farm)
        assert statuses(farm, f"{old} {new}") == [401, 200]
        path.write_text("no pair\n")
        reload(farm)
        assert statuses(farm, f"{old} {new}") == [401, 200]
        (line,) = farm.log_lines("reload goes on with the old settings")
        assert "FARM_API_KEYS_PATH" in line["cause"]


def start_another(**settings: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "farm.cli", "serve"],
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_second_farm_on_the_same_port_or_directory_says_so_and_stops(
    farm: Farm, tmp_path: Path
) -> None:
    second = start_another(port=farm.port, data_dir=tmp_path / "other")
    assert second.returncode == 1
    assert f"FARM_PORT: another program listens on 127.0.0.1:{farm.port}" in second.stderr
    assert not (tmp_path / "other").exists()
    taken = farm.log_path.parent / "data"
    second = start_another(port=free_port(), data_dir=taken)
    assert second.returncode == 1
    assert f"Another farm uses the directory {taken}" in second.stderr
    assert farm.post("/render", GREEN).status_code == 200


def test_a_worker_that_leaves_is_replaced_and_the_farm_goes_on(
    log_path: Path, without_jobs: dict[str, object]
) -> None:
    """As one does whose engine is stuck: it tells itself to stop."""
    with running_farm(log_path, workers=1, **without_jobs) as farm:
        (leaver,) = farm.workers()
        os.kill(leaver.pid, signal.SIGTERM)
        wait_until(lambda: gone([leaver]))
        assert farm.post("/render", GREEN).status_code == 200, "it waits for the next one"
