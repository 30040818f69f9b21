-- The short way: one subject, one rule, a record of that rule alone or none.
local value = redis.call('GET', KEYS[1])
local rule, cost = rule_at(5), tonumber(ARGV[3])
local state = not value and {till = 0, a = 0, b = 0, c = 0}
if value and #value == 40 then
  local magic, algorithm, window, till, a, b, c = struct.unpack('<I4BI7I7I7I7I7', value)
  local is_asked = magic == 0x0101524C and algorithm == rule.algorithm and window == rule.window
  local is_exact = math.max(till, a, b, c) < 9007199254740992
  if is_asked and is_exact then
    state = {till = till, a = a, b = b, c = c}
  end
end
if state then
  local allowed, current, charged, refused = steps[rule.algorithm](rule, state, now, cost)
  allowed = allowed or cost == 0
  local kept = current
  if spends then
    kept = allowed and charged or refused
    if allowed or (kept.till > 0 and kept.till ~= state.till) then
      local head = struct.pack('<I4BI7', 0x0101524C, rule.algorithm, rule.window)
      local record = head .. struct.pack('<I7I7I7I7', kept.till, kept.a, kept.b, kept.c)
      redis.call('SET', KEYS[1], record, 'PX', lifetime(kept.till))
    elseif value then
      heal(KEYS[1], state.till)
    end
  end
  return {now, allowed and 1 or 0, kept.till, kept.a, kept.b, kept.c}
end
