-- In how many milliseconds a record that is worth nothing from `till` on may go; never before.
if till ~= lasting then
  local left = till > now and till - now + 999 or 0
  left = (left - left % 1000) / 1000 + margin
  -- As a number it would be written by way of 17 digits, which takes longer.
  lasting, milliseconds = till, left < 2147483648 and string.format('%d', left) or left
end
