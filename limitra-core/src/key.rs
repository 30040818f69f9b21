//! The full storage key of one subject.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::hash::Hasher as _;

use sha2::{Digest, Sha256};
use siphasher::sip128::{Hasher128 as _, SipHasher13};
use smallvec::SmallVec;

use crate::identifier::Identifier;

/// A path longer than this ends in a digest.
const LONGEST_PATH: usize = 1024;
/// How much of a long path stays readable.
const KEPT_OF_LONG_PATH: usize = 512;
/// A field longer than this, escaped, ends in a digest.
const LONGEST_FIELD: usize = 128;
/// An identifier of no more bytes than this never ends in a digest, even if all of them are escaped.
const LONGEST_RAW: usize = LONGEST_FIELD / 3;
/// How much of a long field stays readable.
const KEPT_OF_LONG_FIELD: usize = 64;

/// The fields of a key that are the same for every identifier, already escaped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeySpace {
    /// `prefix:project:function:scope:`
    head: String,
    /// `:suffix`
    tail: String,
    /// What stands for both where a key is hashed.
    digest: [u64; 2],
    hash_identifiers: bool,
}

/// What a key space is made of; absent fields are empty.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyFields<'a> {
    pub(crate) prefix: Option<&'a str>,
    pub(crate) project: Option<&'a str>,
    pub(crate) function: Option<&'a str>,
    pub(crate) scope: &'a str,
    pub(crate) suffix: Option<&'a str>,
    pub(crate) hash_identifiers: bool,
}

impl KeySpace {
    pub(crate) fn new(fields: &KeyFields<'_>) -> Self {
        let mut head = String::new();
        for field in [fields.prefix, fields.project, fields.function, Some(fields.scope)] {
            if let Some(field) = field {
                field_into(field.as_bytes(), &mut head);
            }
            head.push(':');
        }
        let mut tail = String::from(":");
        if let Some(suffix) = fields.suffix {
            field_into(suffix.as_bytes(), &mut tail);
        }
        let digest = digest_of(&head, &tail);
        Self { head, tail, digest, hash_identifiers: fields.hash_identifiers }
    }

    /// What stands for prefix, project, function, scope and suffix where keys are hashed.
    pub(crate) const fn digest(&self) -> [u64; 2] {
        self.digest
    }

    /// How many bytes of an identifier are too many to be hashed as they are.
    pub(crate) const fn too_long(&self) -> usize {
        if self.hash_identifiers { 0 } else { LONGEST_RAW + 1 }
    }

    fn identifier_into(&self, parts: &[Identifier<'_>], sink: &mut impl FnMut(&str)) {
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                sink(",");
            }
            if !part.is_absent() {
                identifier_into(part.as_bytes(), self.hash_identifiers, sink);
            }
        }
    }

    /// The key of an identifier of these parts; none is the absent identifier.
    pub(crate) fn key<'a>(&'a self, parts: &'a [Identifier<'a>]) -> Key<'a> {
        Key(Form::Parts { space: self, parts })
    }
}

/// The full storage key of one subject: readable for ordinary values, injective for all.
///
/// Prefix, project, function, scope, identifier and suffix, separated by `:`. An absent field is
/// empty, a present but empty one is `%empty`. `%`, `:`, `,`, braces, spaces, control characters
/// and what is not UTF-8 stand as `%XX`; a field of more than 128 bytes keeps its first 64
/// and ends in `%~` and 128 bits of its SHA-256. So it is at most about a thousand bytes long.
///
/// ```
/// use limitra_core::Key;
///
/// let key = Key::from_text("limitra:blog::user:u1:");
/// assert_eq!(key.text(), "limitra:blog::user:u1:");
/// ```
#[derive(Clone, Copy)]
pub struct Key<'a>(Form<'a>);

/// What tells a key from every other one.
///
/// An identifier of one part that cannot be too long for a field is hashed as it is; else its text is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Essence<'a> {
    /// Prefix, project, function, scope and suffix.
    pub(crate) space: [u64; 2],
    /// What the bytes are.
    pub(crate) kind: u64,
    pub(crate) bytes: &'a [u8],
}

impl Essence<'_> {
    const TEXT: u64 = 1;
}

/// An identifier that is hashed as it is: of one part, and not so long that it might end in a digest; or none.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Short<'a> {
    Absent,
    Raw(&'a [u8]),
}

impl<'a> Short<'a> {
    /// The kind of what is hashed as it is.
    pub(crate) const RAW: u64 = 0;

    /// The identifier of these parts, if it is one that is hashed as it is: of fewer bytes than are too long.
    #[allow(clippy::inline_always)] // See `MemoryStorage::decide_prepared`.
    #[inline(always)]
    pub(crate) fn of(parts: &'a [Identifier<'_>], too_long: usize) -> Option<Self> {
        match parts {
            [part] if !part.is_absent() => {
                let bytes = part.as_bytes();
                (bytes.len() < too_long).then_some(Self::Raw(bytes))
            }
            [] | [_] => Some(Self::Absent),
            _ => None,
        }
    }

    #[inline]
    pub(crate) const fn kind(self) -> u64 {
        match self {
            Self::Raw(_) => Self::RAW,
            Self::Absent => 2,
        }
    }

    #[inline]
    const fn bytes(self) -> &'a [u8] {
        match self {
            Self::Raw(bytes) => bytes,
            Self::Absent => &[],
        }
    }
}

#[derive(Clone, Copy)]
enum Form<'a> {
    Text(&'a str),
    Parts { space: &'a KeySpace, parts: &'a [Identifier<'a>] },
}

impl<'a> Key<'a> {
    /// A key from its text, as [`Key::text`] gave it.
    pub const fn from_text(text: &'a str) -> Self {
        Self(Form::Text(text))
    }

    /// The whole text. Costs one allocation where the key is not text already.
    pub fn text(&self) -> Cow<'a, str> {
        if let Form::Text(text) = self.0 {
            return Cow::Borrowed(text);
        }
        let mut text = String::with_capacity(96);
        self.pieces(&mut |piece| text.push_str(piece));
        Cow::Owned(text)
    }

    /// What tells it from every other key, for those who hash keys and keep none: without making its text where that
    /// can be helped. The same for a key and for one from its text.
    #[inline]
    pub(crate) fn essence<T>(&self, hash: impl FnOnce(Essence<'_>) -> T) -> T {
        let Form::Parts { space, parts } = self.0 else {
            return Self::essence_of_text(&self.text(), hash);
        };
        if let Some(short) = self.short() {
            return hash(Essence { space: space.digest, kind: short.kind(), bytes: short.bytes() });
        }
        let mut text: SmallVec<[u8; 256]> = SmallVec::new();
        space.identifier_into(parts, &mut |piece| text.extend_from_slice(piece.as_bytes()));
        hash(Essence { space: space.digest, kind: Essence::TEXT, bytes: &text })
    }

    /// Its identifier, if that is hashed as it is.
    #[inline]
    pub(crate) fn short(&self) -> Option<Short<'a>> {
        match self.0 {
            Form::Parts { space, parts } => Short::of(parts, space.too_long()),
            Form::Text(_) => None,
        }
    }

    #[cold]
    fn essence_of_text<T>(text: &str, hash: impl FnOnce(Essence<'_>) -> T) -> T {
        // Only a key of six fields has a space; whatever else is one text.
        let Some((head, identifier, tail)) = fields_of(text) else {
            return hash(Essence { space: [0; 2], kind: Essence::TEXT, bytes: text.as_bytes() });
        };
        let space = digest_of(head, tail);
        match raw(identifier) {
            _ if identifier.is_empty() => hash(Essence { space, kind: Short::Absent.kind(), bytes: &[] }),
            Some(bytes) => hash(Essence { space, kind: Short::Raw(&bytes).kind(), bytes: &bytes }),
            None => hash(Essence { space, kind: Essence::TEXT, bytes: identifier.as_bytes() }),
        }
    }

    /// Hands the text to `sink` piece by piece, without an allocation for ordinary identifiers.
    pub fn pieces(&self, sink: &mut impl FnMut(&str)) {
        match self.0 {
            Form::Text(text) => sink(text),
            Form::Parts { space, parts } => {
                sink(&space.head);
                space.identifier_into(parts, sink);
                sink(&space.tail);
            }
        }
    }
}

impl fmt::Debug for Key<'_> {
    /// A key holds an identifier, which is personal data: only its function and scope are shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text();
        let fields: SmallVec<[&str; 6]> = text.split(':').collect();
        match fields.get(..4) {
            Some(fields) => write!(f, "Key({})", fields.join(":")),
            // That of a strategy: a path that begins with its namespace.
            None => write!(f, "Key({}/..)", text.split('/').next().unwrap_or_default()),
        }
    }
}

/// A key of six fields: the four before its identifier, that, and the rest; each with its colon.
fn fields_of(text: &str) -> Option<(&str, &str, &str)> {
    let mut colons = text.match_indices(':').map(|(at, _)| at);
    let (head, tail) = (colons.nth(3)?, colons.next()?);
    if colons.next().is_some() {
        return None;
    }
    Some((text.get(..=head)?, text.get(head + 1..tail)?, text.get(tail..)?))
}

/// `SipHash` 1-3 of 128 bits of what surrounds an identifier; the fields hold no line break.
fn digest_of(head: &str, tail: &str) -> [u64; 2] {
    let mut hasher = SipHasher13::new();
    hasher.write(head.as_bytes());
    hasher.write(b"\n");
    hasher.write(tail.as_bytes());
    let hash = hasher.finish128();
    [hash.h1, hash.h2]
}

/// The identifier of one part that stands as this text in a key, if it is short.
fn raw(text: &str) -> Option<Vec<u8>> {
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

fn identifier_into(bytes: &[u8], hashed: bool, sink: &mut impl FnMut(&str)) {
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

fn field_into(bytes: &[u8], text: &mut String) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_asking_stands_in_no_log() {
        let shown = |text| format!("{:?}", Key::from_text(text));
        assert_eq!(shown("limitra:blog::user:ada:"), "Key(limitra:blog::user)");
        assert_eq!(shown("LIMITER/ada/10/1/minute/gcra"), "Key(LIMITER/..)");
    }

    #[test]
    fn no_control_character_stands_in_a_key() {
        for (identifier, escaped) in [
            ("a\nb", "a%0Ab"),
            ("\u{7f}", "%7F"),
            ("\u{85}", "%C2%85"),
            ("\u{9f}z", "%C2%9Fz"),
            ("\u{a1}", "\u{a1}"),
        ] {
            let space = KeySpace::default();
            let parts = [Identifier::from(identifier)];
            assert_eq!(space.key(&parts).text(), escaped);
        }
    }
}
