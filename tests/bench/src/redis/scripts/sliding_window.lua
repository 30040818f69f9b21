-- Two weighted windows as one writes them by hand. KEYS: the record. ARGV: requests, milliseconds.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local amount, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local this = math.floor(now / window)
local found = redis.call('HMGET', KEYS[1], this - 1, this)
local previous, current = tonumber(found[1] or '0'), tonumber(found[2] or '0')
if previous * (window - now % window) / window + current + 1 > amount then return 0 end
redis.call('HINCRBY', KEYS[1], this, 1)
if current == 0 then
  redis.call('HDEL', KEYS[1], this - 2)
  redis.call('PEXPIRE', KEYS[1], 2 * window)
end
return 1
