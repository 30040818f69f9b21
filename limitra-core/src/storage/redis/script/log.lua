-- A record of one moving window, all of which one look shows, or none: one look, one write. Twin of log.rs, as general.lua.
local value, is_log = is_one and call('GETRANGE', key, '0', '2047'), false
local till, total, place, slots, other = 0, 0, 0, 0, 0
if value == '' then
  -- It may be another's empty text, which a write would notice.
  is_log = spends == 1 or call('EXISTS', key) == 0
elseif value and #value > 40 and #value < 2048 then
  local magic, kind, length
  magic, kind, length, till, total, slots, other = unpack('<I4BI7I7I7I7I7', value)
  place = slots % 67108864
  slots = (slots - place) / 67108864
  is_log = magic == 0x0101524C and kind == 5 and length == window and #value == 40 + slots * 16 and place < slots
    and total < TWO53 and other < TWO53 and till - 2 * window <= now
end
if is_log then
  local before, newest = till, till - window
  local a, b, c = 0, 0, 0
  local at, first, oldest, mark, spent = now > newest and now or newest, 0, 0, 0, 0
  -- A slot is its instant plus 1 (0: not used) and the total spent before it; they are counted from the oldest.
  if slots > 0 then
    oldest, spent = unpack('<I8I8', value, 41 + place * 16)
    mark = oldest
    if mark == 0 or mark + window <= at + 1 then
      local last = slots
      first = 1
      while first < last do
        local sum = first + last
        local index = (sum - sum % 2) / 2
        mark = unpack('<I8', value, 41 + (place + index) % slots * 16)
        is_log = is_log and mark <= TWO53
        if mark > 0 and mark + window > at + 1 then
          last = index
        else
          first = index + 1
        end
      end
      if first < slots then
        mark, spent = unpack('<I8I8', value, 41 + (place + first) % slots * 16)
      end
    end
  end
  is_log = is_log and mark <= TWO53 and spent < TWO53
  if first == slots then
    till = 0
  else
    a, c = total >= spent and total - spent or total + (TWO53 - spent), mark - 1
    local needed = amount > cost and a - (amount - cost) or a
    if needed > 0 then
      local low, high = first, slots
      while low < high do
        local sum = low + high
        local index = (sum - sum % 2) / 2
        local later = unpack('<I8', value, 49 + (place + index) % slots * 16)
        is_log = is_log and later < TWO53
        if (later >= spent and later - spent or later + (TWO53 - spent)) >= needed then
          high = index
        else
          low = index + 1
        end
      end
      b = unpack('<I8', value, 41 + (place + low - 1) % slots * 16) - 1
      is_log = is_log and b < TWO53
    end
  end

  local allowed, next_till, next_a, next_b, next_c, refused_till
  --> step
  allowed = allowed or cost == 0
  if is_log and spends == 1 then
    if allowed then
      till, a, b, c = next_till, next_a, next_b, next_c
      local front, piece, back, instant = '', '', '', till - window
      if slots > 0 and instant == newest then
        front = sub(value, 41)
      else
        local cut = place * 16
        piece = pack('<I8I8', instant + 1, total)
        if slots == 0 then
          slots = 1
        elseif oldest > 0 and oldest + window > instant + 1 then
          -- Full of live slots, it grows to twice its size.
          local room = math.max(math.min(slots * 2, amount), slots + 1)
          front, piece = sub(value, 41 + cut), sub(value, 41, 40 + cut) .. piece
          back = string.rep('\0', (room - slots - 1) * 16)
          place, slots = (slots + 1) % room, room
        else
          front, back = sub(value, 41, 40 + cut), sub(value, 57 + cut)
          place = (place + 1) % slots
        end
      end
      local rest = TWO53 - cost
      total = total >= rest and total - rest or total + cost
      local head = pack('<I4BI7I7I7I7I7', 0x0101524C, 5, window, till, total, place + slots * 67108864, other)
      local record = head .. front .. piece .. back
      local done
      if value ~= '' and is_own and till - till % span == before - before % span then
        done = #record == #value and call('SETRANGE', key, '0', record) or call('SET', key, record, 'KEEPTTL')
      else
        --> lifetime.lua
        if value == '' then
          done = call('SET', key, record, 'PX', milliseconds, 'NX')
          is_log = done
        else
          done = call('SET', key, record, 'PX', milliseconds)
        end
      end
      if done ~= #record and type(done) == 'table' and done.err then
        reply, has_mistake = done, true
      end
    elseif value ~= '' then
      local left = call('PTTL', key)
      is_log = type(left) == 'number' and left ~= -1
    end
  end
  if is_log then
    reply = reply or pack('<BI7I7I7I7', allowed and 1 or 0, till, a, b, c)
  end
end
