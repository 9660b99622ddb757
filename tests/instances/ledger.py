"""What was asked of a deployment, what came back, and what became of what it accepted."""

import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.chaos.ledger import Ledger as Answers

#: How a job that was accepted may end, but for well: what it needed was away for too long.
JOB_CODES = frozenset({"browser_unavailable", "queue_unavailable", "storage_unavailable"})
_ORDER = ("pending", "processing", "completed", "failed")


@dataclass
class Job:
    accepted: float = field(default_factory=time.monotonic)
    state: str = "pending"


@dataclass
class Ledger:
    """Thread-safe. `answers` are those to the clients; a job is known by its id."""

    answers: Answers
    jobs: dict[str, Job] = field(default_factory=dict)
    #: Jobs that the farm has accepted, and of which it knows nothing any more, or without an end.
    lost: list[str] = field(default_factory=list)
    #: Renders that were begun for jobs, beyond one for each.
    repeated: int = 0
    longest_job_s: float = 0.0
    #: What was measured, in words.
    notes: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def accept(self, job_id: str) -> None:
        with self._lock:
            self.jobs.setdefault(job_id, Job())

    def see(self, job_id: str, state: str) -> None:
        """A job's state, as it was told; it must never go back."""
        with self._lock:
            job = self.jobs[job_id]
            if state not in _ORDER or _ORDER.index(state) < _ORDER.index(job.state):
                self.answers.defects.append(f"job {job_id} was {job.state} and is {state}")
            job.state = state
            if state in ("completed", "failed"):
                took_s = time.monotonic() - job.accepted
                self.longest_job_s = max(self.longest_job_s, took_s)

    def lose(self, job_id: str, why: str) -> None:
        with self._lock:
            self.lost.append(f"job {job_id}: {why}")

    def note(self, words: str) -> None:
        with self._lock:
            self.notes.append(words)

    def count_repeated(self, renders: Iterable[int]) -> None:
        """`renders`: how many were begun, for each job."""
        self.repeated = sum(count - 1 for count in renders if count > 1)

    def broken_promises(self) -> list[str]:
        return [*self.answers.broken_promises(), *(f"lost: {what}" for what in self.lost)]

    def table(self) -> str:
        rows = [
            ("jobs that were accepted", str(len(self.jobs))),
            ("jobs that were lost", str(len(self.lost))),
            ("renders of jobs done again", str(self.repeated)),
            ("longest job", f"{self.longest_job_s:.1f} s"),
        ]
        rows += [("note", words) for words in self.notes]
        width = max(len(name) for name, _ in rows)
        lines = [f"{name:<{width}}  {value}" for name, value in rows]
        lost = [f"BROKEN  lost: {what}" for what in self.lost]
        return "\n".join([self.answers.table(), *lines, *lost])

    def row(self, name: str) -> str:
        """A line of the table in docs/faults.md."""
        renders, jobs = self.answers.answers.get("good", Counter()), Counter[str]()
        jobs.update(self.answers.answers.get("jobs", Counter()))
        typed: Counter[str] = Counter()
        for codes in self.answers.answers.values():
            typed.update(codes)
        del typed["right"]
        told = ", ".join(f"{count} `{code}`" for code, count in sorted(typed.items())) or "none"
        cells = [
            name,
            f"{renders['right']:,} of {sum(renders.values()):,}",
            f"{len(self.jobs):,}",
            f"{jobs['right']:,}",
            told,
            str(len(self.lost)),
            str(len(self.answers.defects)),
            str(self.repeated),
            f"{self.answers.longest_answer_s:.1f} s",
            f"{self.longest_job_s:.0f} s",
        ]
        return f"| {' | '.join(cells)} |"


HEAD = (
    "| scenario | renders right | jobs accepted | right | typed errors | lost | wrong or untyped | "
    "done again | longest answer | longest job |\n|---|---|---|---|---|---|---|---|---|---|"
)
