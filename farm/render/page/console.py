"""What a page says in its console, and the errors that it does not catch, for a report.

Source: https://chromedevtools.github.io/devtools-protocol/tot/Runtime/ and …/tot/Log/
"""

import json
import re
from contextlib import suppress
from typing import Any

from farm.render.browser.devtools import DevToolsError, Params, Session
from farm.render.browser.page import Page
from farm.render.page.traffic import told_url

#: How many of each are told, and how much of a text.
MAX_TOLD = 50
_MAX_TEXT = 500
#: How much of a text is looked at to find what must not be told of it.
_LONGEST_TEXT = 2_000
#: A page that says more than this is not listened to any more: it would take the browser's thread.
_MAX_HEARD = 1_000
_MAX_HEARD_CHARACTERS = 1_000_000
_LOGINS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)[^/?#\s'\"<>\\]*@")


class Console:
    """Of one page, from before its render's first command; its frames' and workers' too."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.messages: list[dict[str, Any]] = []
        self.message_count = 0
        self.errors: list[dict[str, Any]] = []
        self.error_count = 0
        self._heard_characters = 0
        self._listens = True
        # No new document undoes what is begun here.
        page.is_altered = True
        page.on("Runtime.consoleAPICalled", self._on_call)
        page.on("Log.entryAdded", self._on_entry)
        page.on("Runtime.exceptionThrown", self._on_exception)
        page.prepare_child.append(self._listen)
        self._listen({}, page.session)

    def _listen(self, _: Params, session: Session) -> None:
        session.post("Runtime.enable")
        session.post("Log.enable")

    def _on_call(self, params: Params) -> None:
        parts = [_as_text(argument) for argument in params["args"]]
        frames = params.get("stackTrace", {}).get("callFrames") or [{}]
        self._say(params["type"], " ".join(parts), frames[0])

    def _on_entry(self, params: Params) -> None:
        entry = params["entry"]
        if entry["source"] != "network":  # failed requests are told as such
            self._say(entry["level"], entry["text"], entry)

    def _say(self, level: str, text: str, place: Params) -> None:
        self.message_count += 1
        self._note_heard(text)
        if len(self.messages) < MAX_TOLD:
            self.messages.append({"level": level, "text": _cut(text), **_place(place)})

    def _on_exception(self, params: Params) -> None:
        details = params["exceptionDetails"]
        thrown = details.get("exception", {})
        text = thrown.get("description") or f"{details['text']} {_as_text(thrown)}".strip()
        self.error_count += 1
        self._note_heard(text)
        if len(self.errors) < MAX_TOLD:
            self.errors.append({"text": _cut(text), **_place(details)})

    def _note_heard(self, text: str) -> None:
        self._heard_characters += len(text)
        is_many = self.message_count + self.error_count > _MAX_HEARD
        if self._listens and (is_many or self._heard_characters > _MAX_HEARD_CHARACTERS):
            self._listens = False
            self._page.prepare_child.remove(self._listen)
            for session in self._page.sessions():
                with suppress(DevToolsError):
                    session.post("Runtime.disable")
                    session.post("Log.disable")


def _as_text(value: Params) -> str:
    """A `Runtime.RemoteObject`, as consoles show it."""
    if "value" in value:
        known = value["value"]
        return known if isinstance(known, str) else json.dumps(known)
    kind: str = value.get("type", "")
    text: str = value.get("unserializableValue") or value.get("description") or kind
    return text


def _cut(text: str) -> str:
    told = _LOGINS.sub(r"\1", text[:_LONGEST_TEXT])[:_MAX_TEXT]
    return told.encode(errors="replace").decode()  # halves of characters


def _place(place: Params) -> dict[str, Any]:
    """Where it was said, if that is a file: its URL, and its line, counted from 1."""
    url = place.get("url", "")
    if not url.startswith(("http://", "https://")):
        return {}
    return {"url": told_url(url), "line": place.get("lineNumber", 0) + 1}
