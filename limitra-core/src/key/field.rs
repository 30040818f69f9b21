//! How a field stands in a key.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// A path longer than this ends in a digest.
const LONGEST_PATH: usize = 1024;
/// How much of a long path stays readable.
const KEPT_OF_LONG_PATH: usize = 512;
/// A field longer than this, escaped, ends in a digest.
const LONGEST_FIELD: usize = 128;
/// An identifier of no more bytes than this never ends in a digest, even if all of them are escaped.
pub(super) const LONGEST_RAW: usize = LONGEST_FIELD / 3;
/// How much of a long field stays readable.
const KEPT_OF_LONG_FIELD: usize = 64;

/// The identifier of one part that stands as this text in a key, if it is short.
pub(super) fn raw(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    if text != "%empty" {
        let mut rest = text.as_bytes();
        while let Some((byte, after)) = rest.split_first() {
            let escaped = if *byte == b'%' { after.split_at_checked(2) } else { None };
            rest = after;
            match escaped {
                Some((digits, after)) => {
                    let digits = std::str::from_utf8(digits).ok()?;
                    bytes.push(u8::from_str_radix(digits, 16).ok()?);
                    rest = after;
                }
                None => bytes.push(*byte),
            }
        }
    }
    // Only what limitra itself writes is the text of an identifier.
    let mut canonical = String::new();
    identifier_into(&bytes, false, &mut |piece| canonical.push_str(piece));
    (bytes.len() <= LONGEST_RAW && canonical == text).then_some(bytes)
}

pub(super) fn identifier_into(bytes: &[u8], hashed: bool, sink: &mut impl FnMut(&str)) {
    match std::str::from_utf8(bytes) {
        Ok(text) if !hashed && is_plain(text) => sink(text),
        _ => {
            let mut escaped = String::new();
            if hashed {
                digest_into(bytes, &mut escaped);
            } else {
                field_into(bytes, &mut escaped);
            }
            sink(&escaped);
        }
    }
}

/// Whether the text stands in a key as it is.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST_FIELD && !text.chars().any(is_reserved)
}

fn is_reserved(character: char) -> bool {
    character.is_control() || matches!(character, ' ' | '%' | ':' | ',' | '{' | '}')
}

pub(super) fn field_into(bytes: &[u8], text: &mut String) {
    if bytes.is_empty() {
        text.push_str("%empty");
        return;
    }
    let start = text.len();
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if is_reserved(character) {
                let mut bytes = [0; 4];
                character.encode_utf8(&mut bytes).bytes().for_each(|byte| escape_into(byte, text));
            } else {
                text.push(character);
            }
            if text.len() - start > LONGEST_FIELD {
                break;
            }
        }
        for byte in chunk.invalid() {
            escape_into(*byte, text);
        }
        // Nothing beyond the longest field is looked at but by the digest.
        if text.len() - start > LONGEST_FIELD {
            break;
        }
    }
    if text.len() - start > LONGEST_FIELD {
        let mut end = start + KEPT_OF_LONG_FIELD;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        digest_into(bytes, text);
    }
}

/// A field of a path: escaped, `/` as well; empty if it is.
pub(crate) fn path_field(bytes: &[u8]) -> String {
    let mut text = String::new();
    if !bytes.is_empty() {
        field_into(bytes, &mut text);
    }
    if text.contains('/') { text.replace('/', "%2F") } else { text }
}

/// A path that no storage is too small for: a long one ends in a digest, as no other path does.
pub(crate) fn bounded_path(mut path: String) -> String {
    if path.len() > LONGEST_PATH {
        let mut digest = String::new();
        digest_into(path.as_bytes(), &mut digest);
        let mut end = KEPT_OF_LONG_PATH;
        while !path.is_char_boundary(end) {
            end -= 1;
        }
        path.truncate(end);
        path.push_str(&digest);
    }
    path
}

fn escape_into(byte: u8, text: &mut String) {
    // Writing to a string cannot fail.
    let _infallible = write!(text, "%{byte:02X}");
}

fn digest_into(bytes: &[u8], text: &mut String) {
    text.push_str("%~");
    for byte in Sha256::digest(bytes).iter().take(16) {
        let _infallible = write!(text, "{byte:02x}");
    }
}
