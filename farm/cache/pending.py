"""A request that is being answered by `CachedRenderer`: the files it accepts, and its deadline."""

import time
from dataclasses import dataclass, field, replace
from typing import Any

from farm.cache.joining import Waiter
from farm.cache.value import Stored
from farm.errors import RenderTimeout
from farm.renderer import RenderCancelled
from farm.request import CacheUse, RenderRequest, RenderResult, Timings


@dataclass(eq=False)
class PendingRender(Waiter):
    """What `CachedRenderer.begin` returns. Only its own thread changes it, except in `cancel`."""

    request: RenderRequest
    request_id: str
    caller: str | None
    deadline: float
    #: The time from `begin` to `deadline`.
    seconds: float
    ttl_ms: int
    anew: bool = False
    #: The key in the cache. None: the request does not ask for the cache, and `rendering` is set.
    key: str | None = None
    #: What the inner renderer's `begin` has returned; None before.
    rendering: Any = None
    cancelled: bool = False
    #: The store did not answer. It is not asked again for this request.
    without_store: bool = False
    #: The failed renders of other requests that it has waited for.
    failed_waits: int = 0
    #: For how long the store would keep the file that was too old for this request.
    old_left_ms: int = 0
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        super().__init__()

    @property
    def left_s(self) -> float:
        return max(0.0, self.deadline - time.monotonic())

    def check(self) -> None:
        """Raises `RenderCancelled` if it was cancelled, and `RenderTimeout` after its deadline."""
        if self.cancelled:
            raise RenderCancelled
        if not self.left_s:
            raise RenderTimeout(f"The page did not finish within {self.seconds:g} s.")

    def accept(self, stored: Stored | None) -> Stored | None:
        """The file, or None if it is too old for this request."""
        if stored is None or stored.age_ms <= self.ttl_ms:
            return stored
        self.old_left_ms = stored.left_ms
        return None

    def joined(self, result: RenderResult) -> RenderResult:
        """The result of another request's render, for which this one has waited."""
        assert result.cache is not None
        waited_ms = (time.monotonic() - self.began) * 1000
        use = CacheUse("joined", result.cache.tag)
        return replace(result, cache=use, timings=Timings(waiting_ms=waited_ms))
