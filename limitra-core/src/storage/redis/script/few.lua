-- A record of one rule without a log, or none: one look, one write.
local is_few, record = step and algorithm ~= 5, nil
local value = is_few and call('GET', key)
local head, till, a, b, c = is_few and COMPACT + algorithm * TWO24, 0, 0, 0, 0
is_few = is_few and not value
if value then
  local magic, length, other
  if #value == 28 then
    magic, length, till, a, b, c = unpack('<I4I6I7I3I3I5', value)
    c = c > 0 and till - c + 1 or 0
    is_few = magic == head and length == window and till < TWO53 and c >= 0
  elseif #value == 40 then
    magic, other, length, till, a, b, c = unpack('<I4BI7I7I7I7I7', value)
    is_few = magic == 0x0101524C and other == algorithm and length == window
      and till < TWO53 and a < TWO53 and b < TWO53 and c < TWO53
  end
end
if is_few then
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
    -- Whoever may ask of one key may not of another: a user's rights may differ by key.
    if left and type(left) ~= 'number' then
      reply, has_mistake = left, true
    elseif is_kept then
      local rest, done = c > 0 and till - c + 1 or 0, nil
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
      if done.err then
        reply, has_mistake = done, true
      end
    elseif left == -1 then
      call('PEXPIRE', key, lifetime(before))
    end
  end
  -- What an allowed one left is its answer.
  reply = reply or (allowed and record) or pack('<BI7I7I7I7', allowed and 1 or 0, till, a, b, c)
end
