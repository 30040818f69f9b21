-- Each subject for itself: a short way for one rule and a record of that rule alone or none, else the general way.
-- The instant and their answers one after the other, as bytes; where something goes wrong with one, a list, in which that is its own answer
-- and the instant is the last.
local keys, asks, count, call, type = KEYS, ARGV, #KEYS, redis.pcall, type
local values = at_once and call('MGET', unpack(keys))
if values and values.err then
  -- Whoever may not look at all of them at once, looks at each.
  values = nil
end
local unpack, pack, sub = struct.unpack, struct.pack, string.sub
local ask, is_one, small, attempt, has_mistake
local spends, cost, algorithm, window, amount, capacity, increment, increment_fraction, depth, depth_fraction
for index = 1, count do
  local key, asked, reply = keys[index], asks[index + 1], nil
  if asked and asked ~= '' then
    ask, is_one = asked, #asked == 58
    if is_one then
      spends, cost, algorithm, window, amount = unpack('<BI7BI7I7', ask)
      if algorithm > 5 then
        capacity, increment, increment_fraction, depth, depth_fraction = unpack('<I7I7I7I7I7', ask, 24)
      end
      --> span.lua
      small, lasting = nil, nil
    end
  end
  --> short way
  if not reply then
    if not attempt then
      --> general.lua
    end
    local is_answered
    is_answered, reply = pcall(attempt, {key}, {ask})
    if not is_answered and type(reply) == 'string' then
      reply = redis.error_reply(reply)
    end
    if type(reply) == 'string' then
      reply = string.sub(reply, 8)
    else
      has_mistake = true
    end
  end
  if count == 1 then
    return has_mistake and reply or pack('<I7', now) .. reply
  end
  -- Its key is needed no more.
  keys[index] = reply
end
local instant = pack('<I7', now)
if has_mistake then
  table.insert(keys, instant)
  return keys
end
return instant .. table.concat(keys)
