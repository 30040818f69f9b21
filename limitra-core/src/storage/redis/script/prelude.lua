-- One decision. KEYS: a record for each subject. ARGV: the instant ('' for this server's clock),
-- '1' to spend or '0' to look, then for each subject its cost and number of rules, and for each rule
-- algorithm, window, amount, capacity, increment and its fraction, depth and its fraction.
-- All numbers are integers below 2^53. Replies with the instant, then for each rule whether it
-- allows and its state: till, a, b, c (see state.rs; `until` is a keyword here).
--
-- A record is 'LR', a version, a number of entries; for each entry its algorithm (1 byte), window, till, a, b
-- and c (7 bytes each); then the logs of its moving windows, in order. A log is a ring of slots: the instant plus 1 (0: not
-- used) and the total spent before it. Its entry's a is the total, its b the next slot and 2^26 times
-- the number of slots.
local steps = {}
local spends = ARGV[2] == '1'
local now = tonumber(ARGV[1])
local margin = 3600000
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
  margin = 1000
end

local function whole(number)
  return string.format('%.0f', number)
end

-- When a record that is worth nothing from `till` on may go; never before.
local function lifetime(till)
  return whole(math.ceil(math.max(till - now, 0) / 1000) + margin)
end

local function rule_at(position)
  return {
    algorithm = tonumber(ARGV[position]),
    window = tonumber(ARGV[position + 1]),
    amount = tonumber(ARGV[position + 2]),
    capacity = tonumber(ARGV[position + 3]),
    increment = tonumber(ARGV[position + 4]),
    increment_fraction = tonumber(ARGV[position + 5]),
    depth = tonumber(ARGV[position + 6]),
    depth_fraction = tonumber(ARGV[position + 7]),
  }
end

-- A record that lost its time to live gets one.
local function heal(key, till)
  if redis.call('PTTL', key) == -1 then
    redis.call('PEXPIRE', key, lifetime(till))
  end
end
