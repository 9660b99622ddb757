"""Makes the report that `report: true` adds to an answer: what the page did, lacked and took.

`begin` starts to note what the page loads. `finish` is called after the capture, and examines the
page as long as there is time. The size of a report is bounded, since the cache and a job's record
store it: lists that are too long are cut at their ends, and `omitted` says how many items of each
are missing.
"""

import json
import time
from dataclasses import dataclass
from typing import Any

from farm.render.browser.devtools import DevToolsError
from farm.render.page import typefaces
from farm.render.page.console import Console
from farm.render.page.settling import Patience
from farm.render.page.traffic import Traffic
from farm.render.page.typefaces import Typefaces
from farm.render.page.work import Work
from farm.request import Timings

#: As ASCII JSON, the form in which it is stored and sent.
MAX_BYTES = 60_000
#: The time that examining the page may take after the capture.
_EXAMINING_S = 2.0
_MAX_REFUSALS = 50


@dataclass
class Report:
    """The report of one render, from before the render's first command."""

    work: Work
    traffic: Traffic
    console: Console

    def finish(self, timings: Timings, patience: Patience) -> None:
        """Make the report, and add it to the answer's facts."""
        began = time.monotonic()
        # Half of the remaining time is left for sending the answer.
        until = min(began + _EXAMINING_S, began + (patience.deadline - began) / 2)
        self.console.listen(began + (until - began) / 2)
        report, counts = self._collect()
        try:
            found = typefaces.find(self.work, until)
        except DevToolsError:  # the picture exists, whatever became of the page
            found = Typefaces(is_whole=False)
        spent_ms = (time.monotonic() - began) * 1000
        told = {"timings": _timing_facts(timings, spent_ms), **report, **_typeface_facts(found)}
        self.work.facts["report"] = within_bounds(told, counts)

    def _collect(self) -> tuple[dict[str, Any], dict[str, int]]:
        """What the page has done so far, and the full lengths of its lists."""
        traffic, console = self.traffic, self.console
        notes = self.work.page.port.notes
        traffic.explain(notes)
        refused = dict.fromkeys((note.host, note.reason) for note in notes if note.refused)
        told = [{"host": host, "reason": reason} for host, reason in refused][:_MAX_REFUSALS]
        report = {
            "requests": {
                "count": traffic.count,
                "bytes": traffic.bytes,
                "slowest": traffic.slowest,
                "failed": list(traffic.failed),
            },
            "redirects": list(traffic.redirects),
            "console": list(console.messages),
            "pageErrors": list(console.errors),
            "blocked": [*told, *traffic.blocked],
        }
        counts = {
            "requests.failed": traffic.failed_count,
            "console": console.message_count,
            "pageErrors": console.error_count,
            "blocked": len(refused) + traffic.blocked_count,
        }
        return report, counts


def begin(work: Work) -> Report | None:
    """None if no report is wanted. Raises `DevToolsError`."""
    if not work.request.report:
        return None
    return Report(work, Traffic(work.page), Console(work.page))


def within_bounds(report: dict[str, Any], counts: dict[str, int]) -> dict[str, Any]:
    """The report, cut to `MAX_BYTES`. `counts`: the full lengths of its lists."""
    requests = report["requests"]
    lists = {
        "requests.slowest": requests["slowest"],
        "requests.failed": requests["failed"],
        **{name: value for name, value in report.items() if isinstance(value, list)},
    }
    counts = {name: max(counts.get(name, 0), len(items)) for name, items in lists.items()}
    sizes = {name: _size(items) for name, items in lists.items()}
    rest = _size(report) - sum(sizes.values())
    while rest + sum(sizes.values()) > MAX_BYTES:
        longest = max(sizes, key=lambda name: sizes[name])
        items = lists[longest]
        del items[len(items) // 2 :]
        sizes[longest] = _size(items)
    omitted = {name: counts[name] - len(items) for name, items in lists.items()}
    omitted = {name: count for name, count in omitted.items() if count}
    return report | {"omitted": omitted} if omitted else report


def _timing_facts(timings: Timings, fonts_ms: float) -> dict[str, float]:
    """Milliseconds, by the names of `Server-Timing`."""
    spent = {
        "wait": timings.waiting_ms,
        "load": timings.loading_ms,
        "settle": timings.settling_ms,
        "capture": timings.capturing_ms,
        "report": fonts_ms,
    }
    return {name: round(spent_ms, 1) for name, spent_ms in spent.items()}


def _typeface_facts(found: Typefaces) -> dict[str, Any]:
    missing = [{"character": text, "codePoints": _code_points(text)} for text in found.missing]
    told: dict[str, Any] = {"missingGlyphs": missing, "fonts": found.fonts}
    return told if found.is_whole else told | {"fontsAreIncomplete": True}


def _size(value: object) -> int:
    return len(json.dumps(value))


def _code_points(text: str) -> str:
    return " ".join(f"U+{ord(character):04X}" for character in text)
