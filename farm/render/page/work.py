"""The state of one render that its steps share."""

import math
from dataclasses import dataclass, field
from typing import Any

from farm.render.browser.devtools import Params
from farm.render.browser.page import Page
from farm.render.page.activity import Activity
from farm.render.page.caps import Caps
from farm.render.page.failing import Failures
from farm.render.page.interception import Interception
from farm.render.page.scripts import begin_call, begin_world, value_in, world_in
from farm.render.page.settling import Settling
from farm.request import RenderOptions, RenderRequest


@dataclass
class Work:
    page: Page
    request: RenderRequest
    caps: Caps
    activity: Activity
    interception: Interception
    settling: Settling
    failures: Failures
    #: The options of the file that is being captured, and where the request has them.
    options: RenderOptions
    place: str = "options"
    #: The option that is being handled now.
    step: str = "waitUntil"
    #: When the capture must be done if the request's own time has passed (`monotonic`).
    capture_until: float | None = None
    #: When the request's own time has passed (`monotonic`).
    latest: float = math.inf
    #: Further facts for the answer (`RenderResult.facts`).
    facts: dict[str, Any] = field(default_factory=dict)

    def call(self, name: str, *arguments: object, function: str | None = None) -> Params | None:
        """Call a function of `scripts.js` in the present document.

        Raises what `Activity.await_answer` does.
        """
        session, await_answer = self.page.session, self.activity.await_answer
        world = world_in(await_answer(begin_world(session, self.page.id)))
        return value_in(
            await_answer(begin_call(session, world, name, *arguments, function=function))
        )
