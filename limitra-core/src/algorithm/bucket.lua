-- Twin of bucket.rs: token bucket, leaky bucket and GCRA.

local function bucket(
  now, cost, till, a, b, c, window, amount, capacity, increment, increment_fraction, depth, depth_fraction
)
  if c > now + window then
    till, c = now + math.max(till - c, 0), now
  end
  local at = c > now and c or now
  local micros, fraction = 0, 0
  if b > 0 and (till > at or (till == at and a > 0)) then
    micros, fraction = till - at, a
    if b ~= amount then
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

      local units, part = divide(micros, b, fraction, window)
      if part > 0 then
        units = units + 1
      end
      if units > capacity - cost then
        return false, till, a, b, c, till, a, b, c, till
      end
      micros, fraction = divide(micros, b, fraction, amount)
    end
  end
  micros = micros + increment
  if fraction >= amount - increment_fraction then
    micros = micros + 1
    fraction = fraction - (amount - increment_fraction)
  else
    fraction = fraction + increment_fraction
  end
  local allowed = micros < depth or (micros == depth and fraction <= depth_fraction)
  return allowed, till, a, b, c, at + micros, fraction, amount, at, till
end
