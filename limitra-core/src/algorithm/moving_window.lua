-- Twin of moving_window.rs.
local function moving_window(now, cost, till, a, b, c, window, amount)
  local charged_till = math.max(now + window, till)
  local oldest = a == 0 and charged_till - window or c
  return cost <= amount - a, till, a, b, c, charged_till, a + cost, 0, oldest, till
end
