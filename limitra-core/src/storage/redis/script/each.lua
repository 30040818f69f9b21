-- Each subject for itself: the short way for one rule and a record of that rule alone or none, else the general way.
-- What goes wrong with one is its own answer.
local replies, ask, step, attempt = {}, '', nil, nil
local spends, cost, algorithm, window, amount, capacity, increment, increment_fraction, depth, depth_fraction
for index, key in ipairs(KEYS) do
  if ARGV[index + 1] ~= '' then
    ask, step = ARGV[index + 1], nil
    -- A moving window's log is never read whole.
    if #ask == 58 and string.byte(ask, 9) ~= 5 then
      spends, cost, algorithm, window, amount, capacity, increment, increment_fraction, depth, depth_fraction =
        struct.unpack('<BI7BI7I7I7I7I7I7I7', ask)
      step = steps[algorithm]
    end
  end
  local value = step and redis.pcall('GET', key)
  local till, a, b, c = 0, 0, 0, 0
  local is_lean = step and not value
  if value and #value == 40 then
    local magic, other, length
    magic, other, length, till, a, b, c = struct.unpack('<I4BI7I7I7I7I7', value)
    is_lean = magic == 0x0101524C and other == algorithm and length == window
      and till < TWO53 and a < TWO53 and b < TWO53 and c < TWO53
  end
  if is_lean then
    local before, mistake = till, nil
    local allowed, charged_till, charged_a, charged_b, charged_c, refused_till
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
      local left = value and till == before and redis.pcall('PTTL', key)
      if left and type(left) ~= 'number' then
        mistake = left
      elseif allowed or (till > 0 and till ~= before) then
        local record = struct.pack('<I4BI7I7I7I7I7', 0x0101524C, algorithm, window, till, a, b, c)
        -- A time to live that lasts is not set again, which costs more than asking for it.
        local done
        if left and left * 1000 >= till - now then
          done = redis.pcall('SET', key, record, 'KEEPTTL')
        else
          done = redis.pcall('SET', key, record, 'PX', lifetime(till))
        end
        mistake = done.err and done
      elseif left == -1 then
        redis.pcall('PEXPIRE', key, lifetime(before))
      end
    end
    replies[index] = mistake or struct.pack('<I7BI7I7I7I7', now, allowed and 1 or 0, till, a, b, c)
  else
    if not attempt then
      --> general.lua
    end
    local is_answered, reply = pcall(attempt, {key}, {ask})
    if not is_answered and type(reply) == 'string' then
      reply = redis.error_reply(reply)
    end
    replies[index] = reply
  end
end
if #KEYS == 1 then
  return replies[1]
end
return replies
