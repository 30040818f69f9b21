-- Each subject for itself: the short way for one rule and a record of that rule alone or none, else the general way.
-- Their answers one after the other, as bytes; where something goes wrong with one, a list, in which that is its own answer.
local count, call, unpack, pack = #KEYS, redis.pcall, struct.unpack, struct.pack
local replies = count > 1 and {}
local ask, step, head, attempt, has_mistake
local spends, cost, algorithm, window, amount, capacity, increment, increment_fraction, depth, depth_fraction
for index = 1, count do
  local key, asked = KEYS[index], ARGV[index + 1]
  if asked and asked ~= '' then
    ask, step = asked, nil
    -- A moving window's log is never read whole.
    if #ask == 58 and string.byte(ask, 9) ~= 5 then
      spends, cost, algorithm, window, amount, capacity, increment, increment_fraction, depth, depth_fraction =
        unpack('<BI7BI7I7I7I7I7I7I7', ask)
      step, head = steps[algorithm], COMPACT + algorithm * TWO24
    end
  end
  local value = step and call('GET', key)
  local till, a, b, c = 0, 0, 0, 0
  local is_lean = step and not value
  if value then
    local magic, length, other
    if #value == 28 then
      magic, length, till, a, b, c = unpack('<I4I6I7I3I3I5', value)
      c = c > 0 and till - c + 1 or 0
      is_lean = magic == head and length == window and till < TWO53 and c >= 0
    elseif #value == 40 then
      magic, other, length, till, a, b, c = unpack('<I4BI7I7I7I7I7', value)
      is_lean = magic == 0x0101524C and other == algorithm and length == window
        and till < TWO53 and a < TWO53 and b < TWO53 and c < TWO53
    end
  end
  local reply
  if is_lean then
    local before, allowed, charged_till, charged_a, charged_b, charged_c, refused_till = till
    allowed, till, a, b, c, charged_till, charged_a, charged_b, charged_c, refused_till = step(
      now, cost, till, a, b, c, window, amount, capacity, increment, increment_fraction, depth, depth_fraction
    )
    allowed = allowed or cost == 0
    if spends == 1 then
      if allowed then
        till, a, b, c = charged_till, charged_a, charged_b, charged_c
      else
        till = refused_till
      end
      local is_kept = allowed or (till > 0 and till ~= before)
      -- A time to live that lasts is not set again, which costs more than asking for it.
      local left = value and (not is_kept or till - before < 500000) and call('PTTL', key)
      if left and type(left) ~= 'number' then
        reply = left
      elseif is_kept then
        local rest, record, done = c > 0 and till - c + 1 or 0
        if window < TWO48 and a < TWO24 and b < TWO24 and rest >= 0 and rest < TWO40 then
          record = pack('<I4I6I7I3I3I5', head, window, till, a, b, rest)
        else
          record = pack('<I4BI7I7I7I7I7', 0x0101524C, algorithm, window, till, a, b, c)
        end
        if left and left * 1000 >= till - now then
          done = call('SET', key, record, 'KEEPTTL')
        else
          done = call('SET', key, record, 'PX', lifetime(till))
        end
        reply = done.err and done
      elseif left == -1 then
        call('PEXPIRE', key, lifetime(before))
      end
    end
    reply = reply or pack('<I7BI7I7I7I7', now, allowed and 1 or 0, till, a, b, c)
  else
    if not attempt then
      --> general.lua
    end
    local is_answered
    is_answered, reply = pcall(attempt, {key}, {ask})
    if not is_answered and type(reply) == 'string' then
      reply = redis.error_reply(reply)
    end
  end
  if count == 1 then
    return reply
  end
  replies[index] = reply
  has_mistake = has_mistake or type(reply) ~= 'string'
end
return has_mistake and replies or table.concat(replies)
