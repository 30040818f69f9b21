-- Twin of fixed_window_aligned.rs.
local function fixed_window_aligned(now, cost, till, a, b, c, window, amount)
  local count, ends = 0, now - now % window + window
  if till > now then
    count = a
    if till - 2 * window <= now then
      ends = till
    end
  end
  local kept = count > 0 and ends or 0
  return cost <= amount - count, kept, count, 0, 0, ends, count + cost, 0, 0, kept
end
