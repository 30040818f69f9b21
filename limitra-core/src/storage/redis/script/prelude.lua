-- KEYS: a record for each subject. ARGV: the instant ('' for this server's clock), behind a '*' where no record is named twice and each is asked for
-- one rule without a log, so that one look may show them all; then what is asked of each subject ('' or nothing for the same as of the one before),
-- as bytes: 1 to spend or 0 to look, the cost, and for each rule algorithm, window, amount,
-- capacity, increment and its fraction, depth and its fraction. The first one and an algorithm take 1 byte, all else 7,
-- little-endian, and is below 2^53. An answer is bytes too: the instant, then for each rule whether it allows (1 byte) and
-- its state: till, a, b, c (see state.rs; `until` is a keyword here). Instead of these, of one rule that allowed and was charged, it may be its
-- record as it now stands: 'LR', 1 or 2.
--
-- A record of one entry whose numbers are small is 'LR', 2, its algorithm (1 byte), window (6 bytes), till (7), a and b (3 each), and
-- c (5): 0 for 0, else 1 more than it lies before till. Any other is 'LR', 1, a number of entries; for each entry its algorithm (1 byte), window, till, a, b
-- and c (7 bytes each); then the logs of its moving windows, in order. A log is a ring of slots: the instant plus 1 (0: not
-- used) and the total spent before it. Its entry's a is the total, its b the next slot and 2^26 times
-- the number of slots.
--
-- A step is in its algorithm's twin: from the instant, the cost, the rule and the state `till`, a, b, c it says whether the rule allows
-- (`allowed`), the state as it stands (in its own place), what to keep if every rule allows (`next_till` to `next_c`), and the
-- `refused_till` to keep if one refuses, the rest then being as it stands.
local TWO24, TWO40, TWO48, TWO53 = 16777216, 1099511627776, 281474976710656, 9007199254740992
local COMPACT = 0x02524C
local now, is_own, at_once = ARGV[1], false, false
if now == '' or now == '*' then
  local time = redis.call('TIME')
  now, is_own, at_once = time[1] * 1000000 + time[2], true, now == '*'
else
  at_once = string.sub(now, 1, 1) == '*'
  now = tonumber(string.sub(now, at_once and 2 or 1))
end
local span, margin, lasting, milliseconds
