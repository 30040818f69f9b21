//! A record as bytes: what Redis keeps, and what storages that can only load and swap keep.
//!
//! A record of one entry whose numbers are small is `LR`, 2, its algorithm (1 byte), window (6 bytes), until (7), a and b (3 each), and
//! c (5: 0 for 0, else 1 more than it lies before until). That is windows below 8.9 years, amounts below 16,777,216 and buckets
//! that are in use for less than 12.7 days. Any other one is `LR`, 1, the number of entries; for each entry its algorithm (1 byte), window, until, a, b and c (7
//! bytes each, little-endian); then the logs of the moving windows, in order. A log is a ring of slots: an instant plus 1
//! (0 in an unused slot) and the total spent before it. Its entry's a is the total, its b the next slot
//! to be written and 2<sup>26</sup> times the number of slots.

use smallvec::SmallVec;

use crate::algorithm::Algorithm;
use crate::error::StorageErrorKind;
use crate::limit::Limit;
use crate::log::Log;
use crate::record::{Entry, MOST_ENTRIES, Record};
use crate::rule::Rule;
use crate::state::State;
use crate::time::Micros;

/// What a record takes before its entries.
pub(crate) const HEAD_BYTES: usize = 4;
/// What a rule takes.
pub(crate) const ENTRY_BYTES: usize = 36;
/// What an entry of a moving window's log takes.
pub(crate) const SLOT_BYTES: u64 = 16;
const MAGIC: &[u8] = b"LR";
const VERSION: u8 = 1;
/// The version of a record of one entry whose numbers are small.
const COMPACT: u8 = 2;
/// What its window, until, a, b and c take.
const COMPACT_BYTES: [usize; 5] = [6, 7, 3, 3, 5];
/// A log's number of slots stands above this many bits.
const SLOTS_SHIFT: u32 = 26;

impl Record {
    /// Reads a record.
    ///
    /// # Errors
    /// [`StorageErrorKind::ForeignValue`] if the bytes are not limitra's, [`StorageErrorKind::OtherVersion`] if they
    /// are another version's. Whoever gets it leaves the value as it is.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StorageErrorKind> {
        let foreign = StorageErrorKind::ForeignValue;
        let rest = bytes.strip_prefix(MAGIC).ok_or(foreign)?;
        let (&[version, count], mut rest) = rest.split_first_chunk().ok_or(foreign)?;
        if version == COMPACT {
            return compact_entry(count, rest).map(|entry| Self { entries: SmallVec::from_iter([entry]) });
        } else if version != VERSION {
            return Err(StorageErrorKind::OtherVersion);
        } else if count == 0 {
            // A record that holds nothing is never written.
            return Err(foreign);
        }
        let mut heads = Vec::with_capacity(usize::from(count));
        for _ in 0..count {
            let (&number, after) = rest.split_first().ok_or(foreign)?;
            let mut reader = Reader(after);
            let mut numbers = [0; 5];
            for place in &mut numbers {
                *place = reader.exact(7)?;
            }
            heads.push((number, numbers));
            rest = reader.0;
        }
        let mut record = Self::default();
        let mut reader = Reader(rest);
        for (number, [window, until, a, b, c]) in heads {
            let rule = rule(algorithm(number)?, window).ok_or(foreign)?;
            let state = State { until: Micros::new(until), a, b, c };
            let log = if rule.algorithm() == Algorithm::MovingWindow {
                Some(Box::new(reader.log(&rule, &state)?))
            } else {
                None
            };
            record.entries.push(Entry { rule, state, log });
        }
        if reader.0.is_empty() { Ok(record) } else { Err(foreign) }
    }

    /// The record's bytes: 28 for one rule whose numbers are small, else 4, 36 for each rule and 16 for each entry of a moving window.
    pub fn to_bytes(&self) -> Vec<u8> {
        if let [entry] = self.entries.as_slice()
            && let Some(bytes) = compact_bytes(entry)
        {
            return bytes;
        }
        let entries = || self.entries.iter().take(MOST_ENTRIES);
        let mut bytes = MAGIC.to_vec();
        bytes.push(VERSION);
        bytes.push(u8::try_from(entries().count()).unwrap_or(u8::MAX));
        for entry in entries() {
            let State { until, mut a, mut b, c } = entry.state;
            if let Some(log) = &entry.log {
                a = log.total();
                // Written full and from its start, the next slot is the first one again.
                b = u64::try_from(log.slots().count()).unwrap_or_default() << SLOTS_SHIFT;
            }
            bytes.push(entry.rule.algorithm().number());
            for number in [entry.rule.window().get(), until.get(), a, b, c] {
                // Below 2^53, so the eighth byte is zero.
                bytes.extend(number.to_le_bytes().iter().take(7));
            }
        }
        for (instant, before) in entries().filter_map(|entry| entry.log.as_ref()).flat_map(|log| log.slots())
        {
            bytes.extend((instant.get() + 1).to_le_bytes());
            bytes.extend(before.to_le_bytes());
        }
        bytes
    }
}

/// How a compact record says c: 0 for 0, else 1 more than it lies before until.
fn compact_c(state: &State) -> Option<u64> {
    if state.c == 0 { Some(0) } else { Some(state.until.get().checked_sub(state.c)? + 1) }
}

/// The bytes of a record of this entry alone, if its numbers are small.
fn compact_bytes(entry: &Entry) -> Option<Vec<u8>> {
    let State { until, a, b, .. } = entry.state;
    let numbers = [entry.rule.window().get(), until.get(), a, b, compact_c(&entry.state)?];
    let fits = |(number, bytes): (&u64, &usize)| *bytes >= 7 || *number < 1 << (8 * bytes);
    if entry.log.is_some() || !numbers.iter().zip(&COMPACT_BYTES).all(fits) {
        return None;
    }
    let mut bytes = MAGIC.to_vec();
    bytes.extend([COMPACT, entry.rule.algorithm().number()]);
    for (number, count) in numbers.iter().zip(COMPACT_BYTES) {
        bytes.extend(number.to_le_bytes().iter().take(count));
    }
    Some(bytes)
}

/// The entry of a compact record.
fn compact_entry(number: u8, bytes: &[u8]) -> Result<Entry, StorageErrorKind> {
    let foreign = StorageErrorKind::ForeignValue;
    let mut reader = Reader(bytes);
    let mut numbers = [0; 5];
    for (number, count) in numbers.iter_mut().zip(COMPACT_BYTES) {
        *number = reader.exact(count)?;
    }
    let [window, until, a, b, mut c] = numbers;
    let algorithm = algorithm(number)?;
    if c > 0 {
        c = (until + 1).checked_sub(c).filter(|c| *c > 0).ok_or(foreign)?;
    }
    let rule = rule(algorithm, window).filter(|_| reader.0.is_empty() && !algorithm.keeps_log());
    Ok(Entry { rule: rule.ok_or(foreign)?, state: State { until: Micros::new(until), a, b, c }, log: None })
}

/// An algorithm that is not known here is a later version's.
fn algorithm(number: u8) -> Result<Algorithm, StorageErrorKind> {
    let found = Algorithm::ALL.iter().find(|algorithm| algorithm.number() == number);
    found.copied().ok_or(StorageErrorKind::OtherVersion)
}

/// The rule that an entry was written for; its amount is not kept.
fn rule(algorithm: Algorithm, window: u64) -> Option<Rule> {
    let limit = Limit::new(Limit::MAX_AMOUNT, Micros::new(window).to_duration()).ok()?;
    Rule::new(algorithm, limit).ok()
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    /// A number of `length` bytes; every number of a record is below 2<sup>53</sup>.
    fn exact(&mut self, length: usize) -> Result<u64, StorageErrorKind> {
        let (digits, rest) = self.0.split_at_checked(length).ok_or(StorageErrorKind::ForeignValue)?;
        self.0 = rest;
        let mut bytes = [0; 8];
        bytes.iter_mut().zip(digits).for_each(|(to, from)| *to = *from);
        let number = u64::from_le_bytes(bytes);
        if number > Micros::MAX.get() { Err(StorageErrorKind::ForeignValue) } else { Ok(number) }
    }

    fn log(&mut self, rule: &Rule, state: &State) -> Result<Log, StorageErrorKind> {
        let foreign = StorageErrorKind::ForeignValue;
        let count = usize::try_from(state.b >> SLOTS_SHIFT).map_err(|_| foreign)?;
        let next = usize::try_from(state.b & ((1 << SLOTS_SHIFT) - 1)).map_err(|_| foreign)?;
        if next >= count.max(1) || count > self.0.len() / 16 {
            return Err(foreign);
        }
        let mut slots = Vec::with_capacity(count);
        for _ in 0..count {
            slots.push((self.exact(8)?, self.exact(8)?));
        }
        slots.rotate_left(next);
        let used = slots.into_iter().filter(|(instant, _)| *instant > 0);
        let entries: Vec<_> = used.map(|(instant, before)| (Micros::new(instant - 1), before)).collect();
        // The newest entry is what the record says that it matters by.
        let until = entries.last().map_or(Micros::ZERO, |(newest, _)| newest.plus(rule.window()));
        let is_sound = until == state.until;
        Log::from_slots(entries, state.a).filter(|_| is_sound).ok_or(foreign)
    }
}
