"""Reads values out of a page: renders it as HTML that a last script has replaced by the values.

The script replaces the whole content of the document. So nothing of the page can be mistaken for
its values, and the answer is no longer than the values are.
"""

import json
import re
from typing import Any

from farm.errors import FarmError, InvalidRequest, Problem, RenderTimeout, ScriptFailed
from farm.request import RenderResult
from farm.web.compat.puppeteer.draft import Draft
from farm.web.compat.puppeteer.scripts import called

_SCRIPT = "reading.js"
_VALUES = re.compile(rb"<farm-values[^>]*>(.*?)</farm-values>", re.DOTALL)
_WRONG = re.compile(r"(elements\.\d+\.selector) (must be a CSS selector)")
#: The share of the whole time in which the elements must appear.
_SHARE = 0.7
_ELEMENT_MS = 30_000


def read_elements(
    draft: Draft,
    elements: list[tuple[str, int | None]],
    *,
    are_needed: bool = True,
    html: bool = False,
) -> None:
    """Read what matches the selectors; wait for each so many milliseconds (None: 30 s).

    `are_needed`: a missing element is an error. `html`: also read the document's HTML.
    """
    most = int(draft.limit_ms * _SHARE)
    has_timers = draft.get("options.javaScript") is not False
    wanted = [
        {
            "selector": selector,
            "timeoutMs": min(_ELEMENT_MS if ms is None else ms, most) if has_timers else 0,
            "isNeeded": are_needed and has_timers and not draft.best_attempt,
        }
        for selector, ms in elements
    ]
    _read(draft, called(_SCRIPT, "elements", wanted, html))


def read_links(draft: Draft, *, visible_only: bool, own_only: bool) -> None:
    """Read the addresses of all links."""
    _read(draft, called(_SCRIPT, "links", visible_only, own_only))


def _read(draft: Draft, script: str) -> None:
    draft.set("options.format", "html")
    draft.add("options.scripts", script)


def read(result: RenderResult) -> dict[str, Any]:
    """What the script has read: `values`, `html`, and the document's `title`.

    Raises `RenderTimeout` or `ScriptFailed` if the page was captured before the script had run.
    """
    found = _values_in(result.data)
    if found is not None:
        return found
    if "timedOut" in result.facts:
        step = result.facts["timedOut"]
        raise RenderTimeout(f"The page did not finish in time: {step} was still waited for.")
    raise ScriptFailed("The page has navigated, or prevents its elements from being read.")


def _values_in(document: bytes) -> dict[str, Any] | None:
    """None if there are no values, or if the page itself has written something similar."""
    match = _VALUES.search(document)
    if match is None:
        return None
    try:
        found = json.loads(match[1])
    except (ValueError, RecursionError):
        return None
    return found if _is_whole(found) else None


def _is_whole(found: Any) -> bool:
    return (
        isinstance(found, dict)
        and isinstance(found.get("values"), list)
        and isinstance(found.get("title"), str)
        and isinstance(found.setdefault("html", None), str | None)
    )


def failure_of(text: str) -> FarmError | None:
    """The error that the script has thrown, as the farm's error; None for other errors.

    The script throws errors, so that no cache stores a document without values.
    """
    if text.startswith("Timed out waiting for selector "):
        return RenderTimeout(text)
    if match := _WRONG.fullmatch(text):
        return InvalidRequest(None, [Problem(match[1], match[2])])
    return None
