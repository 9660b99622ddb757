"""Finds the fonts that a page was drawn with, and its characters that no font has, for a report.

It asks the document and its frames after the capture (`typefaces.js`), and only as long as there is
time. What a page does not answer is left out.

Source: https://chromedevtools.github.io/devtools-protocol/tot/CSS/
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from farm.render.browser.devtools import (
    BrowserGone,
    CommandFailed,
    DevToolsError,
    Params,
    Session,
    TargetGone,
    TimedOut,
    Wait,
)
from farm.render.page.frames import frame_ids
from farm.render.page.interception import Paused
from farm.render.page.navigation import DocumentGone
from farm.render.page.scripts import begin_call, begin_world, function_in, value_in, world_in
from farm.render.page.work import Work

_FUNCTION = function_in("typefaces.js")
#: A longer list of missing characters would say nothing more.
MAX_MISSING = 100
MAX_FONTS = 50
_MAX_NAME = 100
#: How many frames are examined, including the page's own document.
_MAX_FRAMES = 20


@dataclass
class Typefaces:
    """What was found. `is_whole`: everything was, in the available time."""

    missing: list[str] = field(default_factory=list)
    fonts: list[dict[str, Any]] = field(default_factory=list)
    is_whole: bool = True


def find(work: Work, until: float) -> Typefaces:
    """Search until `until` (`monotonic`). Raises `DocumentGone` or `BrowserGone`."""
    return _Search(work, until).found


class _Search:
    def __init__(self, work: Work, until: float) -> None:
        self._work = work
        self._until = until
        self._enabled: set[Session] = set()
        self.found = Typefaces()
        missing: dict[str, None] = {}
        fonts: dict[tuple[str, str, bool], None] = {}
        for session, frame in self._frames():
            try:
                world = world_in(self._answer(begin_world(session, frame)))
                missing |= dict.fromkeys(self._missing(session, world))
                fonts |= dict.fromkeys(self._fonts(session, world))
            except (DocumentGone, BrowserGone):
                raise
            except DevToolsError:  # it is gone, busy, or has broken the function
                self.found.is_whole = False
        self.found.is_whole &= len(missing) <= MAX_MISSING and len(fonts) <= MAX_FONTS
        self.found.missing = list(missing)[:MAX_MISSING]
        self.found.fonts = [
            {"family": family, "name": name, "isWebFont": is_web}
            for family, name, is_web in sorted(fonts)[:MAX_FONTS]
        ]

    def _frames(self) -> Iterator[tuple[Session, str]]:
        """The page's own document first, then the frames of other processes."""
        count = 0
        workers = self._work.activity.requests.workers
        for session in self._work.page.sessions:
            if session in workers:  # a worker has no frames, and may be busy for ever
                continue
            try:
                tree = self._answer(session.begin("Page.getFrameTree"))["frameTree"]
            except (CommandFailed, TargetGone, TimedOut):  # it is gone, or busy
                self.found.is_whole = False
                continue
            for frame in frame_ids(tree):
                if count == _MAX_FRAMES:
                    self.found.is_whole = False
                    return
                count += 1
                yield session, frame

    def _missing(self, session: Session, world: int) -> list[str]:
        call = begin_call(session, world, "missing", MAX_MISSING, function=_FUNCTION)
        found = value_in(self._answer(call))
        assert found is not None
        self.found.is_whole &= found["isWhole"]
        characters: list[str] = found["characters"]
        return characters

    def _fonts(self, session: Session, world: int) -> list[tuple[str, str, bool]]:
        call = begin_call(session, world, "sample", function=_FUNCTION, by_value=False)
        answer = self._answer(call)
        value_in(answer)
        self._enable(session)
        element = {"objectId": answer["result"]["objectId"]}
        node = {"nodeId": self._answer(session.begin("DOM.requestNode", element))["nodeId"]}
        used = self._answer(session.begin("CSS.getPlatformFontsForNode", node))["fonts"]
        return [
            (
                font["familyName"][:_MAX_NAME],
                font.get("postScriptName", "")[:_MAX_NAME],
                font["isCustomFont"],
            )
            for font in used
        ]

    def _enable(self, session: Session) -> None:
        """Have Chromium report fonts. It first tries to load the page's style sheets again.

        Sites must not notice, so from here on no request of the page is sent.
        """
        if session in self._enabled:
            return
        if not self._enabled:  # this covers the page's frames too
            self._work.interception.add(_refuse, [{"urlPattern": "*"}], first=True)
        self._enabled.add(session)
        session.post("DOM.enable")
        session.post("DOM.getDocument", {"depth": 0})
        self._answer(session.begin("CSS.enable"))

    def _answer(self, begun: Wait) -> Params:
        left_s = max(0.001, self._until - time.monotonic())
        answer: Params = self._work.activity.await_answer(begun, left_s)
        return answer


def _refuse(paused: Paused) -> None:
    paused.fail()
