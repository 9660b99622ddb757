"""The connection to the queue's Redis: clients, transactions, errors, and the check at start.

The queue needs Redis or Valkey 6.2 or newer, for `BLMOVE` (RQ's reliable dequeue). The server must
not evict keys: of 1,500 accepted jobs on a full Redis with `allkeys-lru`, 701 were lost without an
error; with `noeviction` none was.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

import redis
import structlog
from redis.backoff import ConstantBackoff, NoBackoff
from redis.connection import AbstractConnection
from redis.exceptions import ResponseError
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
#: How often, and for how long, a worker's call to Redis is retried.
_RETRY_PAUSE_S = 0.5
_RETRIED_S = 600.0
#: How long the farm's start waits for a Redis that is still starting.
_START_WAIT_S = 5.0
#: The error codes of a server that is a replica, or has too few replicas of its own. The queue's
#: address may lead to another server by now. `UNBLOCKED` is the answer to a blocking call on a
#: server that becomes a replica.
_DEMOTED = frozenset({"READONLY", "MASTERDOWN", "UNBLOCKED", "NOREPLICAS"})
#: The error codes of a server that has no room on its disk, or in its memory.
_NO_ROOM = frozenset({"MISCONF", "OOM"})
#: An error begins with its code. `EXEC` puts a code and some words before it, and so do scripts in
#: Redis 6.2.
_CODES = re.compile(r"(?:^|: -?)([A-Z]+) ")
#: `LPUSHX` for a key that never exists does nothing, but is rejected like any write that needs
#: memory.
_PROBED_KEY = "farm:writable"
#: How often a process logs that Redis rejects writes.
_LOG_INTERVAL_S = 60.0


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
    return redis.Redis(connection_pool=_with(_Connection, pool))


def connect_patiently(url: str) -> redis.Redis:
    """A client for workers: calls are retried for ten minutes while Redis is gone, or rejects them.

    So a restart, a failover or a full disk of Redis loses nothing that RQ or the farm was about to
    write.
    """
    retry = Retry(ConstantBackoff(_RETRY_PAUSE_S), retries=round(_RETRIED_S / _RETRY_PAUSE_S))
    client = redis.Redis.from_url(
        url, socket_connect_timeout=5, health_check_interval=30, retry=retry
    )
    _with(_PatientConnection, client.connection_pool)
    return client


class _Connection(AbstractConnection):
    """A connection that is closed after a call that a demoted server has rejected.

    The next call connects again. The queue's address may be a name that leads to the new primary by
    then, and the old one does not close its connections by itself.
    """

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().read_response(*args, **kwargs)
        except ResponseError as exc:
            if _codes(exc) & _DEMOTED:
                self.mark_for_reconnect()  # type: ignore[no-untyped-call]
            raise


class _PatientConnection(AbstractConnection):
    """A connection to a server that accepts writes. One that does not counts as gone.

    So redis-py retries the call. Nothing is written twice: Redis has carried out no part of a
    command, transaction or script that it rejects with one of these codes. (Workers send no other
    batches of writes.)
    """

    _next_log: ClassVar[float] = 0.0

    def on_connect_check_health(self, check_health: bool = True) -> None:
        super().on_connect_check_health(check_health)
        # Without this, transactions on watched keys would be repeated without a pause, and for
        # ever: a replica accepts WATCH, and when the connection is lost after that, redis-py raises
        # `WatchError` instead of retrying.
        self.send_command("LPUSHX", _PROBED_KEY, "", check_health=False)  # type: ignore[no-untyped-call]
        with suppress(ResponseError):  # the user may not use the command, for example
            self.read_response()

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().read_response(*args, **kwargs)
        except ResponseError as exc:
            if not _codes(exc) & (_DEMOTED | _NO_ROOM):
                raise
            self.disconnect()  # type: ignore[no-untyped-call]
            lost = redis.exceptions.ConnectionError(_text(exc))
            if time.monotonic() >= _PatientConnection._next_log:
                _PatientConnection._next_log = time.monotonic() + _LOG_INTERVAL_S
                log.warning("Redis rejects writes; they are retried", cause=first_line(lost))
            raise lost from exc


def await_writable(client: redis.Redis) -> None:
    """Wait until Redis accepts writes. `client`: a patient one."""
    with suppress(ResponseError):
        client.lpushx(_PROBED_KEY, "")


def _with(mixin: type, pool: redis.ConnectionPool) -> redis.ConnectionPool:
    """Add the mixin to the connections of a pool that has none yet."""
    kind = pool.connection_class
    pool.connection_class = type(f"{mixin.__name__}To{kind.__name__}", (mixin, kind), {})
    return pool


def _text(error: ResponseError) -> str:
    """The error as Redis has sent it: redis-py removes the codes that it knows."""
    return f"{error.status_code} {error}" if error.status_code else str(error)


def _codes(error: ResponseError) -> set[str]:
    return set(_CODES.findall(_text(error)))


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
