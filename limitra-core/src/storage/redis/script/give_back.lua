-- Undoes what is left of charges, in one step for all records; 1 if anything was, else 0.
--
-- KEYS and the instant: see prelude.lua. For each record then the cost (7 bytes), and for each rule its algorithm (1 byte), window,
-- amount, the increment of that cost and its fraction, and the receipt: the state after the charge, till, a, b and c (7 bytes each).
local attempt
--> general.lua
local ASKED, RULE = 7, 57

-- Twins of each algorithm's give_back: what to keep of an entry, or nothing where nothing of the charge is left. A till of 0: nothing at all.
local function less(entry, cost)
  local count = math.max(entry.a - cost, 0)
  if count == entry.a then
    return
  elseif count == 0 then
    return 0, 0, 0, 0
  end
  return entry.till, count, entry.b, entry.c
end

-- Whether a window is open, and not one from the far future.
local function is_open(entry)
  return entry.till > now and entry.till - 2 * entry.window <= now
end

local function fixed_window(entry, rule, cost)
  if entry.till == rule.till and is_open(entry) then
    return less(entry, cost)
  end
end

local function elastic_expiry(entry, rule, cost)
  if now < rule.till and is_open(entry) then
    return less(entry, cost)
  end
end

local function sliding_window(entry, rule, cost)
  local window, till, a, b = entry.window, entry.till, entry.a, entry.b
  local this = now - math.fmod(now, window)
  if till <= this or rule.till <= this or till - 2 * window > now + window then
    return
  elseif till == rule.till then
    b = math.max(b - cost, 0)
  elseif till == rule.till + window then
    a = math.max(a - cost, 0)
  end
  if a == entry.a and b == entry.b then
    return
  elseif a == 0 and b == 0 then
    return 0, 0, 0, 0
  end
  return till, a, b, entry.c
end

local function bucket(entry, rule)
  if entry.c > now + entry.window or entry.b ~= rule.amount or rule.b ~= rule.amount then
    return
  end
  local at = math.max(now, entry.c)
  local function ahead(till, a)
    if till > at or (till == at and a > 0) then
      return till - at, a
    end
  end
  local micros, fraction = ahead(entry.till, entry.a)
  local left, left_fraction = ahead(rule.till, rule.a)
  if not micros or not left then
    return
  end
  if left > rule.increment or (left == rule.increment and left_fraction > rule.increment_fraction) then
    left, left_fraction = rule.increment, rule.increment_fraction
  end
  if micros < left or (micros == left and fraction <= left_fraction) then
    return 0, 0, 0, 0
  end
  micros, fraction = micros - left, fraction - left_fraction
  if fraction < 0 then
    micros, fraction = micros - 1, fraction + rule.amount
  end
  return at + micros, fraction, entry.b, entry.c
end

-- Twin of log.rs: only what came later is looked at. The log is written anew, full, from its start and without what has left: the
-- newest goes, perhaps, and a clock that steps back must not bring that back.
local function moving_window(record, entry, rule, cost)
  local window, instant, newest = entry.window, rule.till - entry.window, entry.till - entry.window
  if entry.slots == 0 or newest > now + window or rule.till <= math.max(now, newest) then
    return
  end
  local bytes, slots = log_bytes(record, entry), entry.slots
  local first = first_index(0, slots, function(index)
    return is_live(slot(record, entry, index), window, newest)
  end)
  local after = first_index(first, slots, function(index)
    return slot(record, entry, index) > instant
  end)
  local at, before = slot(record, entry, math.max(after - 1, 0))
  if after == first or at ~= instant then
    return
  end
  local pieces, following, last = {}, entry.a, nil
  if after < slots then
    local _
    _, following = slot(record, entry, after)
  end
  local units = difference(following, before)
  local taken = math.min(cost, units)
  if taken == 0 then
    return
  end
  local kept = taken == units and after - 1 or after
  if after < slots then
    last = newest
  elseif kept > first then
    last = slot(record, entry, kept - 1)
  end
  local cut = entry.next * SLOT
  local ordered = string.sub(bytes, cut + 1) .. string.sub(bytes, 1, cut)
  pieces[1] = string.sub(ordered, first * SLOT + 1, kept * SLOT)
  for index = after, slots - 1 do
    local later, total = slot(record, entry, index)
    table.insert(pieces, struct.pack('<I8I8', later + 1, difference(total, taken)))
  end
  entry.bytes, entry.slots, entry.next = table.concat(pieces), kept - first + slots - after, 0
  record.is_reshaped = true
  return last and last + window or 0, difference(entry.a, taken), 0, entry.c
end

local undo = {
  sliding_window, fixed_window, fixed_window, elastic_expiry, moving_window, bucket, bucket, bucket
}

local records, is_changed = {}, false
for index, key in ipairs(KEYS) do
  local record, mistake = load(key)
  if mistake then
    return mistake
  end
  local ask = ARGV[index + 1]
  local cost = struct.unpack('<I7', ask)
  for position = ASKED + 1, #ask, RULE do
    local rule = {}
    rule.algorithm, rule.window, rule.amount, rule.increment, rule.increment_fraction, rule.till, rule.a, rule.b, rule.c =
      struct.unpack('<BI7I7I7I7I7I7I7I7', ask, position)
    local entry = entry_of(record, rule)
    if entry then
      local till, a, b, c
      if rule.algorithm == 5 then
        till, a, b, c = moving_window(record, entry, rule, cost)
      else
        till, a, b, c = undo[rule.algorithm](entry, rule, cost)
      end
      if till then
        entry.till, entry.a, entry.b, entry.c = till, a, b, c
        record.is_changed, record.is_reshaped, is_changed = true, true, true
      end
    end
  end
  records[index] = record
end
for _, record in ipairs(records) do
  if record.is_changed then
    local kept = {}
    for _, entry in ipairs(record.entries) do
      if entry.till > 0 then
        table.insert(kept, entry)
      end
    end
    record.entries = kept
    if #kept > 0 then
      commit(record)
    else
      redis.call('UNLINK', record.key)
    end
  end
end
return is_changed and 1 or 0
