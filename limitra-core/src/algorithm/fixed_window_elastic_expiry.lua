-- Twin of fixed_window_elastic_expiry.rs; needs fixed_window.lua before it.
local function fixed_window_elastic_expiry(now, cost, till, a, b, c, window, amount)
  local till, count = open(now, till, a, window)
  local moved = math.max(now + window, till)
  local refused_till = till > 0 and moved or 0
  return cost <= amount - count, till, count, 0, 0, moved, count + cost, 0, 0, refused_till
end
