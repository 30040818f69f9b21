-- GCRA as one writes it by hand. KEYS: the record. ARGV: microseconds for one request, microseconds of burst.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local increment, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local tat = tonumber(redis.call('GET', KEYS[1]) or '0')
if tat < now then tat = now end
local till = tat + increment
if till - now > burst then return 0 end
redis.call('SET', KEYS[1], string.format('%.0f', till), 'PX', math.ceil((till - now) / 1000))
return 1
