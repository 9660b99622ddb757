"""Reading gotenberg's features: as much of Gherkin as they use."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_CELL = re.compile(r"(?:\\.|[^|\\])*")
_ESCAPES = {"n": "\n"}


@dataclass
class Step:
    text: str
    rows: list[list[str]] = field(default_factory=list)
    doc: str | None = None


@dataclass
class Scenario:
    name: str
    steps: list[Step] = field(default_factory=list)


def scenarios(path: Path) -> Iterator[Scenario]:
    lines = iter(path.read_text().splitlines())
    found: Scenario | None = None
    for line in lines:
        text = line.strip()
        if text.startswith("Scenario: "):
            if found is not None:
                yield found
            found = Scenario(text.removeprefix("Scenario: "))
        elif found is None or not text or text.startswith(("#", "@")):
            continue
        elif text.startswith("|"):
            found.steps[-1].rows.append(_cells(text))
        elif text == '"""':
            found.steps[-1].doc = _document(lines, len(line) - len(line.lstrip()))
        else:
            found.steps.append(Step(text.partition(" ")[2]))
    if found is not None:
        yield found


def _cells(row: str) -> list[str]:
    parts = _CELL.findall(row[1:-1].replace("||", "| |"))
    return [_unescaped(part.strip()) for part in parts if part]


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), text)


def _document(lines: Iterator[str], indent: int) -> str:
    kept = []
    for line in lines:
        if line.strip() == '"""':
            break
        kept.append(line[indent:] if not line[:indent].strip() else line.lstrip())
    return "\n".join(kept)
