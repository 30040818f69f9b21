//! Which node of a cluster has a key.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use ::redis::Value;

use super::nodes::{Address, Node};

/// How many slots a cluster has.
const SLOTS: usize = 16_384;

/// The master of each slot. A map is kept for each runtime, so it is one of ranges: a few hundred bytes.
pub(super) struct SlotMap {
    /// By the first slot of each range, which goes on to the next one.
    masters: RwLock<BTreeMap<usize, Option<Arc<Node>>>>,
}

/// Slots from the first to the last, both included, and who has them.
pub(super) type Range = (usize, usize, Address);

impl SlotMap {
    /// A map of these ranges.
    pub(super) fn new(ranges: impl IntoIterator<Item = (usize, usize, Arc<Node>)>) -> Self {
        let mut masters = BTreeMap::from([(0, None)]);
        for (first, last, node) in ranges {
            assign(&mut masters, first, last, &node);
        }
        Self { masters: RwLock::new(masters) }
    }

    /// The master of a slot, if it has one.
    pub(super) fn master(&self, slot: u16) -> Option<Arc<Node>> {
        let masters = self.masters.read().unwrap_or_else(PoisonError::into_inner);
        at(&masters, usize::from(slot))
    }

    /// Every master, once.
    pub(super) fn masters(&self) -> Vec<Arc<Node>> {
        let masters = self.masters.read().unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<Arc<Node>> = Vec::new();
        for master in masters.values().flatten() {
            if !found.iter().any(|other| Arc::ptr_eq(other, master)) {
                found.push(Arc::clone(master));
            }
        }
        found
    }

    /// A slot has moved.
    pub(super) fn moved(&self, slot: u16, to: &Arc<Node>) {
        let mut masters = self.masters.write().unwrap_or_else(PoisonError::into_inner);
        assign(&mut masters, usize::from(slot), usize::from(slot), to);
    }
}

/// Who has a slot.
fn at<T: Clone>(masters: &BTreeMap<usize, Option<T>>, slot: usize) -> Option<T> {
    masters.range(..=slot).next_back().and_then(|(_, master)| master.clone())
}

/// Gives slots to a master.
fn assign<T: Clone>(masters: &mut BTreeMap<usize, Option<T>>, first: usize, last: usize, to: &T) {
    let next = last + 1;
    if next < SLOTS && !masters.contains_key(&next) {
        let after = at(masters, next);
        masters.insert(next, after);
    }
    masters.retain(|slot, _| !(first..next).contains(slot));
    masters.insert(first, Some(to.clone()));
}

/// Reads what a node says to `CLUSTER SLOTS`; `asked` is the node's host, for which it may have no name.
pub(super) fn ranges(answer: &Value, asked: &str) -> Option<Vec<Range>> {
    let Value::Array(answer) = answer else { return None };
    answer.iter().map(|range| self::range(range, asked)).collect::<Option<Vec<_>>>().map(|ranges| {
        // A host that the node does not know is `?`.
        ranges.into_iter().filter(|(.., address)| address.host != "?").collect()
    })
}

fn range(range: &Value, asked: &str) -> Option<Range> {
    let Value::Array(range) = range else { return None };
    let [Value::Int(first), Value::Int(last), Value::Array(master), ..] = range.as_slice() else {
        return None;
    };
    let [host, Value::Int(port), ..] = master.as_slice() else { return None };
    let host = match host {
        Value::Nil => asked.to_owned(),
        Value::BulkString(host) if host.is_empty() => asked.to_owned(),
        Value::BulkString(host) => String::from_utf8(host.clone()).ok()?,
        Value::SimpleString(host) => host.clone(),
        _ => return None,
    };
    let (first, last) = (usize::try_from(*first).ok()?, usize::try_from(*last).ok()?);
    (first <= last && last < SLOTS).then_some(())?;
    Some((first, last, Address { host, port: u16::try_from(*port).ok()? }))
}

/// The slot of a key: of what stands between its first brace and the next closing one, or of all of it.
pub(super) fn slot(key: &str) -> u16 {
    crc16(hash_tag(key).unwrap_or(key).as_bytes()) % 16_384
}

/// What stands between braces, if there is something.
pub(super) fn hash_tag(key: &str) -> Option<&str> {
    let (_, rest) = key.split_once('{')?;
    let (tag, _) = rest.split_once('}')?;
    Some(tag).filter(|tag| !tag.is_empty())
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        let mut crc = crc ^ (u16::from(*byte) << 8);
        for _ in 0..8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
        }
        crc
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_that_of_the_specification() {
        // From the Redis Cluster specification, and from `CLUSTER KEYSLOT`.
        assert_eq!(crc16(b"123456789"), 0x31C3);
        for (key, expected) in
            [("foo", 12_182), ("{foo}:limitra:::user:ada:", 12_182), ("bar{foo}{zap}", 12_182), ("", 0)]
        {
            assert_eq!(slot(key), expected, "{key}");
        }
        assert_eq!(slot("foo{}{bar}"), crc16(b"foo{}{bar}") % 16_384);
        assert_eq!(hash_tag("foo{{bar}}zap"), Some("{bar"));
        assert_eq!(hash_tag("a}b{c"), None);
    }

    #[test]
    fn ranges_are_what_a_list_of_all_slots_would_be() {
        let (mut ranges, mut slots) = (BTreeMap::from([(0, None)]), vec![None; SLOTS]);
        let mut number = 1_usize;
        for master in 0..500 {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let first = (number >> 20) % SLOTS;
            let length = if master % 3 == 0 { 1 } else { (number >> 40) % 4000 + 1 };
            let end = (first + length - 1).min(SLOTS - 1);
            assign(&mut ranges, first, end, &master);
            slots[first..=end].fill(Some(master));
            for slot in [0, first.saturating_sub(1), first, end, (end + 1).min(SLOTS - 1), SLOTS - 1] {
                assert_eq!(at(&ranges, slot), slots[slot], "{slot}");
            }
        }
        assert!((0..SLOTS).all(|slot| at(&ranges, slot) == slots[slot]));
    }

    #[test]
    fn what_a_node_says_is_read() {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let node = |host: Value, port| Value::Array(vec![host, Value::Int(port), text("id")]);
        let range = |first, last, node| Value::Array(vec![Value::Int(first), Value::Int(last), node]);
        let address = |host: &str, port| Address { host: host.to_owned(), port };
        let answer = Value::Array(vec![
            range(0, 5, node(text("10.0.0.1"), 7000)),
            range(6, 6, node(text(""), 7001)),
            range(7, 8, node(Value::Nil, 7002)),
            range(9, 10, node(text("?"), 7003)),
        ]);
        let expected = vec![
            (0, 5, address("10.0.0.1", 7000)),
            (6, 6, address("asked", 7001)),
            (7, 8, address("asked", 7002)),
        ];
        assert_eq!(ranges(&answer, "asked"), Some(expected));
        for nonsense in [
            Value::Nil,
            Value::Array(vec![Value::Int(1)]),
            Value::Array(vec![range(5, 4, node(text("h"), 1))]),
            Value::Array(vec![range(0, 16_384, node(text("h"), 1))]),
            Value::Array(vec![range(0, 1, node(text("h"), 65_536))]),
        ] {
            assert_eq!(ranges(&nonsense, "asked"), None, "{nonsense:?}");
        }
    }
}
