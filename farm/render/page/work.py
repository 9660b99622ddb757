"""One render under way: what its steps have in common."""

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
    #: Those of the file that is captured, and where the request has them.
    options: RenderOptions
    place: str = "options"
    #: The option that is worked on now.
    step: str = "waitUntil"
    #: When its capture must be done if its time has passed (`monotonic`).
    capture_until: float | None = None
    #: When nothing more is waited for, by the request's own time (`monotonic`).
    latest: float = math.inf
    #: What the answer shall tell besides (`RenderResult.facts`).
    facts: dict[str, Any] = field(default_factory=dict)

    def call(self, name: str, *arguments: object, function: str | None = None) -> Params | None:
        """A function of `scripts.js` in the present document. Raises what `Activity.bind` does."""
        session, bind = self.page.session, self.activity.bind
        world = world_in(bind(begin_world(session, self.page.id)))
        return value_in(bind(begin_call(session, world, name, *arguments, function=function)))
