"""The order in which callers' waiting jobs are taken.

`rq_queue` calls these functions. RQ's list alone says which jobs wait: a job is added to it when it
is accepted, and one script moves it from there to the list of jobs in the dequeue. The keys below
only say which job of RQ's list is next. If they are lost, out of date, or were never written (by an
older version of the farm), jobs are taken from the head of RQ's list. No job is lost or run twice
for that reason.

::

    farm:turns           sorted set: caller → time of its next job
    farm:turns:{caller}  sorted set: id of a waiting job → its place, by priority and arrival

The algorithm is start-time fair queueing, as in `farm.render.turns`. The caller with the earliest
time is next, and each job that is taken moves its caller's time on by 1 / weight. A new caller
starts at the earliest time of the present callers.

A job's caller, weight and priority are in its RQ meta. RQ's list also has jobs without a place in
these keys: those that RQ requeued, and those of older versions. Such a job goes first when it is at
the head of the list. Elsewhere in the list it could wait for ever behind a `low` job whose caller
always has others, so the next job that is added also gives it a place.
"""

from typing import TYPE_CHECKING, Any, cast

import redis

if TYPE_CHECKING:
    from redis.client import Pipeline

KEY = "farm:turns"

#: The beginning of all scripts. KEYS[1]: `farm:turns`, KEYS[2]: RQ's list. `JOB`: the prefix of the
#: keys that RQ gives jobs. `PLACES`: the places of each priority, so that scores are whole numbers.
_COMMON = """
local turns, list = KEYS[1], KEYS[2]
local JOB, PLACES = 'rq:job:', 1099511627776
local PRIORITIES = {high = 0, normal = 1, low = 2}

local function lane_of(caller) return turns .. ':' .. caller end

-- The caller, its weight and the place of the priority.
local function read(id)
  local text = redis.call('HGET', JOB .. id, 'meta')
  local is_json, meta = pcall(cjson.decode, text or '')
  if not is_json or type(meta) ~= 'table' then meta = {} end
  local caller = type(meta.caller) == 'string' and meta.caller or ''
  local weight = type(meta.weight) == 'number' and meta.weight or 1
  return caller, math.max(1, math.min(100, weight)), PRIORITIES[meta.priority] or 1
end

local function knows(id) return redis.call('ZSCORE', lane_of((read(id))), id) end

local function forget_all()
  for _, caller in ipairs(redis.call('ZRANGE', turns, 0, -1)) do
    redis.call('DEL', lane_of(caller))
  end
  redis.call('DEL', turns)
end
"""

#: ARGV[1]: the id of a job that was just put at the end of the list. The script also adds the
#: jobs directly before it that have no place, a thousand at the most. It adds none of them if no
#: job before them has a place: then they are at the head of the list, and go first.
_ADD = (
    _COMMON
    + """
local function put(id)
  local caller, _, priority = read(id)
  local lane, from = lane_of(caller), priority * PLACES
  local last = redis.call(
    'ZREVRANGEBYSCORE', lane, from + PLACES - 1, from, 'WITHSCORES', 'LIMIT', 0, 1)
  redis.call('ZADD', lane, last[2] and last[2] + 1 or from, id)
  local first = redis.call('ZRANGE', turns, 0, 0, 'WITHSCORES')
  redis.call('ZADD', turns, 'NX', first[2] or 0, caller)
end

if redis.call('LLEN', list) == 1 then forget_all() end
local unknown = {}
while #unknown < 1000 do
  local before = redis.call('LINDEX', list, -2 - #unknown)
  if not before then unknown = {} end
  if not before or knows(before) then break end
  unknown[#unknown + 1] = before
end
for i = #unknown, 1, -1 do put(unknown[i]) end
put(ARGV[1])
"""
)

#: KEYS[3]: the list of jobs in the dequeue. The script skips jobs that have left RQ's list. The
#: status of most of them says so. For the others Redis searches the whole list, so the script
#: takes the head after ten such searches, or after a thousand skipped jobs. It searches the list
#: from both ends: the next job of a caller with many jobs is mostly near the head, and that of a
#: new caller near the tail.
_TAKE = (
    _COMMON
    + """
local function unlist(id)
  local length, window = redis.call('LLEN', list), 64
  while true do
    for _, from in ipairs({1, -1}) do
      if redis.call('LPOS', list, id, 'RANK', from, 'MAXLEN', window) then
        return redis.call('LREM', list, from, id) == 1
      end
    end
    if window >= length then return false end
    window = window * 8
  end
end

local head = redis.call('LINDEX', list, 0)
if not head then forget_all(); return false end
if knows(head) then
  local looks = 1000
  while looks > 0 do
    looks = looks - 1
    local caller = redis.call('ZRANGE', turns, 0, 0)[1]
    if not caller then break end
    local id = redis.call('ZRANGE', lane_of(caller), 0, 0)[1]
    if not id then
      redis.call('ZREM', turns, caller)
    else
      redis.call('ZREM', lane_of(caller), id)
      if redis.call('HGET', JOB .. id, 'status') == 'queued' then
        if unlist(id) then
          redis.call('RPUSH', KEYS[3], id)
          local _, weight = read(id)
          redis.call('ZINCRBY', turns, 1 / weight, caller)
          return id
        end
        looks = looks - 100
      end
    end
  end
  redis.call('ZREM', lane_of((read(head))), head)
end
return redis.call('LMOVE', list, KEYS[3], 'LEFT', 'RIGHT')
"""
)

#: ARGV[1]: the id of a job that has left RQ's list.
_FORGET = _COMMON + "redis.call('ZREM', lane_of((read(ARGV[1]))), ARGV[1])"

#: ARGV[1]: a job's id. The script counts the jobs at the head that have no place and so go first
#: (a hundred at the most), and for each other caller the jobs that are due before this one. Of two
#: jobs that are due at the same time, the one whose caller's name sorts first is first. The script
#: examines 200 other callers, and counts one job for each further caller.
_POSITION = (
    _COMMON
    + """
local place = redis.call('LPOS', list, ARGV[1])
if not place then return false end
local own, weight = read(ARGV[1])
local rank = redis.call('ZRANK', lane_of(own), ARGV[1])
local time = redis.call('ZSCORE', turns, own)
if not rank or not time then return place + 1 end
time = time + rank / weight
local ahead = rank
for _, id in ipairs(redis.call('LRANGE', list, 0, 99)) do
  if knows(id) then break end
  ahead = ahead + 1
end
local looked_at = 200
local before = redis.call(
  'ZRANGEBYSCORE', turns, '-inf', time + 1e-8, 'WITHSCORES', 'LIMIT', 0, looked_at)
for i = 1, #before, 2 do
  local caller = before[i]
  local next_id = caller ~= own and redis.call('ZRANGE', lane_of(caller), 0, 0)[1]
  if next_id then
    local _, weight = read(next_id)
    local due = (time - before[i + 1]) * weight
    due = caller < own and math.floor(due + 1e-9) + 1 or math.ceil(due - 1e-9)
    ahead = ahead + math.max(0, math.min(redis.call('ZCARD', lane_of(caller)), due))
  end
end
local earlier = redis.call('ZCOUNT', turns, '-inf', string.format('(%.17g', time))
earlier = math.max(earlier, redis.call('ZRANK', turns, own))
ahead = ahead + math.max(0, earlier - looked_at)
return ahead + 1
"""
)


def add(pipe: "Pipeline", list_key: str, job_id: str) -> None:
    """Give the job a place, in the transaction that puts it at the end of RQ's list."""
    pipe.eval(_ADD, 2, KEY, list_key, job_id)


def take(client: redis.Redis, list_key: str, dequeued_key: str) -> bytes | None:
    """Move the next job to the list of jobs in the dequeue. Returns its id; None if none waits."""
    call: Any = client.eval
    return cast("bytes | None", call(_TAKE, 3, KEY, list_key, dequeued_key))


def forget(client: "Pipeline | redis.Redis", list_key: str, job_id: str) -> None:
    """Remove the place of a job that has left RQ's list without `take`."""
    client.eval(_FORGET, 2, KEY, list_key, job_id)


def position(client: redis.Redis, list_key: str, job_id: str) -> int | None:
    """The job's place in the order if no others arrive: 1 is next. None: it is not in the list."""
    call: Any = client.eval
    return cast("int | None", call(_POSITION, 2, KEY, list_key, job_id))
