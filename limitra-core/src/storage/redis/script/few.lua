-- A record of one rule without a log, or none: one look, one write.
local is_few, record = step and algorithm ~= 5, nil
local value = is_few and call('GET', key)
local till, a, b, c = 0, 0, 0, 0
if value then
  is_few = false
  if #value == 28 then
    local start
    start, till, a, b, c = unpack('<c10I7I3I3I5', value)
    c = c > 0 and till - c + 1 or 0
    is_few = start == small and till < TWO53 and c >= 0
  elseif #value == 40 then
    local magic, other, length
    magic, other, length, till, a, b, c = unpack('<I4BI7I7I7I7I7', value)
    is_few = magic == 0x0101524C and other == algorithm and length == window
      and till < TWO53 and a < TWO53 and b < TWO53 and c < TWO53
  end
end
if is_few then
  local allowed, next_till, next_a, next_b, next_c, charged_till, charged_a, charged_b, charged_c, refused_till = step(
    now, cost, till, a, b, c, window, amount, capacity, increment, increment_fraction, depth, depth_fraction
  )
  if spends == 1 then
    if allowed then
      next_till, next_a, next_b, next_c = charged_till, charged_a, charged_b, charged_c
    else
      next_till = refused_till
    end
    if allowed or (next_till > 0 and next_till ~= till) then
      local rest, done = next_c > 0 and next_till - next_c + 1 or 0, nil
      if small and next_a < TWO24 and next_b < TWO24 and rest >= 0 and rest < TWO40 then
        record = pack('<c10I7I3I3I5', small, next_till, next_a, next_b, rest)
      else
        record = pack('<I4BI7I7I7I7I7', 0x0101524C, algorithm, window, next_till, next_a, next_b, next_c)
      end
      if value and allowed and span and (next_till == till or next_till - next_till % span == till - till % span) then
        -- Over the old one, which takes less than a new value; its time to live stays.
        done = #record == #value and call('SETRANGE', key, '0', record) or call('SET', key, record, 'KEEPTTL')
      else
        done = call('SET', key, record, 'PX', lifetime(next_till))
      end
      if type(done) == 'table' and done.err then
        reply, has_mistake = done, true
      end
    elseif value then
      local left = call('PTTL', key)
      if left == -1 then
        call('PEXPIRE', key, lifetime(till))
      elseif type(left) ~= 'number' then
        -- Whoever may ask of one key may not of another: a user's rights may differ by key.
        reply, has_mistake = left, true
      end
    end
  end
  -- What an allowed one left is its answer.
  allowed = allowed or cost == 0
  reply = reply or (allowed and record) or pack('<BI7I7I7I7', allowed and 1 or 0, next_till, next_a, next_b, next_c)
end
