-- Twin of bucket.rs: token bucket, leaky bucket and GCRA.

-- floor((a * b + c) / d) and the remainder, exactly, bit by bit; every number is below 2^53.
local function divide(a, b, c, d)
  local rest = math.fmod(b, d)
  local whole = (b - rest) / d
  local quotient, remainder = 0, 0
  local function add(units, part)
    quotient = quotient + units
    if remainder >= d - part then
      remainder = remainder - (d - part)
      quotient = quotient + 1
    else
      remainder = remainder + part
    end
  end
  local bit = 4503599627370496
  while bit >= 1 do
    quotient = 2 * quotient
    remainder = 2 * remainder
    if remainder >= d then
      remainder = remainder - d
      quotient = quotient + 1
    end
    if a >= bit then
      a = a - bit
      add(whole, rest)
    end
    bit = bit / 2
  end
  local part = math.fmod(c, d)
  add((c - part) / d, part)
  return quotient, remainder
end

local function bucket(rule, state, now, cost)
  local amount = rule.amount
  local current = state
  if state.c > now + rule.window then
    current = {till = now + math.max(state.till - state.c, 0), a = state.a, b = state.b, c = now}
  end
  local at = math.max(now, current.c)
  local micros, fraction = 0, 0
  if current.b > 0 and (current.till > at or (current.till == at and current.a > 0)) then
    micros, fraction = current.till - at, current.a
    if current.b ~= amount then
      local units, part = divide(micros, current.b, fraction, rule.window)
      if part > 0 then
        units = units + 1
      end
      if units > rule.capacity - cost then
        return false, current, current, current
      end
      micros, fraction = divide(micros, current.b, fraction, amount)
    end
  end
  micros = micros + rule.increment
  if fraction >= amount - rule.increment_fraction then
    micros = micros + 1
    fraction = fraction - (amount - rule.increment_fraction)
  else
    fraction = fraction + rule.increment_fraction
  end
  local allowed = micros < rule.depth or (micros == rule.depth and fraction <= rule.depth_fraction)
  return allowed, current, {till = at + micros, a = fraction, b = amount, c = at}, current
end

steps[6], steps[7], steps[8] = bucket, bucket, bucket
