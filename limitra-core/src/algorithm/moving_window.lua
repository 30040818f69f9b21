-- Twin of moving_window.rs.
allowed = cost <= amount - a
next_till, next_a, next_b, next_c = math.max(now + window, till), a + cost, 0, c
if a == 0 then
  next_c = next_till - window
end
refused_till = till
