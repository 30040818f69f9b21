-- Twin of fixed_window.rs.
local function open(now, till, count, window)
  if till <= now then
    return 0, 0
  elseif till - 2 * window > now then
    return now + window, count
  end
  return till, count
end

local function fixed_window(now, cost, till, a, b, c, window, amount)
  local till, count = open(now, till, a, window)
  local charged_till = till == 0 and now + window or till
  return cost <= amount - count, till, count, 0, 0, charged_till, count + cost, 0, 0, till
end
