"""The farm's users, for locust: `locust -f bench/locustfile.py -H http://127.0.0.1:3000`.

Name the classes of users that you want (`SimpleHtml ComplexHtml Url AsyncJob Mixed`), else it is
`Mixed`, who ask for everything, in the shares that `--mix` says. Without its web page: add
`--headless -u 8 -r 8 -t 60s`. With a load shape, the number of users follows that:
`-f bench/locustfile.py,bench/shapes/steps.py`.

Every answer is looked at: the right status is not enough. `Url` needs a site (`--site`) that the
farm may reach; `python -m bench.workloads.site 8099` is one, for a farm with
FARM_EGRESS_ALLOW=127.0.0.0/8.
"""

import random
import sys
import time
from argparse import ArgumentTypeError, Namespace
from pathlib import Path
from typing import Any

from locust import FastHttpUser, events, task
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment

sys.path.insert(0, str(Path(__file__).parents[1]))  # locust adds the folder of its file only

from bench.measures.answers import Answers
from bench.workloads.pages import COMPLEX, SIMPLE, SLOW_URL, WORKLOADS, Workload

#: Longer than any deadline of a farm.
TIMEOUT_S = 90.0
#: How long one question for a job's state may wait.
POLL_S = 20


def mix(text: str) -> dict[str, int]:
    """`simple=6,job=1` as weights."""
    try:
        parts = [part.partition("=") for part in text.split(",")]
        weights = {name: int(weight) for name, _, weight in parts}
    except ValueError:
        raise ArgumentTypeError(f"not like simple=6,job=1: {text}") from None
    if unknown := set(weights) - {"simple", "complex", "url", "job"}:
        raise ArgumentTypeError(f"unknown: {', '.join(sorted(unknown))}")
    return weights


@events.init_command_line_parser.add_listener
def _(parser: LocustArgumentParser) -> None:
    parser.add_argument(
        "--mix",
        type=mix,
        default="simple=6,complex=2,url=1,job=1",
        help="What Mixed users ask for: weights of simple, complex, url and job",
    )
    parser.add_argument("--site", default="http://127.0.0.1:8099", help="Where URLs are")
    parser.add_argument(
        "--work", default=SIMPLE.name, choices=list(WORKLOADS), help="What Work users ask for"
    )
    parser.add_argument("--think", type=float, default=0.0, help="Seconds between two requests")
    parser.add_argument("--answers", default="", help="A file for every answer, as JSON")


class RenderUser(FastHttpUser):
    """A client in a loop."""

    abstract = True
    network_timeout = connection_timeout = TIMEOUT_S

    @property
    def options(self) -> Namespace:
        options: Namespace = self.environment.parsed_options
        return options

    def wait_time(self) -> float:
        return float(self.options.think)

    def render(self, work: Workload) -> None:
        """Answered at once, as the file itself."""
        with self.client.post(
            work.route,
            json=work.body(self.options.site),
            headers={"Accept": "image/png"},
            name=work.name,
            catch_response=True,
        ) as response:
            problem = _error(response) or work.problem(response.content)
            if problem:
                response.failure(problem)

    def job(self, work: Workload) -> None:
        """Submitted, asked for until it is done, and downloaded; timed as a whole too."""
        began = time.perf_counter()
        problem = self._do_job(work)
        self.environment.events.request.fire(
            request_type="JOB",
            name=f"job: {work.name}",
            response_time=(time.perf_counter() - began) * 1000,
            response_length=0,
            exception=Exception(problem) if problem else None,
            context={},
        )

    def _do_job(self, work: Workload) -> str:
        body = work.body(self.options.site)
        with self.client.post(
            "/render-async", json=body, name="submit", catch_response=True
        ) as sent:
            if problem := _error(sent, expected=202):
                sent.failure(problem)
                return f"submit: {problem}"
            job_id = sent.json()["jobId"]
        while True:
            path = f"/render-async/{job_id}?wait={POLL_S}"
            with self.client.get(path, name="poll", catch_response=True) as state:
                if problem := _error(state):
                    state.failure(problem)
                    return f"poll: {problem}"
                if (status := state.json()["status"]) in ("failed", "cancelled"):
                    return f"the job ended as {status}"
            if status == "completed":
                break
        with self.client.get(f"/download/{job_id}", name="download", catch_response=True) as file:
            problem = _error(file) or work.problem(file.content)
            if problem:
                file.failure(problem)
            return problem


class SimpleHtml(RenderUser):
    @task
    def ask(self) -> None:
        self.render(SIMPLE)


class ComplexHtml(RenderUser):
    @task
    def ask(self) -> None:
        self.render(COMPLEX)


class Url(RenderUser):
    @task
    def ask(self) -> None:
        self.render(SLOW_URL)


class Work(RenderUser):
    """Whatever `--work` names."""

    @task
    def ask(self) -> None:
        self.render(WORKLOADS[self.options.work])


class AsyncJob(RenderUser):
    @task
    def ask(self) -> None:
        self.job(SIMPLE)


class Mixed(RenderUser):
    @task
    def ask(self) -> None:
        weights = self.options.mix
        match random.choices(list(weights), list(weights.values()))[0]:
            case "simple":
                self.render(SIMPLE)
            case "complex":
                self.render(COMPLEX)
            case "url":
                self.render(SLOW_URL)
            case "job":
                self.job(SIMPLE)


def _error(response: Any, expected: int = 200) -> str:
    """What an answer of another status says; empty for the expected one."""
    if response.status_code == expected:
        return ""
    if not response.status_code:
        return f"no answer: {response.error}"
    try:
        answer = response.json()
        return f"{response.status_code} {answer['code']}"
    except (ValueError, KeyError, TypeError):
        return f"{response.status_code}, which is none of the contract's answers"


@events.init.add_listener
def _(environment: Environment, **_: Any) -> None:
    options = environment.parsed_options
    if options is None:
        return
    if not options.user_classes and isinstance(environment.user_classes, list):
        environment.user_classes[:] = [Mixed]
    if not options.answers:
        return
    answers = Answers()

    def start(**_: Any) -> None:
        answers.began = time.monotonic()

    def note(name: str, response_time: float, exception: Exception | None, **_: Any) -> None:
        answers.note(name, response_time, str(exception) if exception else "")

    def stop(**_: Any) -> None:
        answers.ended = time.monotonic()
        answers.save(Path(options.answers))

    environment.events.test_start.add_listener(start)
    environment.events.request.add_listener(note)
    environment.events.test_stopping.add_listener(stop)
