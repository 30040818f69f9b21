-- Twin of bucket.rs: token bucket, leaky bucket and GCRA.
if c > now + window then
  till, c = now + math.max(till - c, 0), now
end
next_b, next_c = amount, c > now and c or now
local micros, fraction, has_room = 0, 0, true
if b > 0 and (till > next_c or (till == next_c and a > 0)) then
  micros, fraction = till - next_c, a
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
    has_room = units <= capacity - cost
    if has_room then
      micros, fraction = divide(micros, b, fraction, amount)
    end
  end
end
micros, next_a = micros + increment, fraction + increment_fraction
if fraction >= amount - increment_fraction then
  micros, next_a = micros + 1, fraction - (amount - increment_fraction)
end
allowed = has_room and (micros < depth or (micros == depth and next_a <= depth_fraction))
next_till, refused_till = next_c + micros, till
