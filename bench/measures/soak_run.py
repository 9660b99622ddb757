"""What comes of a soak: samples of what the farm's processes held, and the peaks among them."""

import json
import statistics
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.contenders.tree import Reading

#: How far a peak may be from the second one.
TOLERANCE = 0.05
#: What is compared, by its field of `Reading`.
MEASURES = {"memory_mib": "memory, MiB", "files": "open files", "processes": "processes"}


@dataclass(frozen=True)
class Sample:
    """What the farm's processes held `seconds` after the start, when so many were answered."""

    renders: int
    seconds: float
    reading: Reading


@dataclass
class Run:
    """What came of it; `wrong` and `left_over` are sentences.

    `warnings`: lines of the farm's log, if an answer was wrong.
    """

    renders: int
    seconds: float = 0.0
    samples: list[Sample] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    left_over: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def block(self) -> int:
        """Renders that have one peak: a thousand, or a tenth of a short run."""
        return max(1, min(1000, self.renders // 10))

    @property
    def usual_browsers(self) -> int:
        return int(statistics.median(sample.reading.browsers for sample in self.samples))

    def peaks(self, measure: str, with_handovers: bool = True) -> list[float]:
        """The peak of each thousand; NaN where there is no sample.

        In a handover there is a browser more than usual: one is replaced, the new one started
        first.
        """
        found = [float("nan")] * -(-self.renders // self.block)
        for sample in self.samples:
            if with_handovers or sample.reading.browsers <= self.usual_browsers:
                place = min(sample.renders // self.block, len(found) - 1)
                value = float(getattr(sample.reading, measure))
                found[place] = value if found[place] != found[place] else max(found[place], value)
        return found

    def strays(self, with_handovers: bool = True) -> list[str]:
        """Peaks that are not within the tolerance of the second thousand's."""
        found = []
        for measure, name in MEASURES.items():
            peaks = self.peaks(measure, with_handovers)
            for place, peak in enumerate(peaks[2:], 3):
                if not abs(peak / peaks[1] - 1) <= TOLERANCE:
                    where = f"up to render {place * self.block:,}"
                    found.append(f"{name} {where}: {change(peaks, peak)}")
        return found

    @property
    def zombies(self) -> int:
        return max((sample.reading.zombies for sample in self.samples), default=0)

    def save(self, path: Path) -> None:
        # `asdict` cannot copy a Counter.
        data = vars(self) | {"samples": [asdict(sample) for sample in self.samples]}
        path.write_text(json.dumps(data, separators=(",", ":")) + "\n")

    @classmethod
    def load(cls, path: Path) -> "Run":
        data = json.loads(path.read_text())
        samples = [Sample(**s | {"reading": Reading(**s["reading"])}) for s in data["samples"]]
        return cls(**data | {"samples": samples, "answers": Counter(data["answers"])})


def change(peaks: list[float], peak: float) -> str:
    """Against the second thousand's."""
    return f"{peak / peaks[1] - 1:+.1%}" if len(peaks) > 1 else ""
