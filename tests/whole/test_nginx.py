"""nginx with the configuration that is shipped, before instances that are real, or made to fail."""

import hashlib
import json
import re
import socket
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.client import HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import pytest
import requests

from bench.contenders.instances import Instance, nginx_program, running_instances, running_nginx
from farm.links import MAX_PAYLOAD, make_link
from tests.support.farm_process import log_lines, wait_until
from tests.support.quiet import serving

pytestmark = [
    pytest.mark.dedicated,
    pytest.mark.skipif(nginx_program() is None, reason="nginx is not installed"),
]

LINK_KEY = "0123456789abcdef" * 2
MAX_BODY = 52_428_800
PAGE = {"html": "<p>Hello", "options": {"width": 64, "height": 48}}
UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
BUSY = {"success": False, "error": "Taken.", "code": "busy", "requestId": "the farm's"}


class FakeInstance:
    """Notes what is asked of it, and "renders", is "busy", or "hangs up" without an answer."""

    def __init__(self, does: str) -> None:
        #: Path and X-Request-Id of each request.
        self.asked: list[tuple[str, str]] = []
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked.append((self.path, self.headers["X-Request-Id"]))
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if does == "hangs up":
                    self.close_connection = True
                    return
                body = json.dumps(BUSY if does == "busy" else {"success": True}).encode()
                self.send_response(503 if does == "busy" else 200)
                if does == "busy":
                    self.send_header("Retry-After", "7")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_DELETE = do_POST  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port: int = self.server.server_address[1]


@contextmanager
def before_fakes(*does: str) -> Iterator[tuple[str, list[FakeInstance]]]:
    """nginx's URL, and the instances, one for each thing to do."""
    with ExitStack() as stack:
        fakes = [FakeInstance(each) for each in does]
        for fake in fakes:
            stack.enter_context(serving(fake.server))
        yield stack.enter_context(running_nginx(fakes)), fakes


def times_asked(fakes: list[FakeInstance]) -> list[int]:
    return sorted(len(fake.asked) for fake in fakes)


@pytest.fixture(scope="module")
def instances(valkey: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Instance]]:
    folder = tmp_path_factory.mktemp("instances")
    storage = (folder / "files").as_uri()
    given = {"redis_url": valkey, "storage_url": storage, "link_key": LINK_KEY}
    with running_instances(3, folder, **given) as running:
        yield running


@pytest.fixture(scope="module")
def front(instances: list[Instance]) -> Iterator[str]:
    with running_nginx(instances) as url:
        yield url


def say(url: str, data: bytes) -> requests.Response:
    """What is answered to these bytes, which `requests` would not send."""
    with connected(url) as sock:
        sock.sendall(data)
        raw = HTTPResponse(sock)
        raw.begin()
        answer = requests.Response()
        answer.status_code = raw.status
        answer.headers.update(raw.getheaders())
        answer.raw = BytesIO(raw.read())
        return answer


def connected(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), 20)


def assert_error(answer: requests.Response, status: int, code: str) -> None:
    """It is an error as in docs/api.md."""
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/json"
    error = answer.json()
    assert set(error) == {"success", "error", "code", "requestId"}
    assert error["success"] is False
    assert error["error"].endswith(".")
    assert error["code"] == code
    assert answer.headers["X-Request-Id"] == error["requestId"]
    assert UUID4.fullmatch(error["requestId"])
    assert ("Retry-After" in answer.headers) == (status == 503)
    assert answer.headers["Server"] == "nginx"  # and no version


@pytest.mark.parametrize(
    ("head", "status", "code"),
    [
        ("GET /health HTTP/1.1", 400, "invalid_request"),  # no Host
        ("HELLO", 400, "invalid_request"),
        (f"GET /{'a' * 10_000} HTTP/1.1\r\nHost: a", 400, "invalid_request"),
        (f"GET / HTTP/1.1\r\nHost: a\r\nX-A: {'a' * 10_000}", 400, "invalid_request"),
        ("POST /render HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x", 400, "invalid_request"),
        ("TRACE / HTTP/1.1\r\nHost: a", 405, "method_not_allowed"),
        ("GET /metrics HTTP/1.1\r\nHost: a", 404, "not_found"),
        ("GET /%6Detrics HTTP/1.1\r\nHost: a", 404, "not_found"),
        ("GET //metrics/ HTTP/1.1\r\nHost: a", 404, "not_found"),
        ("GET /balancer-error HTTP/1.1\r\nHost: a", 404, "not_found"),
        (
            f"POST /render HTTP/1.1\r\nHost: a\r\nContent-Length: {MAX_BODY + 1}",
            413,
            "body_too_large",
        ),
    ],
    ids=lambda value: str(value)[:30],
)
def test_its_own_errors_are_those_of_the_contract(
    front: str, head: str, status: int, code: str
) -> None:
    assert_error(say(front, head.encode() + b"\r\n\r\n"), status, code)


def test_a_chunked_body_that_is_too_large_is_refused(front: str) -> None:
    head = b"POST /render HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = f"{MAX_BODY + 1:x}\r\n{{".encode()
    assert_error(say(front, head + chunk), 413, "body_too_large")


def test_a_body_of_50_mb_reaches_the_farm(front: str) -> None:
    json_type = {"Content-Type": "application/json"}
    answer = requests.post(front + "/render", b" " * MAX_BODY, headers=json_type, timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert "JSON" in answer.json()["error"] + str(answer.json().get("details"))


def test_the_farms_answers_pass_as_they_are(front: str) -> None:
    answer = requests.post(front + "/render", json=PAGE, timeout=60)
    assert answer.json()["data"]["width"] == 64
    assert answer.headers["Server-Timing"]
    assert requests.get(front + "/health", timeout=20).json()["status"] == "ok"
    unknown = requests.get(f"{front}/render-async/{uuid.uuid4()}", timeout=20)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    assert "no such job" in unknown.json()["error"]


def test_a_link_passes_and_no_log_has_it(instances: list[Instance], tmp_path: Path) -> None:
    # As long as one may be: no page's text is pressed into less.
    noise = hashlib.shake_128(b"noise").hexdigest(5_050)
    link = make_link({**PAGE, "html": f"<p>{noise}"}, LINK_KEY)
    payload = link.rpartition("/")[2]
    assert 7_500 < len(payload) <= MAX_PAYLOAD
    tmp_path.chmod(0o755)
    log_path = tmp_path / "access.log"
    log_path.touch(0o666)
    with running_nginx(instances, log_path) as url:
        first = requests.get(url + link, timeout=60)
        assert (first.status_code, first.headers["Content-Type"]) == (200, "image/png")
        assert first.headers["Cache-Control"] == "public, max-age=3600"
        known = {"If-None-Match": first.headers["ETag"]}
        assert requests.get(url + link, headers=known, timeout=60).status_code == 304
        refused = requests.get(f"{url}//r/x/{payload}", timeout=60)
        assert (refused.status_code, refused.json()["code"]) == (403, "link_refused")
        wait_until(lambda: log_path.read_text().count("\n") == 3)
    text = log_path.read_text() + "".join(each.log_path.read_text() for each in instances)
    assert '"GET /r/... HTTP/1.1" 304' in text
    assert payload[:30] not in text


def test_every_request_has_an_id_which_the_farm_logs(front: str, instances: list[Instance]) -> None:
    for sent, kept in [
        ({"X-Request-Id": "from.a_client-1"}, True),
        ({"X-Request-Id": "a b"}, False),
    ]:
        answer = requests.post(front + "/render", json=PAGE, headers=sent, timeout=60)
        request_id = answer.headers["X-Request-Id"]
        assert (request_id == sent["X-Request-Id"]) is kept
        assert kept or UUID4.fullmatch(request_id)
        assert any(request_id in instance.log_path.read_text() for instance in instances)


def test_a_slow_client_reaches_no_instance() -> None:
    with before_fakes("renders") as (url, [fake]):
        with connected(url) as slow:
            head = b"POST /render HTTP/1.1\r\nHost: a\r\nX-Request-Id: slow\r\n"
            slow.sendall(head + b"Content-Length: 2\r\n\r\n{")
            quick = {"X-Request-Id": "quick"}
            requests.post(url + "/render", json=PAGE, headers=quick, timeout=20)
            assert fake.asked == [("/render", "quick")]
            slow.sendall(b"}")
            assert b"200" in slow.recv(1000)
        assert fake.asked[1] == ("/render", "slow")


@pytest.mark.parametrize("path", ["/render", "/render-url"])
@pytest.mark.parametrize("trouble", ["busy", "hangs up"])
def test_a_render_is_tried_on_another_instance(path: str, trouble: str) -> None:
    with before_fakes(trouble, trouble, "renders") as (url, fakes):
        for _ in range(6):  # some begin with an instance that is well
            assert requests.post(url + path, json=PAGE, timeout=20).json() == {"success": True}
        assert len(fakes[2].asked) == 6
        assert min(times_asked(fakes)) > 0


def test_the_answer_of_a_busy_farm_is_the_farms_own() -> None:
    with before_fakes("busy", "busy", "busy", "busy") as (url, fakes):
        for _ in range(10):
            answer = requests.post(url + "/render", json=PAGE, timeout=20)
            assert (answer.status_code, answer.json()) == (503, BUSY)
            assert answer.headers["Retry-After"] == "7"
        assert sum(times_asked(fakes)) == 30


@pytest.mark.parametrize("trouble", ["busy", "hangs up"])
def test_a_job_is_not_submitted_twice(trouble: str) -> None:
    with before_fakes(trouble, trouble, trouble) as (url, fakes):
        answer = requests.post(url + "/render-async", json=PAGE, timeout=20)
        assert times_asked(fakes) == [0, 0, 1]
        if trouble == "busy":
            assert answer.json() == BUSY
        else:
            assert_error(answer, 503, "browser_unavailable")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("trouble", ["busy", "hangs up"])
def test_a_jobs_state_is_asked_of_another_instance(method: str, trouble: str) -> None:
    # "busy" stands for any 503: that of an instance that is cut off from Redis, too.
    with before_fakes(trouble, trouble, "renders") as (url, fakes):
        for _ in range(6):
            answer = requests.request(method, f"{url}/render-async/{uuid.uuid4()}", timeout=20)
            assert answer.json() == {"success": True}
        assert len(fakes[2].asked) == 6
        assert min(times_asked(fakes)) > 0


def submitted_id(front: str) -> str:
    """Of a job. On a busy machine Redis or the instance may be late: clients come back."""
    answers: list[requests.Response] = []

    def is_submitted() -> bool:
        answers.append(requests.post(front + "/render-async", json=PAGE, timeout=20))
        if answers[-1].status_code == 503:
            assert answers[-1].json()["code"] in ("queue_unavailable", "browser_unavailable")
        return answers[-1].status_code != 503

    wait_until(is_submitted)
    assert answers[-1].status_code == 202
    job_id: str = answers[-1].json()["jobId"]
    return job_id


def test_a_job_is_submitted_to_an_instance_that_is_there(
    front: str, instances: list[Instance]
) -> None:
    with down(instances[:2]):
        ids = [submitted_id(front) for _ in range(4)]
    submitted = [
        line["job_id"] for each in instances for line in log_lines(each.log_path, "submit")
    ]
    assert [submitted.count(job_id) for job_id in ids] == [1] * 4


@contextmanager
def down(instances: list[Instance]) -> Iterator[None]:
    """They are killed, and up again afterwards."""
    for instance in instances:
        instance.kill()
    try:
        yield
    finally:
        for instance in instances:
            instance.start()
        for instance in instances:
            instance.wait()


def test_an_instance_that_is_killed_under_load_costs_no_render(
    front: str, instances: list[Instance]
) -> None:
    answered = threading.Semaphore(0)

    def render(number: int) -> requests.Response:
        page = PAGE | {"options": {"width": 64, "height": 48, "waitFor": 100}}
        answer = requests.post(front + "/render", json=page, timeout=60)
        answered.release()
        return answer

    with ThreadPoolExecutor(6) as pool:
        answers = [pool.submit(render, number) for number in range(60)]
        for _ in range(12):
            answered.acquire()
        with down(instances[:1]):
            statuses = [answer.result().status_code for answer in answers]
    assert statuses == [200] * 60


def test_without_an_instance_it_says_so_and_they_are_back_by_themselves(
    front: str, instances: list[Instance]
) -> None:
    with down(instances):
        for method, path in [("POST", "/render"), ("POST", "/render-async"), ("GET", "/health")]:
            answer = requests.request(method, front + path, json=PAGE, timeout=20)
            assert_error(answer, 503, "browser_unavailable")
    statuses = [requests.post(front + "/render", json=PAGE, timeout=60).status_code for _ in "1234"]
    assert statuses == [200] * 4
