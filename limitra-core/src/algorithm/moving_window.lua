-- Twin of moving_window.rs.
local function moving_window(now, cost, till, a, b, c, window, amount)
  local charged_till = math.max(now + window, till)
  return cost <= amount - a, till, a, b, c, charged_till, a + cost, 0, 0, till
end
