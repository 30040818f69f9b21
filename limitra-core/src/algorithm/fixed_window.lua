-- Twin of fixed_window.rs.
if till <= now then
  till, a = 0, 0
elseif till - 2 * window > now then
  till = now + window
end
b, c = 0, 0
allowed = cost <= amount - a
next_till, next_a, next_b, next_c = till == 0 and now + window or till, a + cost, 0, 0
refused_till = till
