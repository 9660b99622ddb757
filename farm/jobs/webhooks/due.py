"""The queue of deliveries in Redis: a sorted set of their names, by the time when each is due.

`record` adds deliveries when a job ends, and `outbox` takes them. Times are milliseconds by Redis's
clock, which is the same for all workers. The script that takes a delivery also postpones it by a
lease. If the worker dies, the delivery is due again when the lease is over; no process needs to
notice the death.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, cast

import redis

from farm.errors import InternalError
from farm.webhooks import Delivery, Target

if TYPE_CHECKING:
    from redis.client import Pipeline

KEY = "farm:webhooks"

#: Takes the first due delivery whose `receiver` and `caller/` are both not among ARGV[2…], and
#: postpones it by ARGV[1] milliseconds. Redis serves no other client meanwhile, so the script
#: examines at most 20,000 deliveries.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local busy = {}
for i = 2, #ARGV do busy[ARGV[i]] = true end
for first = 0, 19000, 1000 do
  local names = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', first, 1000)
  for _, name in ipairs(names) do
    local head = string.match(name, '^[^:]*')
    local caller, receiver = string.match(head, '^(.*/)(.*)$')
    if not busy[caller or '/'] and not busy[receiver or head] then
      local lease = now + ARGV[1]
      redis.call('ZADD', KEYS[1], lease, name)
      return {name, now, lease}
    end
  end
  if #names < 1000 then return false end
end
return false
"""

#: Records the outcome of a try. KEYS: the job's record, the queue. ARGV: the record as it was read,
#: the new record if the lease is held, the new record if it is not, the delivery's name, its lease,
#: and in how many milliseconds it is due again (empty: never).
_SETTLE = """
local record = redis.call('GET', KEYS[1])
if not record then redis.call('ZREM', KEYS[2], ARGV[4]); return 'expired' end
if record ~= ARGV[1] then return 'changed' end
if tonumber(redis.call('ZSCORE', KEYS[2], ARGV[4])) ~= tonumber(ARGV[5]) then
  redis.call('SET', KEYS[1], ARGV[3], 'KEEPTTL')
  return 'late'
end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
if ARGV[6] == '' then redis.call('ZREM', KEYS[2], ARGV[4]); return 'settled' end
local time = redis.call('TIME')
local due = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[6]
redis.call('ZADD', KEYS[2], due, ARGV[4])
return 'settled'
"""


@dataclass(frozen=True)
class Name:
    """The name of a delivery in the queue: `caller/receiver:job:place`.

    `place`: the delivery's index in the job's record. `caller`: the caller whose job it is. Without
    API keys it is empty, and the slash is omitted. Older versions of the farm, which do not know
    callers, read both as the receiver.
    """

    receiver: str
    job_id: str
    place: int
    caller: str = ""

    def __str__(self) -> str:
        caller = f"{self.caller}/" if self.caller else ""
        return f"{caller}{self.receiver}:{self.job_id}:{self.place}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The name in a text. Raises `InternalError` if this version cannot read it."""
        try:
            head, job_id, place = text.split(":")
            caller, _, receiver = head.rpartition("/")
            return cls(receiver, job_id, int(place), caller)
        except ValueError as exc:
            raise InternalError("The name of a delivery is not understood.") from exc


@dataclass(frozen=True)
class Taken:
    """A delivery that this process has taken until the end of its lease.

    `now_ms`: when it was taken. `lease_ms`: when the lease ends.
    """

    name: Name
    now_ms: int
    lease_ms: int


def now_ms(client: redis.Redis) -> int:
    seconds, microseconds = client.time()
    return seconds * 1000 + microseconds // 1000


def put(pipe: "Pipeline", name: Name, due_ms: int) -> None:
    pipe.zadd(KEY, {str(name): due_ms})


def remove(pipe: "Pipeline | redis.Redis", name: Name) -> None:
    pipe.zrem(KEY, str(name))


def count(client: redis.Redis) -> int:
    return client.zcard(KEY)


def put_all(
    pipe: "Pipeline",
    job_id: str,
    caller: str | None,
    targets: list[Target],
    deliveries: list[Delivery],
    due_ms: int,
) -> None:
    """Add the deliveries of a caller's job that are not over."""
    for place, delivery in enumerate(deliveries):
        if not delivery.is_over:
            receiver = targets[delivery.target].receiver
            put(pipe, Name(receiver, job_id, place, caller or ""), due_ms)


class DueQueue:
    """The queue, for a process that delivers. All methods raise `RedisError`."""

    def __init__(self, client: redis.Redis) -> None:
        self._take: Any = client.register_script(_TAKE)
        self._settle: Any = client.register_script(_SETTLE)

    def take(self, lease_s: float, busy: Collection[str] = ()) -> Taken | None:
        """Take a due delivery whose receiver and caller are not `busy`. None if there is none.

        `busy`: receivers, and callers with a slash after the name. Raises `InternalError` for a
        delivery that this version cannot read; it is postponed like the others.
        """
        found = self._take(keys=[KEY], args=[int(lease_s * 1000), *busy])
        if not found:
            return None
        name, now, lease = found
        return Taken(Name.parse(name.decode()), int(now), int(lease))

    def settle(
        self,
        taken: Taken,
        key: str,
        was: bytes | str,
        held: str,
        late: str,
        again_in_ms: int | None,
    ) -> str:
        """Record the outcome of a try.

        `was`: the record under `key` as it was read. `held`, `late`: the new record if the lease is
        held, and if it is not. Returns `settled`, `late` (the lease was not held), `expired` (there
        is no record), or `changed` (the record has changed: read it and call again).
        """
        again = "" if again_in_ms is None else again_in_ms
        args = [was, held, late, str(taken.name), taken.lease_ms, again]
        return cast(str, self._settle(keys=[key, KEY], args=args).decode())
