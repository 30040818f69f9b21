//! The scope that a refusal tells of.

use std::fmt;

/// The longest text that is kept in place, in bytes.
const LONGEST: usize = 15;

/// The scope that a refusal tells of, in place.
///
/// A count of references would be one word that every refusal of a limiter has to write, from whatever thread; this is
/// copied instead.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ShortScope([u8; LONGEST + 1]);

impl ShortScope {
    /// The empty one.
    pub(crate) const NONE: Self = Self([0; LONGEST + 1]);

    /// Of this text, if it is short enough: at most 15 bytes.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let mut bytes = [0; LONGEST + 1];
        if text.len() > LONGEST {
            return None;
        }
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        // The last byte is the length.
        *bytes.last_mut()? = u8::try_from(text.len()).ok()?;
        Some(Self(bytes))
    }

    pub(crate) fn text(&self) -> String {
        let length = self.0.last().copied().map_or(0, usize::from);
        String::from_utf8_lossy(self.0.get(..length).unwrap_or_default()).into_owned()
    }
}

impl fmt::Debug for ShortScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_scope_is_told_as_it_is() {
        for text in ["", "u", "user", "fifteen bytes..", "sechs \u{e4}\u{f6}\u{fc}"] {
            assert_eq!(ShortScope::of(text).map(|scope| scope.text()).as_deref(), Some(text));
        }
        assert_eq!(ShortScope::of("sixteen bytes..."), None);
    }
}
