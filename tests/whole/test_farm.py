"""The whole farm, as it is run: gunicorn, two workers, their Chromiums; and what dies in it."""

import http.client
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from urllib3 import encode_multipart_formdata

from tests.support.farm_process import (
    Farm,
    command_line,
    free_port,
    gone,
    is_browser,
    running_farm,
    wait_until,
)
from tests.support.images import LIME, is_filled
from tests.support.site import SITES, Site

GREEN = "<body style='background:lime'>"
ACCEPT_PNG = {"Accept": "image/png"}


def green(farm: Farm) -> bool:
    response = farm.post("/render", {"html": GREEN}, headers=ACCEPT_PNG)
    return response.status_code == 200 and is_filled(response.content, LIME)


class Load:
    """Clients in a loop; every answer is counted by status and code, every image looked at."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        self._stop = threading.Event()
        #: `ok`, `wrong`, the code of an error, or the name of what broke the connection.
        self.answers: Counter[str] = Counter()

    def _client(self) -> None:
        while not self._stop.is_set():
            self.answers[self._once()] += 1

    def _once(self) -> str:
        try:
            response = self._farm.post("/render", {"html": GREEN}, headers=ACCEPT_PNG)
        except requests.RequestException as exc:
            return type(exc).__name__
        if response.status_code == 200:
            return "ok" if is_filled(response.content, LIME) else "wrong"
        error = response.json()
        if response.status_code == 503 and int(response.headers["Retry-After"]) < 1:
            return "503 without Retry-After"
        return str(error["code"])

    @contextmanager
    def running(self, clients: int) -> Iterator[None]:
        threads = [threading.Thread(target=self._client) for _ in range(clients)]
        for thread in threads:
            thread.start()
        try:
            wait_until(lambda: self.answers["ok"] >= clients)
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(60)

    def more_ok(self, count: int) -> None:
        before = self.answers["ok"]
        wait_until(lambda: self.answers["ok"] >= before + count, 60)


def slow_sender(farm: Farm) -> socket.socket:
    """A connection whose headers promise a body that does not come."""
    sock = socket.create_connection(("127.0.0.1", farm.port))
    sock.sendall(
        b"POST /render HTTP/1.1\r\nHost: farm\r\nContent-Type: application/json\r\n"
        b'Content-Length: 1000\r\n\r\n{"html": "'
    )
    return sock


def answer_on(sock: socket.socket) -> tuple[int, dict[str, Any]]:
    """The status and the JSON of the answer that comes next."""
    sock.settimeout(30)
    response = http.client.HTTPResponse(sock)
    response.begin()
    return response.status, json.loads(response.read())


def test_the_welcome_shows_a_curl_that_works(farm: Farm, tmp_path: Path) -> None:
    wait_until(lambda: "curl" in farm.log_path.read_text())
    lines = farm.log_path.read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("  curl")]
    subprocess.run(shlex.split(line), cwd=tmp_path, check=True)
    assert (tmp_path / "hello.png").read_bytes().startswith(b"\x89PNG")


def test_every_worker_renders(farm: Farm) -> None:
    with Load(farm).running(8):
        pass
    assert len(farm.chromiums()) == 2


def test_a_render_is_one_line_in_the_log_without_what_was_rendered(farm: Farm, site: Site) -> None:
    headers = {"X-Request-Id": "log-test"}
    url = site.url + "/?token=hidden"
    farm.post("/render-url", {"url": url}, headers=headers)
    wait_until(lambda: any(e["request_id"] == "log-test" for e in farm.log_lines("render")))
    (entry,) = [e for e in farm.log_lines("render") if e["request_id"] == "log-test"]
    assert entry["outcome"] == "ok"
    assert entry["route"] == "/render-url"
    assert {"waiting_ms", "loading_ms", "settling_ms", "capturing_ms", "bytes"} <= set(entry)
    headers = {"X-Request-Id": "failed-log-test"}
    farm.post("/render-url", {"url": "http://127.0.0.1:1025/?token=hidden"}, headers=headers)
    wait_until(lambda: any(e["request_id"] == "failed-log-test" for e in farm.log_lines("render")))
    (failed,) = [e for e in farm.log_lines("render") if e["request_id"] == "failed-log-test"]
    assert failed["code"] == "navigation_failed"
    assert "net::ERR_" in failed["cause"]
    assert "hidden" not in farm.log_path.read_text()


def test_a_killed_worker_loses_only_its_own_connections(farm: Farm) -> None:
    load = Load(farm)
    with load.running(8):
        victim = farm.workers()[0]
        below: list[psutil.Process] = []

        def renders() -> bool:
            below[:] = victim.children(recursive=True)
            return any("--type=renderer" in command_line(process) for process in below)

        wait_until(renders)
        victim.kill()
        wait_until(lambda: gone(below))
        load.more_ok(16)
    assert set(load.answers) <= {"ok", "ConnectionError"}, load.answers
    assert load.answers["ConnectionError"] <= 8
    wait_until(lambda: len(farm.chromiums()) == 2)


def test_more_than_fits_is_refused_and_all_that_is_accepted_is_right(
    log_path: Path, site: Site, without_jobs: dict[str, object]
) -> None:
    settings = without_jobs | {"pages_per_browser": 2, "max_waiting": 2, "egress_allow": SITES}
    with running_farm(log_path, workers=1, **settings) as farm:
        with ThreadPoolExecutor(16) as pool:
            held = [
                pool.submit(farm.post, "/render-url", {"url": site.url + f"/slow?{n}"})
                for n in range(12)
            ]
            wait_until(lambda: sum(future.done() for future in held) == 8)
            health = requests.get(farm.url + "/health", timeout=10)
            assert health.status_code == 200
            site.hold.set()
            responses = [future.result() for future in held]
    assert Counter(response.status_code for response in responses) == {503: 8, 200: 4}
    for response in responses:
        if response.status_code == 503:
            assert response.json()["code"] == "busy"
            assert int(response.headers["Retry-After"]) >= 1


@pytest.mark.dedicated
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_50_mb_passes_and_a_byte_more_does_not(farm: Farm, chunked: bool) -> None:
    head, tail = b'{"html": "' + GREEN.encode() + b"<!--", b'-->"}'
    body = head + b"x" * (52_428_800 - len(head) - len(tail)) + tail

    def send(data: bytes) -> requests.Response:
        pieces = (data[i : i + 1_000_000] for i in range(0, len(data), 1_000_000))
        headers = {"Content-Type": "application/json", **ACCEPT_PNG}
        payload = pieces if chunked else data
        return requests.post(farm.url + "/render", data=payload, headers=headers, timeout=60)

    response = send(body)
    assert response.status_code == 200
    assert is_filled(response.content, LIME)
    response = send(body + b" ")
    assert response.status_code == 413
    assert response.json()["code"] == "body_too_large"


@pytest.mark.dedicated
def test_a_form_of_50_mb_is_read_as_it_arrives(farm: Farm) -> None:
    page = ("index.html", b"<link rel=stylesheet href=page.css>")
    css = ("page.css", b"html { background: lime }/*" + b"x" * 52_420_000 + b"*/")
    body, content_type = encode_multipart_formdata([("file", page), ("file", css)])
    pieces = (body[i : i + 1_000_000] for i in range(0, len(body), 1_000_000))
    headers = {"Content-Type": content_type, **ACCEPT_PNG}
    response = requests.post(farm.url + "/render", data=pieces, headers=headers, timeout=60)
    assert response.status_code == 200
    assert is_filled(response.content, LIME)


def test_a_body_that_is_framed_wrongly_is_a_400(farm: Farm) -> None:
    with socket.create_connection(("127.0.0.1", farm.port)) as sock:
        sock.sendall(
            b"POST /render HTTP/1.1\r\nHost: farm\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\nnot a size\r\n\r\n"
        )
        status, error = answer_on(sock)
    assert (status, error["code"]) == (400, "invalid_request")


def test_slow_senders_hold_no_one_else_up_and_are_answered_408(
    log_path: Path, without_jobs: dict[str, object]
) -> None:
    settings = without_jobs | {"pages_per_browser": 1, "max_waiting": 1, "body_deadline_s": 3}
    with running_farm(log_path, workers=1, **settings) as farm, ExitStack() as stack:
        senders = [stack.enter_context(slow_sender(farm)) for _ in range(300)]
        assert requests.get(farm.url + "/health", timeout=10).status_code == 200
        assert green(farm)
        assert {answer_on(sender)[1]["code"] for sender in senders} == {"body_timeout"}


NOISE = """<canvas id=c width=2000 height=2000></canvas><script>
const image = new ImageData(2000, 2000);
const words = new Uint32Array(image.data.buffer);
for (let i = 0, x = 1; i < words.length; i++) words[i] = x = (x * 1664525 + 1013904223) | 0;
c.getContext('2d').putImageData(image, 0, 0);
</script>"""


def test_an_answer_that_is_not_read_is_broken_off(
    log_path: Path, without_jobs: dict[str, object]
) -> None:
    body = json.dumps({"html": NOISE, "options": {"width": 2000, "height": 2000}}).encode()
    settings = without_jobs | {"download_deadline_s": 1}
    with running_farm(log_path, workers=1, **settings) as farm, socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", farm.port))
        sock.sendall(
            b"POST /render HTTP/1.1\r\nHost: farm\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        sock.settimeout(30)
        response = http.client.HTTPResponse(sock)
        response.begin()
        (worker,) = farm.workers()

        def connected() -> bool:
            ends = [end for end in worker.net_connections() if end.raddr]
            return any(end.raddr.port == sock.getsockname()[1] for end in ends)

        assert connected()
        wait_until(lambda: not connected())
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            response.read()


def test_sigterm_finishes_what_runs_and_leaves_nothing(log_path: Path, site: Site) -> None:
    with running_farm(log_path, egress_allow=SITES) as farm, ThreadPoolExecutor(4) as pool:
        held = [
            pool.submit(farm.post, "/render-url", {"url": site.url + f"/slow?{n}"})
            for n in range(4)
        ]
        wait_until(lambda: len(site.requests) >= 4)
        tree = farm.tree()
        profiles = [
            Path(argument.partition("=")[2])
            for browser in farm.chromiums()
            for argument in command_line(browser)
            if argument.startswith("--user-data-dir=")
        ]
        assert len(profiles) == 2
        farm.process.send_signal(signal.SIGTERM)
        wait_until(lambda: farm.log_lines("Handling signal: term"))
        site.hold.set()
        assert [future.result().status_code for future in held] == [200] * 4
        assert farm.process.wait(60) == 0
        wait_until(lambda: gone(tree))
        assert not any(profile.exists() for profile in profiles)


def test_a_second_ctrl_c_ends_all_of_it_at_once(log_path: Path, site: Site) -> None:
    with (
        running_farm(log_path, workers=1, egress_allow=SITES) as farm,
        ThreadPoolExecutor(1) as pool,
    ):
        held = pool.submit(farm.post, "/render-url", {"url": site.url + "/slow"})
        wait_until(lambda: len(site.requests) >= 1)
        tree = farm.tree()
        farm.process.send_signal(signal.SIGINT)
        wait_until(lambda: farm.log_lines("Handling signal: term"))
        assert not held.done()
        farm.process.send_signal(signal.SIGINT)
        farm.process.wait(30)
        wait_until(lambda: gone(tree))
        assert held.exception() is not None or held.result().status_code == 503
        assert not farm.log_lines("did not end in time")


def test_a_worker_is_replaced_after_its_requests_and_none_is_lost(
    log_path: Path, without_jobs: dict[str, object]
) -> None:
    with running_farm(log_path, workers=2, max_requests=10, **without_jobs) as farm:
        before = {worker.pid for worker in farm.workers()}
        load = Load(farm)
        with load.running(4):
            wait_until(lambda: before.isdisjoint({w.pid for w in farm.workers()}), 60)
        assert set(load.answers) == {"ok"}, load.answers


@pytest.mark.dedicated
@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"FARM_PORT": "x", "FARM_MAX_WAITIN": "1"}, ["FARM_PORT:", "FARM_MAX_WAITIN is not"]),
        ({"FARM_CHROMIUM_PATH": "/nowhere"}, ["/nowhere is not a program"]),
        ({"FARM_CHROMIUM_PATH": "/bin/false"}, ["/bin/false does not start"]),
    ],
)
def test_a_farm_that_cannot_start_says_why_and_stops(
    environment: dict[str, str], says: list[str], tmp_path: Path
) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "farm.cli", "serve"],
        env={
            **os.environ,
            "FARM_PORT": str(free_port()),
            "FARM_DATA_DIR": str(tmp_path / "data"),
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert finished.returncode != 0
    printed = finished.stdout + finished.stderr
    for sentence in says:
        assert sentence in printed
    assert "Traceback" not in printed


def test_gunicorn_never_ends_a_request_before_its_deadline(log_path: Path, site: Site) -> None:
    """The worker timeout and the grace follow the deadline."""
    printed = subprocess.run(
        [sys.executable, "-m", "gunicorn", "-c", "farm/gunicorn_conf.py", "--print-config"],
        env={
            **os.environ,
            "FARM_RENDER_DEADLINE_S": "100",
            "FARM_DATA_DIR": str(log_path.parent / "data"),
        },
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    config = dict(line.split("=", 1) for line in printed.splitlines() if "=" in line)
    config = {name.strip(): value.strip() for name, value in config.items()}
    assert int(config["timeout"]) > 100
    assert int(config["graceful_timeout"]) > 100


def is_zombie(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def test_a_worker_has_no_zombies_and_no_more_browsers_than_one(farm: Farm) -> None:
    assert green(farm)

    def has_no_zombies(worker: psutil.Process) -> bool:
        return not any(is_zombie(process) for process in worker.children(recursive=True))

    for worker in farm.workers():
        children = worker.children(recursive=True)
        assert sum(is_browser(process) for process in children) == 1
        wait_until(partial(has_no_zombies, worker))
