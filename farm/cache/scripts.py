"""Lua scripts that the cache's Redis runs, each in one step. `Store` sends them."""

#: Takes the lock if it is free and there is no file, or if ARGV[3] is 1. Returns the file, its time
#: to live, and the token of the lock's owner. If the owner is another process, the script notes
#: that this one waits.
#: KEYS: file, lock, waited. ARGV: token, the lock's milliseconds, whether to lock despite a file.
FIND_OR_LOCK = """
local file, holder = redis.call('GET', KEYS[1]), false
if not file or ARGV[3] == '1' then
  redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2])
  holder = redis.call('GET', KEYS[2])
  if holder ~= ARGV[1] then redis.call('SET', KEYS[3], '1', 'PX', ARGV[2]) end
end
return {file, redis.call('PTTL', KEYS[1]), holder}
"""
#: Keeps a file, releases the lock and wakes the processes that wait. Returns whether it is kept.
#: A file is not kept if its lock now belongs to another process, which has a newer file or renders
#: one. A file that was rendered without a lock replaces no other. A file that was rendered `anew`
#: replaces the kept file and the lock of any render.
#: KEYS: file, lock, waited, end. ARGV: token, the file's milliseconds (0: keep none), the file, the
#: milliseconds of the stream `end`, whether it was rendered anew.
FINISH = """
local kept = 0
if ARGV[5] == '1' then redis.call('DEL', KEYS[1], KEYS[2]) end
local may_keep = ARGV[5] == '1' or redis.call('GET', KEYS[2]) == ARGV[1]
if ARGV[1] == '' and redis.call('EXISTS', KEYS[1]) == 0 then may_keep = true end
if ARGV[2] ~= '0' and may_keep then
  redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[2])
  kept = 1
end
if ARGV[1] ~= '' then
  if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
  if redis.call('DEL', KEYS[3]) == 1 then
    redis.call('XADD', KEYS[4], '*', 'ended', '1')
    redis.call('PEXPIRE', KEYS[4], ARGV[4])
  end
end
return kept
"""
#: Renews the lock if the token still owns it. KEYS: lock. ARGV: token, milliseconds.
RENEW = (
    "if redis.call('GET', KEYS[1]) == ARGV[1] then "
    "return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end"
)
