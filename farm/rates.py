"""How often a caller may ask for renders, counted for all processes of the farm together.

A window begins with a caller's first request and has one counter in Redis, whatever the rate. While
Redis is away each process counts in its own memory, since renders at once need no Redis.
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

#: What a request waits for Redis at the most, to connect and to answer; and for how long a Redis
#: that failed is not asked again, so that it holds hardly any.
_CALL_TIMEOUT_S = 0.4
_AGAIN_S = 5.0
#: What Redis can count and expire; more would be no limit.
_MAX_AMOUNT = 1_000_000_000
_MAX_WINDOW_S = 366 * 86_400


@dataclass(frozen=True)
class Standing:
    """How a caller stands with the rate that bounds it most."""

    within: bool
    #: Requests that a window has, and that are left of this one.
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
        # Without redis-py's retries, which would be waited for.
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

    def hit(self, caller: str) -> Standing:
        """Count a request. One that is refused takes nothing from the longer windows."""
        if time.monotonic() < self._ask_from:
            return self._hit(self._own, caller)
        try:
            standing = self._hit(self._shared, caller)
        except StorageError as exc:
            self._ask_from = time.monotonic() + _AGAIN_S
            if self._becomes(shared=False):
                cause = type(exc.storage_error).__name__
                log.warning("rates are counted by each process alone", cause=cause)
            return self._hit(self._own, caller)
        if self._becomes(shared=True):
            log.info("rates are counted together again")
        return standing

    def _hit(self, limiter: FixedWindowRateLimiter, caller: str) -> Standing:
        standings = []
        for rate in self._rates:
            within = limiter.hit(rate, caller)
            reset_at, remaining = limiter.get_window_stats(rate, caller)
            # Redis tells it to the nearest second; nobody shall come back too early.
            reset_s = min(math.ceil(reset_at - time.time() + 0.5), rate.get_expiry())
            standings.append(Standing(within, rate.amount, remaining, max(reset_s, 1)))
            if not within:
                return standings[-1]
        return min(standings, key=lambda standing: standing.remaining)

    def _becomes(self, shared: bool) -> bool:
        """Whether this is news."""
        with self._lock:
            before, self._is_shared = self._is_shared, shared
        return before is not shared
