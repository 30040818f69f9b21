-- Twin of sliding_window.rs.
local this = now - now % window
local start, previous, current, repaired = this, 0, 0, false
if till > this then
  local kept = till - 2 * window
  if kept == this or (kept > now and kept <= now + window) then
    start, previous, current = kept, a, b
  elseif kept > now then
    previous, current, repaired = a, b, true
  else
    start, previous = kept + window, b
  end
end
local left = amount - current - cost
allowed = left >= 0
-- All of the previous window is seldom too much already.
if allowed and previous > left then
  local rest = now > start and window - (now - start) or window
  -- Whether previous * rest < (left + 1) * window, exactly.
  local one, other = previous * rest, (left + 1) * window
  if one < 9007199254740992 and other < 9007199254740992 then
    allowed = one < other
  else
    -- A product as three digits to the base 2^26. One factor is below 2^53, the other below 2^52.
    local function product(a, b)
      local base = 67108864
      local a0, b0 = math.fmod(a, base), math.fmod(b, base)
      local a1, b1 = (a - a0) / base, (b - b0) / base
      local low, middle, other = a0 * b0, a1 * b0, a0 * b1
      local low0, middle0, other0 = math.fmod(low, base), math.fmod(middle, base), math.fmod(other, base)
      local carry = (low - low0) / base + middle0 + other0
      local carry0 = math.fmod(carry, base)
      local high = a1 * b1 + (middle - middle0) / base + (other - other0) / base + (carry - carry0) / base
      return high, carry0, low0
    end

    local a2, a1, a0 = product(previous, rest)
    local b2, b1, b0 = product(left + 1, window)
    allowed = a2 < b2 or (a2 == b2 and (a1 < b1 or (a1 == b1 and a0 < b0)))
  end
end
next_till, next_a, next_b, next_c = start + 2 * window, previous, current + cost, 0
if repaired then
  till, a, b, c = next_till, previous, current, 0
end
refused_till = till
