-- Twin of fixed_window_elastic_expiry.rs.
if till <= now then
  till, a = 0, 0
elseif till - 2 * window > now then
  till = now + window
end
b, c = 0, 0
allowed = cost <= amount - a
next_till, next_a, next_b, next_c = math.max(now + window, till), a + cost, 0, 0
refused_till = till > 0 and next_till or 0
