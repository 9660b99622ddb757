"""Calls functions in all frames of a page at the same time, whichever process draws them."""

import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from farm.render.browser.devtools import BrowserGone, DevToolsError, Params, TargetGone, Wait
from farm.render.browser.page import Page
from farm.render.page.activity import Activity
from farm.render.page.navigation import DocumentGone
from farm.render.page.scripts import begin_call, begin_world, world_in

#: The time that a call in a frame may take. The frame may be busy, or not be allowed to run
#: scripts.
_FRAME_S = 1.0


class Frames:
    """The frames of one page."""

    def __init__(self, page: Page, activity: Activity) -> None:
        self._page = page
        self._activity = activity

    def call(
        self,
        name: str,
        *arguments: object,
        but: str | None = None,
        limit: float = math.inf,
        function: str | None = None,
    ) -> None:
        """Call a function of the farm's scripts in all frames except `but`, in parallel.

        Frames that are gone or in which the function fails are skipped. Raises `TargetGone` if the
        page is gone.
        """
        sessions = list(self._page.sessions)
        trees = self.answers(
            [begin_if_there(each.begin, "Page.getFrameTree") for each in sessions], limit
        )
        frames = [
            (session, frame)
            for session, answer in zip(sessions, trees, strict=True)
            if answer is not None  # a worker has no frames
            for frame in frame_ids(answer["frameTree"])
            if frame != but
        ]
        worlds = self.answers([begin_if_there(begin_world, *each) for each in frames], limit)
        call = partial(begin_call, function=function)
        self.answers(
            [
                begin_if_there(call, session, world_in(world), name, *arguments)
                for (session, _), world in zip(frames, worlds, strict=True)
                if world is not None
            ],
            limit,
        )
        self._page.check()

    def answers(
        self, begun: Sequence[Wait | None], limit: float, timeout_s: float = _FRAME_S
    ) -> list[Params | None]:
        """The answers of frames or workers. None for an error, or for no answer in time."""
        end = min(time.monotonic() + timeout_s, limit)
        answers: list[Params | None] = []
        for wait in begun:
            answer = None
            try:
                if wait is not None:
                    answer = self._activity.await_answer(wait, max(0.001, end - time.monotonic()))
            except (DocumentGone, BrowserGone):
                raise
            except DevToolsError:  # it is gone, busy, or may not run scripts
                pass
            answers.append(answer)
        return answers


def begin_if_there(begin: Callable[..., Wait], *arguments: object) -> Wait | None:
    """Call `begin`; None if its target is gone."""
    try:
        return begin(*arguments)
    except TargetGone:
        return None


def frame_ids(tree: dict[str, Any]) -> list[str]:
    """The frames of a `FrameTree`, its own first."""
    children = [frame for child in tree.get("childFrames", ()) for frame in frame_ids(child)]
    return [tree["frame"]["id"], *children]
