"""The line of deliveries in Redis: a sorted set of names by when they are due.

Times are milliseconds by Redis's clock, which is the same for all workers. Whoever takes a delivery
puts it off by a lease in the same step. So one whose worker dies is due again when the lease is
over, without anybody having to notice the death.
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

#: The first in the line of which neither `receiver` nor `caller/` is among ARGV[2…]; put off by
#: ARGV[1] milliseconds. Redis does nothing else meanwhile, so it looks at some ten thousand at the
#: most.
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

#: After a try. KEYS: the job's record, the line. ARGV: the record as it was read, as it is to be,
#: and as it is to be if the lease is not held any more; the delivery's name, its lease, and in how
#: many milliseconds it is due again, or nothing.
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
    """What a delivery is called in the line: `caller/receiver:job:place`.

    `caller`: whose job it is; empty, and then without the slash, where there are no API keys.
    Versions of the farm that do not know of callers take both for the receiver.
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
        """Raises `InternalError` for what this version of the farm does not understand."""
        try:
            head, job_id, place = text.split(":")
            caller, _, receiver = head.rpartition("/")
            return cls(receiver, job_id, int(place), caller)
        except ValueError as exc:
            raise InternalError("The name of a delivery is not understood.") from exc


@dataclass(frozen=True)
class Taken:
    """A delivery that this process has until its lease is over; `now_ms` is when it was taken."""

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
    """Those of a caller's job that are not over."""
    for place, delivery in enumerate(deliveries):
        if not delivery.is_over:
            receiver = targets[delivery.target].receiver
            put(pipe, Name(receiver, job_id, place, caller or ""), due_ms)


class Line:
    """The line as those see it who deliver. All methods raise `RedisError`."""

    def __init__(self, client: redis.Redis) -> None:
        self._take: Any = client.register_script(_TAKE)
        self._settle: Any = client.register_script(_SETTLE)

    def take(self, lease_s: float, busy: Collection[str] = ()) -> Taken | None:
        """One that is due, and of which neither the receiver nor the caller is `busy`.

        `busy`: receivers, and callers with a slash behind. Raises `InternalError` for one that
        this version of the farm does not understand; it is put off as others are.
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
        """`settled`, `late` (the lease was not held any more), `expired`, or `changed`: try again.

        `was`: the record under `key` as it was read. `held`, `late`: as it is to be in each case.
        """
        again = "" if again_in_ms is None else again_in_ms
        args = [was, held, late, str(taken.name), taken.lease_ms, again]
        return cast(str, self._settle(keys=[key, KEY], args=args).decode())
