"""What `report: true` adds to an answer: what the page did, what it lacked, and what it took.

`begin` listens from before the page loads; `finish` is called once the picture has been taken, and
looks for fonts as long as there is time. A report is bounded in bytes, since the cache and a job's
record keep it: lists that are too long are cut at their ends, and `omitted` says how much is
missing of which.
"""

import json
import time
from dataclasses import dataclass
from typing import Any

from farm.policy import Refusal
from farm.render.browser.devtools import DevToolsError
from farm.render.page import typefaces
from farm.render.page.console import Console
from farm.render.page.settling import Patience
from farm.render.page.traffic import Traffic
from farm.render.page.typefaces import Typefaces
from farm.render.page.work import Work
from farm.request import Timings

#: As JSON in ASCII, which is how it is kept and sent.
MAX_BYTES = 60_000
#: What looking for fonts may take.
_FONTS_S = 1.0
_MAX_REFUSALS = 50


@dataclass
class Report:
    """Of one render, from before its first command."""

    work: Work
    traffic: Traffic
    console: Console

    def finish(self, timings: Timings, patience: Patience) -> None:
        """Tell all of it."""
        now = time.monotonic()
        # The answer has time left to be sent in.
        until = min(now + _FONTS_S, now + (patience.deadline - now) / 2)
        try:
            found = typefaces.find(self.work, until)
        except DevToolsError:  # the picture is there, whatever became of the page
            found = Typefaces(is_whole=False)
        spent_ms = (time.monotonic() - now) * 1000
        notes = self.work.page.port.notes
        self.traffic.explain(notes)
        refusals = list(dict.fromkeys(Refusal(n.host, n.reason) for n in notes if n.refused))
        self.work.facts["report"] = self._told(timings, spent_ms, found, refusals)

    def _told(
        self, timings: Timings, spent_ms: float, found: Typefaces, refusals: list[Refusal]
    ) -> dict[str, Any]:
        traffic, console = self.traffic, self.console
        refused = [{"host": r.host, "reason": r.reason} for r in refusals[:_MAX_REFUSALS]]
        report: dict[str, Any] = {
            "timings": {
                "wait": round(timings.waiting_ms, 1),
                "load": round(timings.loading_ms, 1),
                "settle": round(timings.settling_ms, 1),
                "capture": round(timings.capturing_ms, 1),
                "report": round(spent_ms, 1),
            },
            "requests": {
                "count": traffic.count,
                "bytes": traffic.bytes,
                "slowest": traffic.slowest,
                "failed": traffic.failed,
            },
            "redirects": traffic.redirects,
            "console": console.messages,
            "pageErrors": console.errors,
            "blocked": [*refused, *traffic.blocked],
            "missingGlyphs": [
                {"character": text, "codePoints": _code_points(text)} for text in found.missing
            ],
            "fonts": found.fonts,
        }
        if not found.is_whole:
            report["fontsAreIncomplete"] = True
        counts = {
            "requests.failed": traffic.failed_count,
            "console": console.message_count,
            "pageErrors": console.error_count,
            "blocked": len(refusals) + traffic.blocked_count,
        }
        return within_bounds(report, counts)


def begin(work: Work) -> Report | None:
    """None: nobody asked for one. Raises `DevToolsError`."""
    if not work.request.report:
        return None
    return Report(work, Traffic(work.page), Console(work.page))


def within_bounds(report: dict[str, Any], counts: dict[str, int]) -> dict[str, Any]:
    """The report, cut to `MAX_BYTES`. `counts`: how many there were, of the lists that are cut."""
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


def _size(value: object) -> int:
    return len(json.dumps(value))


def _code_points(text: str) -> str:
    return " ".join(f"U+{ord(character):04X}" for character in text)
