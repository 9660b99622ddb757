"""What came back, and when: written by whatever sends load, read by whoever wants the figures."""

import json
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path


def percentile(values: list[float], share: float) -> float:
    """The least value that so large a share of them does not exceed; NaN for none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


@dataclass(frozen=True)
class Answer:
    """`at`: when it was there, by `time.monotonic()`; `problem`: empty for a right one."""

    at: float
    ms: float
    name: str
    problem: str = ""


@dataclass
class Answers:
    """Those of one run; `began` and `ended` by `time.monotonic()`, which processes share."""

    began: float = field(default_factory=time.monotonic)
    ended: float = math.nan
    answers: list[Answer] = field(default_factory=list)

    def note(self, name: str, ms: float, problem: str = "") -> None:
        self.answers.append(Answer(time.monotonic(), ms, name, problem))

    def since(self, moment: float) -> "Answers":
        """Those of later, as a run that began then."""
        kept = [answer for answer in self.answers if answer.at >= moment]
        return Answers(moment, self.ended, kept)

    def where(self, condition: Callable[[Answer], bool]) -> "Answers":
        return Answers(self.began, self.ended, [each for each in self.answers if condition(each)])

    @property
    def right(self) -> list[float]:
        """Milliseconds of the right ones."""
        return [answer.ms for answer in self.answers if not answer.problem]

    @property
    def rate(self) -> float:
        """Right answers a second."""
        return len(self.right) / (self.ended - self.began)

    @property
    def problems(self) -> list[str]:
        return [f"{answer.name}: {answer.problem}" for answer in self.answers if answer.problem]

    @property
    def p50(self) -> float:
        return statistics.median(self.right) if self.right else math.nan

    @property
    def p95(self) -> float:
        return percentile(self.right, 0.95)

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls, path: Path) -> "Answers":
        data = json.loads(path.read_text())
        return cls(data["began"], data["ended"], [Answer(**each) for each in data["answers"]])
