-- Twin of fixed_window_aligned.rs.
next_till, next_b, next_c = now - now % window + window, 0, 0
if till <= now then
  a = 0
elseif till - 2 * window <= now then
  next_till = till
end
till, b, c = a > 0 and next_till or 0, 0, 0
allowed = cost <= amount - a
next_a, refused_till = a + cost, till
