"""Two versions of the farm on one Redis, as there are while it is upgraded.

The newer one is a copy of the package with one more option.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis

import farm
from farm.errors import InvalidRequest
from farm.job import State
from farm.jobs.queue import RedisJobQueue
from farm.jobs.record import Records
from farm.jobs.rq_worker import Verdict
from farm.jobs.task import JobRunner
from farm.request import HTML_OR_URL, Limits, OtherVersion, RenderRequest
from farm.storage import ObjectStorage
from tests.support.farm_process import environment, log_lines, running_worker, wait_until

pytestmark = pytest.mark.dedicated

LIMITS = Limits(30_000, 1_000_000)
OLD_OPTION = "    wait_for: int = option("
NEW_OPTION = '    is_newer: bool = option(False, "Of the newer version alone.")\n'

PLAIN = {"html": "x", "options": {"width": 60, "height": 40}}
#: All that the older version knows, some of it as it is by default.
FULL = {
    "html": "ä",
    "options": {"width": 60, "height": 720, "format": "jpg", "waitFor": 5},
    "cache": {"ttl": 7},
}
NEWER = {"html": "x", "options": {"width": 60, "height": 40, "isNewer": True}}

#: Submits a request with an idempotency key, and prints the job's id and what is stored.
SUBMIT = """
import json, sys
from farm.jobs import broker
from farm.jobs.queue import RedisJobQueue
from farm.request import HTML_OR_URL, Limits, RenderRequest
from farm.settings import Settings
from farm.storage import ObjectStorage

redis_url, storage_url, body, key = sys.argv[1:]
request = RenderRequest.parse(body.encode(), HTML_OR_URL, Limits(30_000, 1_000_000))
queue = RedisJobQueue(broker.connect(redis_url), ObjectStorage(storage_url), Settings())
print(json.dumps([queue.submit(request, "newer", key), request.to_json().decode()]))
queue.close()
"""


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that has the newer version's package."""
    folder = tmp_path_factory.mktemp("newer")
    package = Path(farm.__file__).parent
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(package, folder / "farm", ignore=ignored)
    waiting = folder / "farm" / "request" / "waiting.py"
    text = waiting.read_text()
    assert text.count(OLD_OPTION) == 1
    waiting.write_text(text.replace(OLD_OPTION, NEW_OPTION + OLD_OPTION))
    return folder


Submit = Callable[..., tuple[str, str]]


@pytest.fixture
def submit_newer(newer: Path, valkey: str, storage_url: str) -> Submit:
    """Has the newer version submit a job: its id, and the request as it is stored."""

    def submit(request: dict[str, Any], key: str) -> tuple[str, str]:
        command = [sys.executable, "-c", SUBMIT, valkey, storage_url, json.dumps(request), key]
        env = environment() | {"PYTHONPATH": str(newer)}
        done = subprocess.run(command, cwd=newer, env=env, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        job_id, stored = json.loads(done.stdout)
        return job_id, stored

    return submit


@pytest.fixture
def storage_url(tmp_path: Path) -> str:
    return (tmp_path / "storage").as_uri()


class Workers:
    """A worker of each version, each with a log of its own."""

    def __init__(self, stack: ExitStack, folder: Path, newer: Path, **settings: object) -> None:
        self._stack = stack
        self._settings = {"job_concurrency": 1, **settings}
        self._packages = {"older": None, "newer": newer}
        self.logs = {version: folder / f"{version}.log" for version in self._packages}

    def start(self, version: str) -> subprocess.Popen[bytes]:
        log, package = self.logs[version], self._packages[version]
        worker = self._stack.enter_context(running_worker(log, package, **self._settings))
        wait_until(lambda: worker.poll() is not None or log_lines(log, "worker up"))
        return worker

    def done_by(self, version: str) -> list[str]:
        lines = log_lines(self.logs[version], "job")
        return [line["job_id"] for line in lines if line["outcome"] == "completed"]


@pytest.fixture
def workers(tmp_path: Path, newer: Path, valkey: str, storage_url: str) -> Iterator[Workers]:
    with ExitStack() as stack:
        yield Workers(stack, tmp_path, newer, redis_url=valkey, storage_url=storage_url)


def older(request: dict[str, Any]) -> RenderRequest:
    return RenderRequest.parse(json.dumps(request).encode(), HTML_OR_URL, LIMITS)


def has_ended(jobs: RedisJobQueue, job_id: str) -> bool:
    return jobs.read(job_id)[0].status.final


def test_each_version_does_the_others_jobs_and_what_the_older_cannot_waits_for_the_newer(
    jobs: RedisJobQueue, submit_newer: Submit, workers: Workers
) -> None:
    for_newer, _ = submit_newer(NEWER, "newer")
    by_newer, _ = submit_newer(PLAIN, "plain")
    old_worker = workers.start("older")
    wait_until(lambda: has_ended(jobs, by_newer))
    wait_until(lambda: log_lines(workers.logs["older"], "job is tried again"))
    handed_back = log_lines(workers.logs["older"], "job is tried again")
    assert {(line["job_id"], line["cause"]) for line in handed_back} == {(for_newer, "versions")}
    assert not has_ended(jobs, for_newer)

    workers.start("newer")
    wait_until(lambda: has_ended(jobs, for_newer))
    old_worker.terminate()
    assert old_worker.wait(30) == 0
    by_older = jobs.submit(older(PLAIN), "older")
    wait_until(lambda: has_ended(jobs, by_older))

    ids = (by_newer, for_newer, by_older)
    assert [jobs.read(job_id)[0].status for job_id in ids] == [State.COMPLETED] * 3
    # A worker's log line comes after the job's end.
    wait_until(lambda: len(workers.done_by("newer")) == 2)
    assert workers.done_by("older") == [by_newer]
    assert workers.done_by("newer") == [for_newer, by_older]


@pytest.mark.parametrize("request_", [PLAIN, FULL])
def test_a_request_without_the_option_is_the_same_to_both(
    jobs: RedisJobQueue, submit_newer: Submit, request_: dict[str, Any]
) -> None:
    job_id, stored = submit_newer(request_, "a-key")
    assert older(request_).to_json().decode() == stored
    assert jobs.submit(older(request_), "older", "a-key") == job_id


def test_what_is_stored_of_a_request_stays_as_it_is() -> None:
    # A change of this, of the order too, makes other requests of those that are sent again.
    assert older(FULL).to_json().decode() == (
        '{"html":"ä","options":{"width":60,"format":"jpeg","waitFor":5},"cache":{"ttl":7}}'
    )


@pytest.mark.parametrize(
    "stored",
    [
        {"html": "x", "options": {"isNewer": True}},
        {"html": "x", "options": {"format": "tiff"}},
        {"html": "x", "options": {"width": {"of": "an object"}}},
        {"html": "x", "options": {"width": 100_000}},
        {"page": "x", "options": {"waitFor": 31_000}},
    ],
)
def test_what_only_another_version_can_have_stored_is_told_apart(stored: dict[str, Any]) -> None:
    with pytest.raises(OtherVersion):
        RenderRequest.from_json(json.dumps(stored).encode(), LIMITS)


@pytest.mark.parametrize(
    "stored",
    [b'{"html":"x","options":{"waitFor":31000}}', b'{"url":"http://a:b@c.example/"}', b'{"html'],
)
def test_what_these_limits_forbid_or_nobody_can_read_is_not_tried_again(stored: bytes) -> None:
    with pytest.raises(InvalidRequest) as caught:
        RenderRequest.from_json(stored, LIMITS)
    assert not isinstance(caught.value, OtherVersion)


def test_a_job_of_another_version_is_not_handed_back_at_once(
    storage: ObjectStorage, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = JobRunner(None, storage, Records(redis_client, 3600))  # type: ignore[arg-type]
    pauses: list[float] = []
    monkeypatch.setattr(runner.stopping, "wait", pauses.append)
    monkeypatch.setattr("random.random", lambda: 1.0)
    meta: dict[str, Any] = {}
    for _ in range(6):
        assert runner.on_failure("a job", meta, OtherVersion("x")) is Verdict.RETRY
    assert pauses == [2, 4, 8, 15, 15, 15]
