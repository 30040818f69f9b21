-- Twin of fixed_window_elastic_expiry.rs; needs fixed_window.lua before it.
steps[4] = function(rule, state, now, cost)
  local till, count = open(state, now, rule.window)
  local moved = math.max(now + rule.window, till)
  local current = {till = till, a = count, b = 0, c = 0}
  local charged = {till = moved, a = count + cost, b = 0, c = 0}
  local refused = till == 0 and current or {till = moved, a = count, b = 0, c = 0}
  return cost <= rule.amount - count, current, charged, refused
end
