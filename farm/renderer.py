"""The interface of renderers: they take a `RenderRequest` and return a `RenderResult`.

The web layer and the job worker call it, in the threads that wait for renders. `farm.render.Engine`
implements it, and so does `farm.cache.CachedRenderer`, which calls another renderer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from farm.request import Limits, RenderRequest, RenderResult

#: Why a caller's browser context is closed. `error`: its render failed. `died`: the context or its
#: port of the egress proxy died or was closed. `remains`: something of a render is left in it.
#: `renders`, `age`: it has reached its limit of renders, or its age. `room`: another context needed
#: its place.
CONTEXT_END_CAUSES = ("error", "died", "remains", "renders", "age", "room")
#: The handle of a render that has begun. Each renderer has its own type.
R = TypeVar("R")


class RenderCancelled(Exception):
    """`Renderer.cancel` has ended the render."""


@dataclass(frozen=True)
class EngineStatus:
    """The state of an engine at one moment."""

    up: bool
    pages: int
    rendering: int
    max_waiting: int
    waiting: int
    spares: int
    #: Browsers started because one had `died` or the farm had `killed` it; and browsers replaced
    #: after `FARM_RECYCLE_AFTER_RENDERS`.
    restart_causes: Mapping[str, int]
    browser_recycles: int
    #: Renders that were retried.
    retries: int
    #: Late pages that each step of `render.keeping.escalation` has ended, by the step's name.
    late_pages: Mapping[str, int]
    #: GPU processes that had `died`, or that the farm had `killed`.
    gpu_ends: Mapping[str, int]
    #: Browser contexts that a caller keeps for several renders, and the closed ones by cause
    #: (`CONTEXT_END_CAUSES`).
    kept_contexts: int
    context_ends: Mapping[str, int]
    #: The memory of the browser's processes (PSS), a short time ago.
    memory_bytes: int
    #: The cache: `off` (none is configured), `idle` (the embedded one starts when a request needs
    #: it), `up` or `down`.
    cache: str = "off"

    @property
    def browser_restarts(self) -> int:
        return sum(self.restart_causes.values())


class Renderer(Protocol[R]):
    """The base class of renderers, which inherit `render`."""

    #: The limits against which requests are validated.
    limits: Limits

    def admit(self, caller: str | None = None) -> None:
        """Raises `Busy` if every render of the caller would be refused now.

        Called before the body of a request is read.
        """

    def begin(
        self,
        request: RenderRequest,
        request_id: str = "",
        caller: str | None = None,
        anew: bool = False,
        within_s: float | None = None,
    ) -> R:
        """Start a render that can be cancelled.

        `request_id` is for the log. `caller` is the name of the caller's API key, if there is one.
        `anew`: the result must not be older than the request. `within_s`: the remaining seconds, if
        they are fewer than the deadline.

        Raises `Busy`, `PageCrashes` (for a page that is known to crash) or `BrowserUnavailable`. A
        renderer may raise them in `wait` instead.
        """

    def wait(self, rendering: R) -> RenderResult:
        """Wait for the result, until the deadline.

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
        """End the render now. May be called from any thread."""

    def check(self) -> None:
        """Raises `BrowserUnavailable` if no render has been possible for a moment."""

    @property
    def status(self) -> EngineStatus: ...
