-- Twin of moving_window.rs.
steps[5] = function(rule, state, now, cost)
  local till = math.max(now + rule.window, state.till)
  local charged = {till = till, a = state.a + cost, b = 0, c = 0}
  return cost <= rule.amount - state.a, state, charged, state
end
