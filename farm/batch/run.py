"""Runs a batch: renders many pages in several threads, each to a file or to a failure.

The main thread calls `Batch.run`, which starts the threads and yields the outcomes.
"""

import errno
import hashlib
import json
import queue
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from farm.batch.record import Record
from farm.batch.sources import identity, stamp
from farm.errors import FarmError, InvalidRequest, RateLimited, Unavailable, WithProblems

#: Write errors that the next file would have too.
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}
#: Codes of errors that all pages have: the key is wrong, or there is no farm at the URL.
_FOR_ALL = {"unauthorized", "unreachable", "not_a_farm"}
#: Statuses with which a proxy before the farm refuses one page: it takes too long, or is too large.
_FOR_ONE = {408, 413, 504}
#: The prefix of a problem with one option, which all pages share. A problem with the options as a
#: whole (`options`) may depend on the page, since some options are for URLs only.
_OPTION = "options."
#: The longest pause before a refused page is retried.
_MAX_PAUSE_S = 15.0
#: How often the waiting main thread runs, so that it handles a signal soon.
_LOOK_UP_S = 0.5


@dataclass(frozen=True)
class Task:
    """A page, the name of its file, and a digest of everything that the file depends on."""

    source: str
    name: str
    digest: str

    @classmethod
    def of(
        cls, source: str, name: str, request: Mapping[str, Any], files: Iterable[str] = ()
    ) -> "Task":
        """`request`: the request without a page. `files`: those that are sent with this page."""
        made_of: list[Any] = [identity(source), stamp(source), request]
        if stamps := [[file, stamp(file)] for file in files]:
            made_of.append(stamps)
        parts = json.dumps(made_of, sort_keys=True)
        return cls(source, name, hashlib.sha256(parts.encode()).hexdigest()[:32])


@dataclass(frozen=True)
class Failure:
    """Why a page has no file. `code`: one of the farm's, `unreadable` or `unwritable`."""

    code: str
    sentence: str


@dataclass(frozen=True)
class Outcome:
    task: Task
    #: None: the file was written.
    failure: Failure | None = None


class Unreadable(Exception):
    """A page's file cannot be read. `str()` of it is a sentence for the user."""


class Stopped(Exception):
    """No page can be rendered or written any more. `str()` of it is a sentence for the user."""


class Batch:
    """Tasks, and the threads that run them."""

    def __init__(
        self,
        tasks: Sequence[Task],
        render: Callable[[str], bytes],
        record: Record,
        jobs: int,
        retry_for_s: float,
    ) -> None:
        """`render` renders a page, in any thread. It raises `FarmError` or `Unreadable`.

        `jobs`: the number of threads. `retry_for_s`: for how long a page is retried while the farm
        refuses it because of its load.
        """
        self._tasks = tasks
        self._render = render
        self._record = record
        self._jobs = jobs
        self._retry_for_s = retry_for_s
        self._stopping = threading.Event()
        self._next = iter(tasks)
        self._lock = threading.Lock()
        self._ended: queue.SimpleQueue[Outcome | BaseException] = queue.SimpleQueue()

    def run(self) -> Iterator[Outcome]:
        """Run all tasks. Yields each outcome as its task ends. Raises `Stopped`."""
        for _ in range(min(self._jobs, len(self._tasks))):
            # A daemon thread, so that the command can end while the thread waits for a farm.
            threading.Thread(target=self._work, daemon=True).start()
        try:
            for _ in self._tasks:
                ended = self._wait()
                if isinstance(ended, BaseException):
                    raise ended
                yield ended
        finally:
            self._stopping.set()

    def _wait(self) -> Outcome | BaseException:
        while True:
            try:
                return self._ended.get(timeout=_LOOK_UP_S)
            except queue.Empty:
                continue

    def _work(self) -> None:
        while not self._stopping.is_set():
            with self._lock:
                task = next(self._next, None)
            if task is None:
                return
            try:
                self._ended.put(Outcome(task, self._failure_of(task)))
            except BaseException as exc:  # the main thread raises it
                self._ended.put(exc)
                return

    def _failure_of(self, task: Task) -> Failure | None:
        """Render a page and write its file. None if that succeeds. Raises `Stopped`."""
        try:
            data = self._rendered(task.source)
        except FarmError as exc:
            if _is_for_all(exc):
                raise Stopped(_sentence_of(exc)) from exc
            return Failure(exc.code, _sentence_of(exc))
        except Unreadable as exc:
            return Failure("unreadable", str(exc))
        try:
            self._record.put(task.name, task.digest, data)
        except OSError as exc:
            sentence = f"{task.name} cannot be written: {exc.strerror}."
            if exc.errno in _NO_ROOM:
                raise Stopped(sentence) from exc
            return Failure("unwritable", sentence)
        return None

    def _rendered(self, source: str) -> bytes:
        end = time.monotonic() + self._retry_for_s
        pause_s = 0.5
        while True:
            try:
                return self._render(source)
            except (Unavailable, RateLimited) as exc:
                # The random factor keeps the threads from retrying at the same moment.
                wait_s = max(pause_s, exc.retry_after_s) * random.uniform(0.8, 1.2)
                if time.monotonic() + wait_s > end or self._stopping.wait(wait_s):
                    raise
                pause_s = min(pause_s * 2, _MAX_PAUSE_S)


def _is_for_all(exc: FarmError) -> bool:
    """Whether all other pages would have the same error."""
    if isinstance(exc, InvalidRequest):
        return any(problem.field.startswith(_OPTION) for problem in exc.problems)
    return exc.code in _FOR_ALL and exc.status not in _FOR_ONE


def _sentence_of(exc: FarmError) -> str:
    """The sentence of an error; all problems if it has several."""
    problems = exc.problems if isinstance(exc, WithProblems) else ()
    if len(problems) < 2:
        return str(exc)
    return "; ".join(f"{problem.field}: {problem.problem}" for problem in problems) + "."


def pending(tasks: Iterable[Task], record: Record) -> list[Task]:
    """The tasks whose files are not finished yet."""
    return [task for task in tasks if not record.is_done(task.name, task.digest)]
