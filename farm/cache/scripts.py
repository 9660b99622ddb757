"""What the cache's Redis does in one step, in its own language (Lua)."""

#: Returns a file, its expiry, and whose lock it is; who is not its owner will wait.
ENTER = """
local file, holder = redis.call('GET', KEYS[1]), false
if not file or ARGV[3] == '1' then
  redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2])
  holder = redis.call('GET', KEYS[2])
  if holder ~= ARGV[1] then redis.call('SET', KEYS[3], '1', 'PX', ARGV[2]) end
end
return {file, redis.call('PTTL', KEYS[1]), holder}
"""
#: Keeps a file, unless the lock that it was rendered under is another one's by now: then there is a
#: newer one, or there will be. One that was rendered under no lock replaces none. What was rendered
#: anew goes before all that is kept or under way. Returns whether the file is kept.
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
RENEW = (
    "if redis.call('GET', KEYS[1]) == ARGV[1] then "
    "return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end"
)
