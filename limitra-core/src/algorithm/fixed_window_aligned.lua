-- Twin of fixed_window_aligned.rs.
steps[3] = function(rule, state, now, cost)
  local window = rule.window
  local till, count = now - math.fmod(now, window) + window, 0
  if state.till > now then
    count = state.a
    if state.till - 2 * window <= now then
      till = state.till
    end
  end
  local charged = {till = till, a = count + cost, b = 0, c = 0}
  local current = count == 0 and {till = 0, a = 0, b = 0, c = 0} or {till = till, a = count, b = 0, c = 0}
  return cost <= rule.amount - count, current, charged, current
end
