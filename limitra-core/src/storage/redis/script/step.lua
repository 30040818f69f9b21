allowed, till, a, b, c, next_till, next_a, next_b, next_c, refused_till = steps[algorithm](
  now, cost, till, a, b, c, window, amount, capacity, increment, increment_fraction, depth, depth_fraction
)
