"""Counts each caller's requests and limits their rate, for all processes of the farm together.

Threads that handle requests call it. A window begins with the caller's first request, and has one
counter in Redis for each rate. While Redis is unavailable, each process counts in its own memory,
since synchronous renders do not need Redis.
"""

import math
import threading
import time
from dataclasses import dataclass

import structlog
from limits import RateLimitItem, parse_many
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import FixedWindowRateLimiter

log = structlog.get_logger()

#: The longest time that a request waits for Redis to connect, and to answer. After a failure, Redis
#: is not asked for `_AGAIN_S`, so that few requests wait in vain.
_CALL_TIMEOUT_S = 0.4
_AGAIN_S = 5.0
#: Within the range of Redis's counters and expiry times. A larger rate would limit nothing.
_MAX_AMOUNT = 1_000_000_000
_MAX_WINDOW_S = 366 * 86_400


@dataclass(frozen=True)
class RateStatus:
    """The state of a caller, for the rate that limits it most."""

    within: bool
    #: The requests of a window, and those that remain in the current one.
    limit: int
    remaining: int
    #: Seconds until the next window, at least 1.
    reset_s: int


def parse_rates(text: str) -> list[RateLimitItem]:
    """Rates such as `60/minute` or `10/second;1000/hour`, the shortest first.

    Raises `ValueError`.
    """
    try:
        rates = sorted(set(parse_many(text)), key=RateLimitItem.get_expiry)
    except ValueError as exc:
        raise ValueError("must be like 60/minute, or 10/second;1000/hour") from exc
    if not all(1 <= rate.amount <= _MAX_AMOUNT for rate in rates):
        raise ValueError(f"a rate must allow from 1 to {_MAX_AMOUNT} requests")
    if rates[-1].get_expiry() > _MAX_WINDOW_S:
        raise ValueError("a rate's time must be a year at the most")
    return rates


class RateLimiter:
    """Counts requests by caller."""

    def __init__(self, rates: str, redis_url: str) -> None:
        """`redis_url`: as in the settings, `redis://`, `rediss://` or `unix://`."""
        self._rates = parse_rates(rates)
        # The storage makes its client by `from_url`, and so without redis-py's retries, for which
        # the request would have to wait.
        shared = RedisStorage(
            redis_url.replace("unix://", "redis+unix://", 1),
            key_prefix="rates",
            wrap_exceptions=True,
            socket_timeout=_CALL_TIMEOUT_S,
            socket_connect_timeout=_CALL_TIMEOUT_S,
        )
        self._shared = FixedWindowRateLimiter(shared)
        self._own = FixedWindowRateLimiter(MemoryStorage())
        self._lock = threading.Lock()
        self._is_shared = True
        self._ask_from = 0.0

    def hit(self, caller: str) -> RateStatus:
        """Count a request. A request that is refused does not count in the longer windows."""
        if time.monotonic() < self._ask_from:
            return self._hit(self._own, caller)
        try:
            status = self._hit(self._shared, caller)
        except StorageError as exc:
            self._ask_from = time.monotonic() + _AGAIN_S
            if self._note_sharing(shared=False):
                cause = type(exc.storage_error).__name__
                log.warning("rates are counted by each process alone", cause=cause)
            return self._hit(self._own, caller)
        if self._note_sharing(shared=True):
            log.info("rates are counted together again")
        return status

    def _hit(self, limiter: FixedWindowRateLimiter, caller: str) -> RateStatus:
        statuses = []
        for rate in self._rates:
            within = limiter.hit(rate, caller)
            reset_at, remaining = limiter.get_window_stats(rate, caller)
            # Redis rounds to the nearest second. Rounded up, so that no caller retries too early.
            reset_s = min(math.ceil(reset_at - time.time() + 0.5), rate.get_expiry())
            statuses.append(RateStatus(within, rate.amount, remaining, max(reset_s, 1)))
            if not within:
                return statuses[-1]
        return min(statuses, key=lambda status: status.remaining)

    def _note_sharing(self, shared: bool) -> bool:
        """Note whether requests are counted in Redis; returns whether that has changed."""
        with self._lock:
            before, self._is_shared = self._is_shared, shared
        return before is not shared
