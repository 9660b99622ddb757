"""Summarizes the facts about a rendered page as a few lines of text."""

from collections.abc import Iterator, Mapping
from typing import Any

#: The length of all lines together, in characters.
_MAX_TEXT = 8_000
#: The number of lines of each list.
_MAX_LINES = 20


def summary_lines(facts: Mapping[str, Any]) -> list[str]:
    """The facts of a JSON answer as lines (docs/options.md, "What the answer tells").

    Long lists are cut.
    """
    lines = [*_page(facts), *_lists(facts)]
    kept: list[str] = []
    left = _MAX_TEXT
    for line in lines:
        left -= len(line)
        if left < 0:
            kept.append("… (cut here)")
            break
        kept.append(line)
    return kept


def _page(facts: Mapping[str, Any]) -> Iterator[str]:
    named = {"title": "Title", "finalUrl": "URL", "status": "HTTP status", "pages": "Pages"}
    for name, label in named.items():
        if name in facts:
            yield f"{label}: {facts[name]}"
    if "timedOut" in facts:
        yield f"Captured before it was ready; still waited for: {facts['timedOut']}"


def _lists(facts: Mapping[str, Any]) -> Iterator[str]:
    report: Mapping[str, Any] = facts.get("report", {})
    yield from _list("Unfinished", [str(each) for each in facts.get("unfinished", ())])
    yield from _list("Page errors", [_said(each) for each in report.get("pageErrors", ())])
    failed = report.get("requests", {}).get("failed", ())
    yield from _list("Failed requests", [_request(each) for each in failed])
    blocked = report.get("blocked") or facts.get("blocked", ())
    yield from _list("Blocked", [_request(each) for each in blocked])
    glyphs = [f"{each['character']} ({each['codePoints']})" for each in _glyphs(report)]
    if glyphs:
        yield f"Characters that no font has: {', '.join(glyphs[:_MAX_LINES])}"
    yield from _list("Redirects", [_request(each) for each in report.get("redirects", ())])
    console = report.get("console", ())
    yield from _list("Console", [f"{each['level']}: {_said(each)}" for each in console])
    if report and not any((report.get("pageErrors"), failed, blocked, glyphs, console)):
        yield "Report: no errors, no console messages, no failed requests, no missing glyphs."


def _glyphs(report: Mapping[str, Any]) -> list[Mapping[str, str]]:
    return list(report.get("missingGlyphs", ()))


def _list(title: str, items: list[str]) -> Iterator[str]:
    if not items:
        return
    yield f"{title} ({len(items)}):"
    # Lines of the page's own text are indented, so that they cannot imitate lines of this summary.
    yield from ("  " + "\n    ".join(item.splitlines()) for item in items[:_MAX_LINES])
    if len(items) > _MAX_LINES:
        yield f"  … and {len(items) - _MAX_LINES} more"


def _said(message: Mapping[str, Any]) -> str:
    place = ":".join(str(message[name]) for name in ("url", "line") if message.get(name))
    return f"{message['text']} [{place}]" if place else str(message["text"])


def _request(request: Mapping[str, Any]) -> str:
    about = [str(request[name]) for name in ("status", "reason") if request.get(name)]
    where = request.get("url") or request.get("host") or ""
    return f"{where}: {', '.join(about)}" if about else str(where)
