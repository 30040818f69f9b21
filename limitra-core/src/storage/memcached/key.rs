//! Keys as memcached can have them.

use std::borrow::Cow;

use sha2::{Digest as _, Sha256};

/// The longest key.
const LONGEST: usize = 250;
/// Stands before the digest of a key that memcached cannot have as it is.
const MARK: &str = "%~~";
/// How many bytes of the digest there are, each as two digits.
const DIGEST_BYTES: usize = 16;

/// A key as it is stored: as it is where that can be, else its beginning and 128 bits of its SHA-256.
///
/// Two texts never come to one key (but for a collision of the digest): one that looks like a digested one is
/// digested itself.
pub(super) fn stored(text: Cow<'_, str>) -> Vec<u8> {
    if text.len() <= LONGEST && text.bytes().all(is_allowed) && !text.is_empty() && !text.contains(MARK) {
        return text.into_owned().into_bytes();
    }
    let room = LONGEST - MARK.len() - 2 * DIGEST_BYTES;
    let readable = text.bytes().take(room).map(|byte| if is_allowed(byte) { byte } else { b'_' });
    let mut key: Vec<u8> = readable.collect();
    key.extend_from_slice(MARK.as_bytes());
    let digest = Sha256::digest(text.as_bytes());
    for byte in digest.iter().take(DIGEST_BYTES) {
        for digit in [byte >> 4, byte & 15] {
            key.extend(char::from_digit(digit.into(), 16).map(|digit| digit as u8));
        }
    }
    key
}

/// Whether a byte may stand in a key: it must not end the word that the key is.
pub(super) fn is_allowed(byte: u8) -> bool {
    byte > b' ' && byte != 0x7f
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> String {
        String::from_utf8_lossy(&stored(text.into())).into_owned()
    }

    #[test]
    fn what_memcached_can_have_is_stored_as_it_is() {
        for text in ["limitra:::user:ada:", "é日本", &"x".repeat(250)] {
            assert_eq!(key(text), text);
        }
    }

    #[test]
    fn what_it_cannot_have_is_stored_by_a_digest() {
        let beginning = "limitra:::user:";
        let long = |end: &str| format!("{beginning}{}{end}", "x".repeat(400));
        assert_eq!(stored(long("1").into()).len(), 250);
        assert!(key(&long("1")).starts_with(beginning));
        assert_eq!(key(&long("1")), key(&long("1")));
        let texts =
            [&long("1"), &long("2"), "a b", "a_b", "a\r\nb", "a\0b", "a\tb", "", &key("a b"), &key("")];
        let keys: std::collections::HashSet<_> = texts.iter().map(|text| stored((*text).into())).collect();
        assert_eq!(keys.len(), texts.len());
        for key in keys {
            assert!(key.len() <= LONGEST && key.iter().all(|byte| is_allowed(*byte)), "{key:?}");
        }
    }
}
