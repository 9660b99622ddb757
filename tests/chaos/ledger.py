"""What was sent, what came back, and which promises were not kept."""

import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.chaos.asking import Answer
from tests.chaos.census import Census


@dataclass
class Ledger:
    """Thread-safe. Times are seconds."""

    deadline_s: float
    #: Good and bad renders, jobs and health checks by how they ended.
    answers: dict[str, Counter[str]] = field(default_factory=dict)
    #: What was wrong or had no type, in words.
    defects: list[str] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    #: Slow clients by their kinds.
    slow: Counter[str] = field(default_factory=Counter)
    #: Connections that a gunicorn worker had when it was killed or stopped, by the clients' ports.
    in_flight: set[int] = field(default_factory=set)
    lost_with_worker: int = 0
    longest_answer_s: float = 0.0
    longest_outage_s: float = 0.0
    start: Census | None = None
    end: Census | None = None
    _last_right: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _doubtful: list[tuple[str, Answer]] = field(default_factory=list)
    _late: list[tuple[str, Answer]] = field(default_factory=list)

    def count(self, kind: str, answer: Answer, right: bool, allowed: frozenset[str]) -> None:
        """`right`: it is the file that was asked for; `allowed`: codes it may have instead."""
        with self._lock:
            code = answer.code if not right else "right"
            if code == "ok" or (not right and code not in allowed):
                # A killed worker's connections are known only after it was killed.
                self._doubtful.append((f"{kind}: {'wrong file' if code == 'ok' else code}", answer))
                return
            self._take(kind, code)
            if answer.seconds > self.deadline_s + 2:
                self._late.append((f"{kind}: {code}", answer))
            else:
                self.longest_answer_s = max(self.longest_answer_s, answer.seconds)
            if right and kind == "good":
                outage = answer.ended - self._last_right
                self.longest_outage_s = max(self.longest_outage_s, outage)
                self._last_right = max(self._last_right, answer.ended)

    def count_job(self, code: str, allowed: frozenset[str]) -> None:
        """How an accepted job ended."""
        with self._lock:
            self._take("jobs", code)
            if code != "right" and code not in allowed:
                self.defects.append(f"job: {code}")

    def count_slow(self, kind: str) -> None:
        with self._lock:
            self.slow[kind] += 1

    def close(self, own_seconds: Mapping[str, float]) -> None:
        """Once no more is sent.

        `own_seconds`: what the farm's log says of each request by its id. The deadline counts from
        when a request has arrived: a client that has waited for longer may have waited to be heard,
        on a machine that is busy with other work.
        """
        with self._lock:
            for what, answer in self._late:
                seconds = own_seconds.get(answer.headers.get("x-request-id", ""), answer.seconds)
                self.longest_answer_s = max(self.longest_answer_s, seconds)
                if seconds > self.deadline_s + 2:
                    self._doubtful.append((f"{what} after {seconds:.1f} s", answer))
            self._late.clear()
            for what, answer in self._doubtful:
                if answer.local_port in self.in_flight:
                    self.lost_with_worker += 1
                    self.in_flight.discard(answer.local_port)
                else:
                    self.defects.append(what)
            self._doubtful.clear()

    def right(self, kind: str) -> int:
        return self.answers.get(kind, Counter())["right"]

    def broken_promises(self) -> list[str]:
        """Empty where all were kept."""
        broken = list(self.defects)
        if self.start and self.end:
            broken += self.end.worse_than(self.start)
        return broken

    def table(self) -> str:
        rows = []
        for kind, codes in sorted(self.answers.items()):
            rows.append((f"{kind}: sent", str(sum(codes.values()))))
            rows += [(f"{kind}: {code}", str(n)) for code, n in codes.most_common()]
        rows += [
            ("wrong or untyped", str(len(self.defects))),
            ("lost with a killed or stopped worker", str(self.lost_with_worker)),
            ("longest answer", f"{self.longest_answer_s:.1f} s, of {self.deadline_s + 2:g}"),
            ("longest time without a right answer", f"{self.longest_outage_s:.1f} s"),
        ]
        rows += [(f"fault: {name}", str(n)) for name, n in sorted(self.faults.items())]
        rows += [(f"slow clients: {kind}", str(n)) for kind, n in sorted(self.slow.items())]
        for name, census in (("start", self.start), ("end", self.end)):
            if census:
                rows.append((f"at the {name}", str(census)))
        width = max(len(name) for name, _ in rows)
        lines = [f"{name:<{width}}  {value}" for name, value in rows]
        return "\n".join([*lines, *(f"BROKEN  {what}" for what in self.broken_promises())])

    def _take(self, kind: str, code: str) -> None:
        self.answers.setdefault(kind, Counter())[code] += 1
