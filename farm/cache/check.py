"""Checks the Redis of `FARM_CACHE_URL`, for `farm doctor`."""

import redis

from farm.errors import StartError
from farm.logs import first_line

_TIMEOUT_S = 2.0


def check(url: str) -> None:
    """Raises `StartError` if it does not answer, or if it would fill up and never evict."""
    client = redis.Redis.from_url(url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S)
    try:
        memory = client.info("memory")
    except (redis.exceptions.RedisError, TypeError, ValueError) as exc:  # the last two: a wrong URL
        raise StartError(
            f"The Redis of FARM_CACHE_URL does not answer: {first_line(exc)}."
        ) from exc
    finally:
        client.close()
    policy = memory.get("maxmemory_policy", "noeviction")
    if policy == "noeviction" or not memory.get("maxmemory"):
        raise StartError(
            "The Redis of FARM_CACHE_URL never evicts: set a maxmemory, and its maxmemory-policy "
            "to allkeys-lru."
        )
