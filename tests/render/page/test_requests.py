"""What is waited for of what a page loads."""

import math
from typing import Any

import pytest

from farm.render.browser.devtools import Session
from farm.render.page.requests import Requests


class _Switch:
    """Takes a session that is not spoken with."""

    ended = False

    def open(self, _id: str, _on_event: object) -> None: ...


def begun(name: str, kind: str = "Fetch", url: str = "http://a/", **more: Any) -> dict[str, Any]:
    return {"requestId": name, "request": {"url": url}, "type": kind, "loaderId": "L", **more}


@pytest.fixture
def requests() -> Requests:
    return Requests()


@pytest.fixture
def worker() -> Session:
    return Session(_Switch(), "worker")  # type: ignore[arg-type]


def test_a_request_is_waited_for_until_it_ends(requests: Requests) -> None:
    assert requests.quiet_in(0) == 0
    requests.begin(begun("1"))
    assert requests.quiet_in(0) == math.inf
    assert requests.waited_for == ["http://a/"]
    requests.end("1")
    assert requests.quiet_in(0) == 0
    assert 0 < requests.quiet_in(60) <= 60
    assert requests.waited_for == []


def test_an_answer_that_stays_open_is_waited_for_as_long_as_it_may_not_be_a_stream(
    requests: Requests,
) -> None:
    requests.begin(begun("1"))
    request = requests.find("1")
    assert request is not None
    requests.note_answer(request)
    assert 0 < requests.quiet_in(0) <= 2
    request.answered = 0.0  # the boot of the machine
    assert requests.quiet_in(0) == 0
    assert requests.waited_for == []


@pytest.mark.parametrize("kind", ["WebSocket", "EventSource", "Ping", "Media", "Prefetch"])
def test_what_has_no_end_or_changes_nothing_is_not_waited_for(
    requests: Requests, kind: str
) -> None:
    requests.begin(begun("1", kind))
    requests.begin(begun("2", url="data:,x"))
    assert requests.progress == (0, 0)
    assert requests.quiet_in(0) == 0


def test_a_worker_is_waited_for_until_its_script_has_run(
    requests: Requests, worker: Session
) -> None:
    requests.begin_worker("blob:x", worker)
    assert 0 < requests.quiet_in(0) <= 2
    assert requests.waited_for == ["blob:x"]
    before = requests.progress
    requests.note_worker_ran(worker)
    assert requests.quiet_in(0) == 0
    assert requests.progress != before
    assert requests.workers == [worker]


def test_a_workers_requests_end_with_the_worker(requests: Requests, worker: Session) -> None:
    requests.begin_worker("blob:x", worker)
    requests.begin(begun("1", url="http://of-the-worker/", loaderId=""))
    request = requests.find("1")
    assert request is not None
    request.worker = worker
    requests.begin(begun("2", url="http://of-the-page/"))
    requests.end_worker(worker)
    assert requests.waited_for == ["http://of-the-page/"]
    assert requests.workers == []


@pytest.mark.parametrize("url", ["blob:x", "data:,x", "http://a/worker.js"])
def test_the_script_of_a_worker_that_never_begins_is_not_waited_for_without_an_end(
    requests: Requests, url: str
) -> None:
    requests.begin(begun("1", "Script", url, loaderId=""))
    requests.note_headers("1")
    assert 0 < requests.quiet_in(0) <= 2


def test_headers_alone_do_not_make_a_documents_answer(requests: Requests) -> None:
    requests.begin(begun("1"))
    requests.note_headers("1")
    assert requests.quiet_in(0) == math.inf
