//! The full storage key of one subject.

mod essence;
mod field;
mod space;

use std::borrow::Cow;
use std::fmt;

use smallvec::SmallVec;

use crate::identifier::Identifier;
use field::raw;
use space::digest_of;

pub(crate) use essence::{Essence, Short};
pub(crate) use field::{bounded_path, path_field};
pub(crate) use space::{KeyFields, KeySpace};

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
            return hash(Essence { space: space.digest(), kind: short.kind(), bytes: short.bytes() });
        }
        let mut text: SmallVec<[u8; 256]> = SmallVec::new();
        space.identifier_into(parts, &mut |piece| text.extend_from_slice(piece.as_bytes()));
        hash(Essence { space: space.digest(), kind: Essence::TEXT, bytes: &text })
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
