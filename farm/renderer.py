"""What renders, for those who ask: `RenderRequest` in, `RenderResult` or a `FarmError` out.

`farm.render.Engine` is one, and `farm.cache.CachedRenderer` is one in front of another.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from farm.request import Limits, RenderRequest, RenderResult

#: Why a browser context that belongs to a caller is given up: its render ended in an `error`; it,
#: or its way to the network, has `died` or was closed; there are `remains` of a render in it; it
#: has had its `renders`, or its `age`; another one needed the `room`.
CONTEXT_END_CAUSES = ("error", "died", "remains", "renders", "age", "room")
#: What stands for a render that has begun; each renderer has its own kind.
R = TypeVar("R")


class RenderCancelled(Exception):
    """The render was ended by `Renderer.cancel`; its result is wanted no more."""


@dataclass(frozen=True)
class EngineStatus:
    """What an engine has and uses, at one moment."""

    up: bool
    pages: int
    rendering: int
    max_waiting: int
    waiting: int
    spares: int
    #: Browsers that were started because one had `died` or the farm had `killed` it, and because
    #: one was used up.
    restart_causes: Mapping[str, int]
    browser_recycles: int
    #: Renders that were tried again.
    retries: int
    #: How many late pages each step of `render.keeping.escalation` has ended, by its name.
    late_pages: Mapping[str, int]
    #: GPU processes that had `died`, or that the farm had `killed`.
    gpu_ends: Mapping[str, int]
    #: Browser contexts that belong to a caller for more than a render, and how many were given up
    #: for which of `CONTEXT_END_CAUSES`.
    kept_contexts: int
    context_ends: Mapping[str, int]
    #: Of the browser's processes (PSS), not long ago.
    memory_bytes: int
    #: Whether results are kept: `off` (there is no server for them), `idle` (it is started by the
    #: first request that asks for it), `up`, or `down`.
    cache: str = "off"

    @property
    def browser_restarts(self) -> int:
        return sum(self.restart_causes.values())


class Renderer(Protocol[R]):
    """To be inherited from: `render` is the same for all."""

    #: What requests are checked against.
    limits: Limits

    def admit(self, caller: str | None = None) -> None:
        """Raises `Busy` if any render of the caller's would be refused now: before its request is
        read.
        """

    def begin(
        self,
        request: RenderRequest,
        request_id: str = "",
        caller: str | None = None,
        anew: bool = False,
        within_s: float | None = None,
    ) -> R:
        """Start a render that can be cancelled. `request_id` is for the log; `caller` is the name
        of an API key, if it is rendered for one; `anew`: the result must be no older than the
        request; `within_s`: the seconds that are left for it, if they are less than the deadline.

        Raises `Busy`, `PageCrashes` (known to), or `BrowserUnavailable`; a renderer may raise them
        in `wait` only.
        """

    def wait(self, rendering: R) -> RenderResult:
        """Its result, within the deadline.

        Raises `Busy`, `BrowserUnavailable`, `RenderTimeout`, `NavigationFailed`, `UrlRefused`,
        `OutputTooLarge`, `PageCrashes`, `InternalError`, or `RenderCancelled`.
        """

    def render(
        self,
        request: RenderRequest,
        request_id: str = "",
        caller: str | None = None,
        anew: bool = False,
    ) -> RenderResult:
        """`begin` and `wait`."""
        return self.wait(self.begin(request, request_id, caller, anew))

    def cancel(self, rendering: R) -> None:
        """End it now, from any thread; nothing of it runs on unless others wait for it too."""

    def check(self) -> None:
        """Raises `BrowserUnavailable` if it has not been able to render for a moment."""

    @property
    def status(self) -> EngineStatus: ...
