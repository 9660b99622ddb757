"""Collects a page's console messages and uncaught errors for a report.

Chromium keeps the last of both for each document, up to a thousand messages or ten megabytes, and
sends them to a client that starts to listen. So the farm starts to listen after the capture: a page
with very many messages costs nothing before, and little after it.

Source: https://chromedevtools.github.io/devtools-protocol/tot/Runtime/ and …/tot/Log/
"""

import json
import re
import time
from contextlib import suppress
from typing import Any

from farm.render.browser.devtools import DevToolsError, Params
from farm.render.browser.page import Page
from farm.render.page.traffic import reportable_url

#: How many messages and errors are reported, and how many characters of each.
MAX_TOLD = 50
_MAX_TEXT = 500
#: How much of a text is searched for logins that must not be reported.
_LONGEST_TEXT = 2_000
_LOGINS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)[^/?#\s'\"<>\\]*@")


class Console:
    """The messages and errors of the document that a page shows, its frames and its workers."""

    def __init__(self, page: Page) -> None:
        self.messages: list[dict[str, Any]] = []
        self.message_count = 0
        self.errors: list[dict[str, Any]] = []
        self.error_count = 0
        self._page = page
        page.sessions.on("Runtime.consoleAPICalled", self._on_call)
        page.sessions.on("Log.entryAdded", self._on_entry)
        page.sessions.on("Runtime.exceptionThrown", self._on_exception)

    def listen(self, until: float) -> None:
        """Collect what has been logged so far and is reported by `until` (`monotonic`)."""
        # A new document does not undo this.
        self._page.is_altered = True
        begun = []
        for session in self._page.sessions:
            with suppress(DevToolsError):
                begun += [session.begin("Runtime.enable"), session.begin("Log.enable")]
                session.post("Runtime.disable")
                session.post("Log.disable")
        for wait in begun:
            with suppress(DevToolsError):  # a frame or a worker that is busy or gone
                wait.wait(max(0.001, until - time.monotonic()))

    def _on_call(self, params: Params) -> None:
        parts = [_as_text(argument) for argument in params["args"]]
        frames = params.get("stackTrace", {}).get("callFrames") or [{}]
        self._add_message(params["type"], " ".join(parts), frames[0])

    def _on_entry(self, params: Params) -> None:
        entry = params["entry"]
        if entry["source"] != "network":  # failed requests are reported elsewhere
            self._add_message(entry["level"], entry["text"], entry)

    def _add_message(self, level: str, text: str, place: Params) -> None:
        self.message_count += 1
        if len(self.messages) < MAX_TOLD:
            self.messages.append({"level": level, "text": _cut(text), **_place(place)})

    def _on_exception(self, params: Params) -> None:
        details = params["exceptionDetails"]
        thrown = details.get("exception", {})
        text = thrown.get("description") or f"{details['text']} {_as_text(thrown)}".strip()
        self.error_count += 1
        if len(self.errors) < MAX_TOLD:
            self.errors.append({"text": _cut(text), **_place(details)})


def _as_text(value: Params) -> str:
    """A `Runtime.RemoteObject` as a console shows it."""
    if "value" in value:
        known = value["value"]
        return known if isinstance(known, str) else json.dumps(known)
    kind: str = value.get("type", "")
    text: str = value.get("unserializableValue") or value.get("description") or kind
    return text


def _cut(text: str) -> str:
    told = text[:_LONGEST_TEXT]
    if "@" in told and "://" in told:
        told = _LOGINS.sub(r"\1", told)
    told = told[:_MAX_TEXT]
    return told.encode(errors="replace").decode()  # lone surrogates


def _place(place: Params) -> dict[str, Any]:
    """The URL of the file that logged it, and the line, counted from 1. Empty if it is no file."""
    url = place.get("url", "")
    if not url.startswith(("http://", "https://")):
        return {}
    return {"url": reportable_url(url), "line": place.get("lineNumber", 0) + 1}
