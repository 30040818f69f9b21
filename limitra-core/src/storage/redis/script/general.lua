-- The general way: any subjects and rules, on whole records. Decides all first, then commits.
local HEAD, ENTRY, SLOT, LOOK, MOST, ASKED, RULE = 4, 36, 16, 1024, 255, 8, 50
local TWO26 = 67108864
local FOREIGN = 'LIMITRAFOREIGN the value is not a limitra record'

local function lifetime(till, window)
  local span, margin, lasting, milliseconds
  --> span.lua
  --> lifetime.lua
  return milliseconds
end

local function foreign()
  return redis.error_reply(FOREIGN)
end

-- Reads a record's entries, and as much of its logs as one look shows.
local function load(key)
  local value = redis.call('GETRANGE', key, 0, LOOK - 1)
  local record = {key = key, value = value, entries = {}, is_whole = #value < LOOK, till = 0, window = 0}
  if value == '' then
    return record, redis.call('EXISTS', key) == 1 and foreign() or nil
  end
  if #value < HEAD or string.sub(value, 1, 2) ~= 'LR' then
    return record, foreign()
  elseif string.byte(value, 3) == 2 then
    local head, window, till, a, b, c
    if #value == 28 then
      head, window, till, a, b, c = struct.unpack('<I4I6I7I3I3I5', value)
    end
    local algorithm = head and (head - COMPACT) / TWO24
    if not head or algorithm == 5 or till >= TWO53 then
      return record, foreign()
    end
    c = c > 0 and till - c + 1 or 0
    if c < 0 then
      return record, foreign()
    end
    record.till, record.window = till, window
    record.entries[1] = {algorithm = algorithm, window = window, till = till, a = a, b = b, c = c, index = 1}
    return record
  elseif string.byte(value, 3) ~= 1 then
    return record, redis.error_reply('LIMITRAVERSION the record is of another version')
  end
  local count = string.byte(value, 4)
  if count == 0 then
    return record, foreign()
  end
  local log = HEAD + count * ENTRY
  if #value < log and not record.is_whole then
    value = redis.call('GETRANGE', key, 0, log - 1)
    record.value = value
  end
  if #value < log then
    return record, foreign()
  end
  for index = 1, count do
    local start = HEAD + (index - 1) * ENTRY + 1
    local algorithm, window, till, a, b, c = struct.unpack('<BI7I7I7I7I7', value, start)
    local entry = {algorithm = algorithm, window = window, till = till, a = a, b = b, c = c, index = index, log = log}
    if math.max(window, till, a, b, c) >= TWO53 then
      return record, foreign()
    end
    if algorithm == 5 then
      entry.next = math.fmod(b, TWO26)
      entry.slots = (b - entry.next) / TWO26
      if entry.next >= math.max(entry.slots, 1) then
        return record, foreign()
      end
      log = log + entry.slots * SLOT
    end
    record.entries[index] = entry
    record.till, record.window = math.max(record.till, till), math.max(record.window, window)
  end
  local length = record.is_whole and #value or redis.call('STRLEN', key)
  if length ~= log then
    return record, foreign()
  end
  return record
end

local function entry_of(record, rule)
  for _, entry in ipairs(record.entries) do
    if entry.algorithm == rule.algorithm and entry.window == rule.window then
      return entry
    end
  end
end

-- Instant and total of a log's slot, counted from its oldest; an unused one is older than any.
local function slot(record, entry, index)
  local place = math.fmod(entry.next + index, entry.slots) * SLOT
  local start = entry.log + place
  local instant, before
  if entry.bytes then
    instant, before = struct.unpack('<I8I8', entry.bytes, place + 1)
  elseif record.is_whole then
    instant, before = struct.unpack('<I8I8', record.value, start + 1)
  else
    instant, before = struct.unpack('<I8I8', redis.call('GETRANGE', record.key, start, start + SLOT - 1))
  end
  if instant > TWO53 or before >= TWO53 then
    error(FOREIGN, 0)
  end
  return instant - 1, before
end

local function is_live(instant, window, at)
  return instant >= 0 and instant + window > at
end

-- The first index from `low` on for which `is_past` holds, else `high`.
local function first_index(low, high, is_past)
  while low < high do
    local middle = math.floor((low + high) / 2)
    if is_past(middle) then
      high = middle
    else
      low = middle + 1
    end
  end
  return low
end

-- Totals are counted modulo 2^53.
local function difference(later, earlier)
  return later >= earlier and later - earlier or later + (TWO53 - earlier)
end

-- What a log comes to at this instant: twin of log.rs.
local function measure(record, entry, rule, cost)
  local window, newest = rule.window, entry.till - rule.window
  entry.is_far = newest > now + window
  local at = math.max(now, newest)
  local first = first_index(0, entry.slots, function(index)
    return is_live(slot(record, entry, index), window, at)
  end)
  if first == entry.slots then
    return {till = 0, a = 0, b = 0, c = 0}
  end
  local first_instant, oldest = slot(record, entry, first)
  local count = difference(entry.a, oldest)
  local needed = count - math.max(rule.amount - cost, 0)
  local blocker = 0
  if needed > 0 then
    local index = first_index(first, entry.slots, function(index)
      local _, before = slot(record, entry, index)
      return difference(before, oldest) >= needed
    end)
    blocker = slot(record, entry, index - 1)
  end
  if entry.is_far then
    newest, blocker, first_instant = math.min(newest, now), math.min(blocker, now), math.min(first_instant, now)
  end
  return {till = newest + window, a = count, b = blocker, c = first_instant}
end

local function step(rule, state, cost)
  local allowed, till, a, b, c, charged_till, charged_a, charged_b, charged_c, refused_till = steps[rule.algorithm](
    now, cost, state.till, state.a, state.b, state.c,
    rule.window, rule.amount, rule.capacity, rule.increment, rule.increment_fraction, rule.depth, rule.depth_fraction
  )
  local current = {till = till, a = a, b = b, c = c}
  local charged = {till = charged_till, a = charged_a, b = charged_b, c = charged_c}
  return allowed, current, charged, {till = refused_till, a = a, b = b, c = c}
end

local function decide(record, rule, cost)
  local entry = entry_of(record, rule)
  local state = entry or {till = 0, a = 0, b = 0, c = 0}
  if rule.algorithm == 5 and entry then
    state = measure(record, entry, rule, cost)
  end
  local allowed, current, charged, refused = step(rule, state, cost)
  if cost == 0 then
    allowed, charged, refused = true, current, current
  end
  return {rule = rule, entry = entry, allowed = allowed, current = current, charged = charged, refused = refused}
end

-- The bytes of an entry's log as stored.
local function log_bytes(record, entry)
  if not entry.bytes then
    if not record.is_whole then
      record.value = redis.call('GET', record.key)
      record.is_whole = true
    end
    entry.bytes = string.sub(record.value, entry.log + 1, entry.log + entry.slots * SLOT)
    if entry.patch then
      local cut = entry.patch.offset - entry.log
      entry.bytes = string.sub(entry.bytes, 1, cut) .. entry.patch.piece .. string.sub(entry.bytes, cut + SLOT + 1)
      entry.patch = nil
    end
  end
  return entry.bytes
end

-- Moves instants later than now to now; what had left by the newest one is gone.
local function reanchor(record, entry, newest)
  local bytes = log_bytes(record, entry)
  local slots = {}
  for index = 0, entry.slots - 1 do
    local instant, before = struct.unpack('<I8I8', bytes, index * SLOT + 1)
    local kept = is_live(instant - 1, entry.window, newest) and math.min(instant, now + 1) or 0
    slots[index + 1] = struct.pack('<I8I8', kept, before)
  end
  entry.bytes = table.concat(slots)
  record.is_reshaped = true
end

-- Adds a run of units to a log: twin of log.rs. Full of live slots, it grows to twice its size.
local function push(record, entry, window, amount, cost, newest, instant)
  if entry.slots == 0 or newest ~= instant then
    local piece = struct.pack('<I8I8', instant + 1, entry.a)
    if entry.slots == 0 then
      entry.bytes, entry.slots, entry.next = piece, 1, 0
      record.is_reshaped = true
    elseif is_live(slot(record, entry, 0), window, instant) then
      local bytes, cut = log_bytes(record, entry), entry.next * SLOT
      local slots = math.max(math.min(entry.slots * 2, amount), entry.slots + 1)
      local room = string.rep('\0', (slots - entry.slots - 1) * SLOT)
      entry.bytes = string.sub(bytes, cut + 1) .. string.sub(bytes, 1, cut) .. piece .. room
      entry.next, entry.slots = math.fmod(entry.slots + 1, slots), slots
      record.is_reshaped = true
    else
      local cut = entry.next * SLOT
      if record.is_whole or entry.bytes then
        local bytes = log_bytes(record, entry)
        entry.bytes = string.sub(bytes, 1, cut) .. piece .. string.sub(bytes, cut + SLOT + 1)
      else
        entry.patch = {offset = entry.log + cut, piece = piece}
      end
      entry.next = math.fmod(entry.next + 1, entry.slots)
    end
  end
  -- The sum itself may be beyond what a number holds exactly.
  local room = TWO53 - cost
  entry.a = entry.a >= room and entry.a - room or entry.a + cost
end

local function keep(record, found, state, cost)
  local rule, entry = found.rule, found.entry
  if not entry then
    entry = {algorithm = rule.algorithm, window = rule.window, till = 0, a = 0, b = 0, c = 0, slots = 0, next = 0}
    table.insert(record.entries, entry)
    record.is_reshaped = true
  end
  record.is_changed = true
  if rule.algorithm ~= 5 then
    entry.till, entry.a, entry.b, entry.c = state.till, state.a, state.b, state.c
    return
  end
  local newest = entry.till - rule.window
  if entry.is_far then
    reanchor(record, entry, newest)
    newest = math.min(newest, now)
  end
  entry.till = state.till
  if cost > 0 then
    push(record, entry, rule.window, rule.amount, cost, newest, state.till - rule.window)
  end
end

-- The bytes of a record of this entry alone, if its numbers are small.
local function compact(entry)
  local rest = entry.c > 0 and entry.till - entry.c + 1 or 0
  if entry.algorithm ~= 5 and entry.window < TWO48 and entry.a < TWO24 and entry.b < TWO24
    and rest >= 0 and rest < TWO40 then
    local head = COMPACT + entry.algorithm * TWO24
    return struct.pack('<I4I6I7I3I3I5', head, entry.window, entry.till, entry.a, entry.b, rest)
  end
end

local function pack(entry)
  if entry.algorithm == 5 then
    entry.b = entry.next + entry.slots * TWO26
  end
  return struct.pack('<BI7I7I7I7I7', entry.algorithm, entry.window, entry.till, entry.a, entry.b, entry.c)
end

-- Forgets the entries that are worth nothing any more, where there are others than the `rules` that were asked.
local function forget(record, rules)
  if #record.entries > rules then
    local kept = {}
    for _, entry in ipairs(record.entries) do
      -- Within its last microsecond a bucket is still in use.
      if entry.till > now or (entry.algorithm > 5 and entry.till == now and entry.a > 0) then
        table.insert(kept, entry)
      end
    end
    record.is_reshaped = record.is_reshaped or #kept < #record.entries
    record.entries = kept
  end
end

-- Writes a record: as a whole, or where it is large and keeps its shape, in place.
local function commit(record)
  local till, window, pieces, logs = 0, 0, {}, {}
  local small = #record.entries == 1 and compact(record.entries[1])
  if small then
    redis.call('SET', record.key, small, 'PX', lifetime(record.entries[1].till, record.entries[1].window))
    return
  end
  for _, entry in ipairs(record.entries) do
    till, window = math.max(till, entry.till), math.max(window, entry.window)
    table.insert(pieces, pack(entry))
  end
  if record.is_whole or record.is_reshaped then
    for _, entry in ipairs(record.entries) do
      if entry.algorithm == 5 then
        table.insert(logs, log_bytes(record, entry))
      end
    end
    local value = 'LR\1' .. string.char(#record.entries) .. table.concat(pieces) .. table.concat(logs)
    redis.call('SET', record.key, value, 'PX', lifetime(till, window))
  else
    redis.call('SETRANGE', record.key, HEAD, table.concat(pieces))
    for _, entry in ipairs(record.entries) do
      if entry.patch then
        redis.call('SETRANGE', record.key, entry.patch.offset, entry.patch.piece)
      end
    end
    redis.call('PEXPIRE', record.key, lifetime(till, window))
  end
end

-- What is asked of a record.
local function read(ask)
  local spends, cost = struct.unpack('<BI7', ask)
  local subject = {spends = spends == 1, cost = cost, rules = {}, found = {}}
  for position = ASKED + 1, #ask, RULE do
    local rule = {}
    rule.algorithm, rule.window, rule.amount, rule.capacity, rule.increment, rule.increment_fraction, rule.depth,
      rule.depth_fraction = struct.unpack('<BI7I7I7I7I7I7I7', ask, position)
    table.insert(subject.rules, rule)
  end
  return subject
end

-- Decides all of them or none.
attempt = function(keys, asks)
  local subjects, allowed = {}, true
  for index, key in ipairs(keys) do
    local record, mistake = load(key)
    if mistake then
      return mistake
    end
    local subject = read(asks[index])
    subject.record = record
    for place, rule in ipairs(subject.rules) do
      local found = decide(record, rule, subject.cost)
      allowed = allowed and found.allowed
      subject.found[place] = found
    end
    subjects[index] = subject
  end

  -- Nothing is written before it is known that everything can be.
  local reply = {struct.pack('<I7', now)}
  for _, subject in ipairs(subjects) do
    local record = subject.record
    for _, found in ipairs(subject.found) do
      local state = found.current
      if subject.spends then
        state = allowed and found.charged or found.refused
        if allowed then
          keep(record, found, state, subject.cost)
        elseif found.entry and state.till > 0 and state.till ~= found.entry.till then
          keep(record, found, state, 0)
        end
      end
      table.insert(reply, struct.pack('<BI7I7I7I7', found.allowed and 1 or 0, state.till, state.a, state.b, state.c))
    end
    if record.is_changed and allowed then
      forget(record, #subject.found)
      if #record.entries > MOST then
        return redis.error_reply('LIMITRAFULL the record holds as many other rules as it may')
      end
    end
  end
  for _, subject in ipairs(subjects) do
    local record = subject.record
    if record.is_changed then
      commit(record)
    elseif subject.spends and record.value ~= '' then
      -- A record that lost its time to live gets one.
      if redis.call('PTTL', record.key) == -1 then
        redis.call('PEXPIRE', record.key, lifetime(record.till, record.window))
      end
    end
  end
  return table.concat(reply)
end
