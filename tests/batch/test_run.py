"""A batch, with a function in the place of what renders."""

import errno
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from farm.batch import Batch, Failure, Outcome, Record, Stopped, Task, Unreadable, pending
from farm.client.errors import NotAFarm
from farm.errors import (
    Busy,
    FarmError,
    InvalidRequest,
    InvalidUrl,
    PageFailed,
    Problem,
    Unauthorized,
)

JOBS = 4


def tasks(count: int) -> list[Task]:
    return [Task.of(f"https://a/{n}", f"{n}.png", {}) for n in range(count)]


def outcomes(
    record: Record, render: Callable[[str], bytes], todo: list[Task], retry_for_s: float = 60
) -> list[Outcome]:
    return list(Batch(todo, render, record, JOBS, retry_for_s).run())


def test_each_page_is_a_file_or_a_failure(tmp_path: Path) -> None:
    def render(source: str) -> bytes:
        if source.endswith("/3"):
            raise PageFailed
        if source.endswith("/4"):
            raise Unreadable("it is gone")
        return source.encode()

    with Record(tmp_path) as record:
        ended = outcomes(record, render, tasks(20))
        assert record.written == 18
        assert {o.task.name: o.failure.code for o in ended if o.failure} == {
            "3.png": "page_failed",
            "4.png": "unreadable",
        }
        # Only these are left for the next run.
        assert [task.name for task in pending(tasks(20), record)] == ["3.png", "4.png"]
    assert (tmp_path / "19.png").read_bytes() == b"https://a/19"


def test_no_more_pages_are_in_memory_than_are_rendered_at_once(tmp_path: Path) -> None:
    lock, now, most = threading.Lock(), 0, 0

    def render(source: str) -> bytes:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        with lock:
            now -= 1
        return b"x"

    with Record(tmp_path) as record:
        assert len(outcomes(record, render, tasks(200))) == 200
    assert most <= JOBS


def test_a_busy_farm_is_asked_again_and_given_up_after_the_bound(tmp_path: Path) -> None:
    refused = set[str]()

    def once_busy(source: str) -> bytes:
        if source not in refused:
            refused.add(source)
            raise Busy(retry_after_s=0)
        return b"x"

    def busy(source: str) -> bytes:
        raise Busy

    with Record(tmp_path) as record:
        assert not any(o.failure for o in outcomes(record, once_busy, tasks(4)))
        [outcome] = outcomes(record, busy, tasks(1), retry_for_s=0)
        assert outcome.failure is not None
        assert outcome.failure.code == "busy"


def test_what_every_page_would_meet_stops_the_batch(tmp_path: Path) -> None:
    def refused(source: str) -> bytes:
        raise Unauthorized

    with Record(tmp_path) as record:
        with pytest.raises(Stopped, match="API key"):
            outcomes(record, refused, tasks(100))
        assert record.written == 0


def test_an_option_that_the_farm_refuses_stops_the_batch(tmp_path: Path) -> None:
    problems = [Problem("options.a", "unknown field"), Problem("options.b", "unknown field")]

    def refused(source: str) -> bytes:
        raise InvalidRequest("options.a: unknown field. 1 more in details.", problems)

    told = r"^options\.a: unknown field; options\.b: unknown field\.$"
    with Record(tmp_path) as record, pytest.raises(Stopped, match=told):
        outcomes(record, refused, tasks(100))


@pytest.mark.parametrize(
    "error",
    [
        InvalidRequest.of(Problem("options", "headers needs a page with an origin")),
        InvalidUrl(),
        NotAFarm("The proxy gave up.", 504),
    ],
)
def test_what_is_wrong_with_one_page_does_not_stop_the_batch(
    error: FarmError, tmp_path: Path
) -> None:
    def refused(source: str) -> bytes:
        raise error

    with Record(tmp_path) as record:
        failures = [outcome.failure for outcome in outcomes(record, refused, tasks(9))]
    assert failures == [Failure(error.code, str(error))] * 9


def test_a_full_disk_stops_the_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> bool:
        raise OSError(errno.ENOSPC, "No space left on device")

    with Record(tmp_path) as record:
        monkeypatch.setattr(record, "put", full)
        with pytest.raises(Stopped, match=r"cannot be written: No space left"):
            outcomes(record, lambda _: b"x", tasks(100))


def test_a_name_that_cannot_be_written_is_that_pages_failure(tmp_path: Path) -> None:
    (tmp_path / "1.png").mkdir()
    with Record(tmp_path) as record:
        ended = outcomes(record, lambda _: b"x", tasks(3))
        assert [o.failure.code for o in ended if o.failure] == ["unwritable"]
        assert record.written == 2


def test_a_mistake_of_the_farms_own_is_raised(tmp_path: Path) -> None:
    def broken(source: str) -> bytes:
        raise ZeroDivisionError

    with Record(tmp_path) as record, pytest.raises(ZeroDivisionError):
        outcomes(record, broken, tasks(3))


def test_other_options_or_another_file_are_another_task(tmp_path: Path) -> None:
    page = tmp_path / "a.html"
    page.write_text("a")
    first = Task.of(str(page), "a.png", {"options": {"width": 1}})
    assert first == Task.of(str(page), "a.png", {"options": {"width": 1}})
    assert first != Task.of(str(page), "a.png", {"options": {"width": 2}})
    logo = tmp_path / "logo.png"
    logo.write_text("a")
    with_logo = Task.of(str(page), "a.png", {"options": {"width": 1}}, [str(logo)])
    assert with_logo != first
    logo.write_text("ab")
    assert with_logo != Task.of(str(page), "a.png", {"options": {"width": 1}}, [str(logo)])
    page.write_text("ab")
    assert first != Task.of(str(page), "a.png", {"options": {"width": 1}})
