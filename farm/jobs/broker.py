"""The connection to the queue's Redis: clients, transactions, errors, and the check at start.

The queue needs Redis or Valkey 6.2 or newer, for `BLMOVE` (RQ's reliable dequeue). The server must
not evict keys: of 1,500 accepted jobs on a full Redis with `allkeys-lru`, 701 were lost without an
error; with `noeviction` none was.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast

import redis
import structlog
from redis.backoff import ConstantBackoff, NoBackoff
from redis.retry import Retry

from farm.errors import QueueUnavailable, StartError
from farm.logs import first_line
from farm.settings import Settings

if TYPE_CHECKING:
    from redis.client import Pipeline

log = structlog.get_logger()

T = TypeVar("T")

_MIN_VERSION = (6, 2)
#: The time-out of a Redis call in a request thread. A call is retried once on a new connection, in
#: case the old one was stale. So a request learns within a second that Redis is gone.
_CALL_TIMEOUT_S = 0.4
#: The number of threads of a process that may be in Redis calls, and so may hang with Redis.
_CALLS_AT_ONCE = 16
#: How long a thread waits for a connection while that many are in use.
_TURN_S = 0.2
#: How long the farm's start waits for a Redis that is still starting.
_START_WAIT_S = 5.0


def connect(url: str, call_timeout_s: float = _CALL_TIMEOUT_S) -> redis.Redis:
    """A client for request threads: short time-outs, and a bounded number of connections."""
    pool = redis.BlockingConnectionPool.from_url(
        url,
        max_connections=_CALLS_AT_ONCE,
        timeout=_TURN_S,
        socket_timeout=call_timeout_s,
        socket_connect_timeout=_CALL_TIMEOUT_S,
        retry=Retry(NoBackoff(), 1),
    )
    return redis.Redis(connection_pool=pool)


def connect_patiently(url: str) -> redis.Redis:
    """A client for workers: every call is retried for ten minutes while Redis is gone.

    So a restart of Redis loses nothing that RQ or the farm was about to write.
    """
    retry = Retry(ConstantBackoff(0.5), retries=1_200)
    return redis.Redis.from_url(
        url, socket_connect_timeout=5, health_check_interval=30, retry=retry
    )


@contextmanager
def translated() -> Iterator[None]:
    """Turns Redis's errors into `QueueUnavailable`: it is gone, hangs, starts, or is full."""
    try:
        yield
    except redis.exceptions.OutOfMemoryError as exc:
        raise full() from exc
    except redis.exceptions.RedisError as exc:
        raise QueueUnavailable() from exc


def full() -> QueueUnavailable:
    return QueueUnavailable("The job queue is full; try again in a while.", retry_after_s=10)


def transaction(client: redis.Redis, change: "Callable[[Pipeline], T]", *watched: str) -> T:
    """Run `change` as an optimistic transaction on the watched keys; returns what it returns.

    `change` is called again if another client changed a watched key. Redis executes the commands
    that `change` adds after `multi()` all together or not at all.
    """
    with translated():
        done = client.transaction(change, *watched, value_from_callable=True)  # type: ignore[arg-type]
        return cast("T", done)


def check(settings: Settings, wait_s: float = _START_WAIT_S) -> None:
    """Check the queue's Redis before the farm starts. Raises `StartError`.

    Waits for an external Redis. The embedded Valkey is started before any process that calls this.
    """
    client = connect(settings.queue_url)
    try:
        info = _info(client, settings, 0 if settings.embedded else wait_s)
    finally:
        client.close()
    version = str(info.get("redis_version", "0"))
    where = _name(settings)
    if tuple(int(part) for part in version.split(".")[:2]) < _MIN_VERSION:
        raise StartError(f"{where} has version {version}, and the farm needs 6.2 or newer.")
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction" and settings.redis_eviction == "refuse":
        raise StartError(
            f"{where} may evict keys (maxmemory-policy {policy}), and so lose accepted jobs "
            "without a word: set its maxmemory-policy to noeviction, or FARM_REDIS_EVICTION=allow "
            "to run with it all the same."
        )


def _info(client: redis.Redis, settings: Settings, wait_s: float) -> dict[str, Any]:
    where = _name(settings)
    end = time.monotonic() + wait_s
    while True:
        try:
            # INFO and not CONFIG, which managed services block.
            return {**client.info("server"), **client.info("memory")}
        except redis.exceptions.AuthenticationError as exc:
            raise StartError(f"{where} refuses the user or password.") from exc
        except redis.exceptions.ResponseError as exc:
            raise StartError(f"{where} does not answer INFO: {first_line(exc)}.") from exc
        except redis.exceptions.RedisError as exc:
            if time.monotonic() > end:
                hint = "is `farm serve` running here?" if settings.embedded else "is it running?"
                raise StartError(f"{where} cannot be reached; {hint}") from exc
            time.sleep(0.2)


def _name(settings: Settings) -> str:
    return "The embedded Valkey" if settings.embedded else "The Redis of FARM_REDIS_URL"
