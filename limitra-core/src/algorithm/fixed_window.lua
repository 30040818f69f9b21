-- Twin of fixed_window.rs.
local function open(state, now, window)
  if state.till <= now then
    return 0, 0
  elseif state.till - 2 * window > now then
    return now + window, state.a
  end
  return state.till, state.a
end

steps[2] = function(rule, state, now, cost)
  local till, count = open(state, now, rule.window)
  local current = {till = till, a = count, b = 0, c = 0}
  local charged = {till = till == 0 and now + rule.window or till, a = count + cost, b = 0, c = 0}
  return cost <= rule.amount - count, current, charged, current
end
