-- The short way: one subject, one rule, a record of that rule alone or none.
local value = redis.call('GET', KEYS[1])
local rule, cost = rule_at(5), tonumber(ARGV[3])
local state = not value and {till = 0, a = 0, b = 0}
if value and #value == 37 then
  local magic, algorithm, window, till, a, b = struct.unpack('<I4BI8I8I8I8', value)
  local is_asked = magic == 0x0101524C and algorithm == rule.algorithm and window == rule.window
  if is_asked and till < 9007199254740992 and a < 9007199254740992 and b < 9007199254740992 then
    state = {till = till, a = a, b = b}
  end
end
if state then
  local allowed, current, charged, refused = steps[rule.algorithm](rule, state, now, cost)
  allowed = allowed or cost == 0
  local kept = current
  if spends then
    kept = allowed and charged or refused
    if allowed or (kept.till > 0 and kept.till ~= state.till) then
      local record = struct.pack('<I4BI8I8I8I8', 0x0101524C, rule.algorithm, rule.window, kept.till, kept.a, kept.b)
      redis.call('SET', KEYS[1], record, 'PX', lifetime(kept.till))
    elseif value then
      heal(KEYS[1], state.till)
    end
  end
  return {now, allowed and 1 or 0, kept.till, kept.a, kept.b}
end
