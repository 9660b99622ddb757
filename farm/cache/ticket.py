"""A request that asks for the cache, on its way: what it accepts, and until when."""

import time
from dataclasses import dataclass, field, replace
from typing import Any

from farm.cache.joining import Waiter
from farm.cache.value import Stored
from farm.errors import RenderTimeout
from farm.renderer import RenderCancelled
from farm.request import CacheUse, RenderRequest, RenderResult, Timings


@dataclass(eq=False)
class Ticket(Waiter):
    """A render that was begun here."""

    request: RenderRequest
    request_id: str
    caller: str | None
    deadline: float
    #: What it may take in all.
    seconds: float
    ttl_ms: int
    anew: bool = False
    #: None: the request does not ask for the cache, and `rendering` has begun.
    key: str | None = None
    #: What the inner renderer calls it, once it renders.
    rendering: Any = None
    cancelled: bool = False
    #: The store did not answer: it is not asked again for this one.
    is_alone: bool = False
    #: How many renders of others it has waited for that failed.
    in_vain: int = 0
    #: For how long an older file would still be kept that is too old for this request.
    old_left_ms: int = 0
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        super().__init__()

    @property
    def left_s(self) -> float:
        return max(0.0, self.deadline - time.monotonic())

    def check(self) -> None:
        """Raises `RenderCancelled` or `RenderTimeout` where it is over."""
        if self.cancelled:
            raise RenderCancelled
        if not self.left_s:
            raise RenderTimeout(f"The page did not finish within {self.seconds:g} s.")

    def accept(self, stored: Stored | None) -> Stored | None:
        """A file, unless it is too old for this request."""
        if stored is None or stored.age_ms <= self.ttl_ms:
            return stored
        self.old_left_ms = stored.left_ms
        return None

    def joined(self, result: RenderResult) -> RenderResult:
        """What another request has had rendered, which this one has waited for."""
        assert result.cache is not None
        waited_ms = (time.monotonic() - self.began) * 1000
        use = CacheUse("joined", result.cache.tag)
        return replace(result, cache=use, timings=Timings(waiting_ms=waited_ms))
