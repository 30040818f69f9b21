-- A record of one rule without a log, or none: one look, or one for all, and one write.
local is_few, record = is_one and algorithm ~= 5, nil
if is_few and small == nil then
  -- How a record of small numbers begins: with the algorithm and the window as they are asked for.
  small = window < TWO48 and 'LR\2' .. sub(ask, 9, 15)
end
local value
if values then
  value = values[index]
elseif is_few then
  value = call('GET', key)
end
local till, a, b, c = 0, 0, 0, 0
if value then
  is_few = false
  if #value == 28 then
    local start, counts, rest
    start, till, counts, rest = unpack('<c10I7I6I5', value)
    a = counts % TWO24
    b, c = (counts - a) / TWO24, rest > 0 and till - rest + 1 or 0
    is_few = start == small and till < TWO53 and c >= 0
  elseif #value == 40 then
    local magic, other, length
    magic, other, length, till, a, b, c = unpack('<I4BI7I7I7I7I7', value)
    is_few = magic == 0x0101524C and other == algorithm and length == window
      and till < TWO53 and a < TWO53 and b < TWO53 and c < TWO53
  end
end
if is_few then
  local before, allowed, next_till, next_a, next_b, next_c, refused_till = till, nil, nil, nil, nil, nil, nil
  --> step
  if spends == 1 then
    if allowed then
      till, a, b, c = next_till, next_a, next_b, next_c
    else
      till = refused_till
    end
    if allowed or (till > 0 and till ~= before) then
      local rest, done = c > 0 and till - c + 1 or 0, nil
      if small and a < TWO24 and b < TWO24 and rest >= 0 and rest < TWO40 then
        record = pack('<c10I7I6I5', small, till, a + b * TWO24, rest)
      else
        record = pack('<I4BI7I7I7I7I7', 0x0101524C, algorithm, window, till, a, b, c)
      end
      if value and allowed and is_own and till - till % span == before - before % span then
        -- Over the old one, which takes less than a new value; its time to live stays.
        done = #record == #value and call('SETRANGE', key, '0', record) or call('SET', key, record, 'KEEPTTL')
      else
        --> lifetime.lua
        if values and not value then
          -- What looks like none by MGET may be something else than a text.
          done = call('SET', key, record, 'PX', milliseconds, 'NX')
          is_few = done
        else
          done = call('SET', key, record, 'PX', milliseconds)
        end
      end
      if done ~= #record and type(done) == 'table' and done.err then
        reply, has_mistake = done, true
      end
    elseif value then
      -- What has no time to live, or may not be asked for it, goes the general way.
      local left = call('PTTL', key)
      is_few = type(left) == 'number' and left ~= -1
    end
  end
  if values and not value and not record then
    is_few = call('EXISTS', key) == 0
  end
  if is_few then
    -- What an allowed one left is its answer.
    allowed = allowed or cost == 0
    reply = reply or (allowed and record) or pack('<BI7I7I7I7', allowed and 1 or 0, till, a, b, c)
  end
end
