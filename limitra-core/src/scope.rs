//! The scope that a refusal tells of.

use std::borrow::Cow;
use std::sync::Arc;

/// The longest scope that is kept in place, in bytes.
const SHORT: usize = 22;

/// The scope that a refusal tells of, kept so that telling it writes nothing that threads share.
///
/// A count of references would be one word that every refusal of a limiter has to write, from whatever thread. So
/// a scope of up to 22 bytes is copied instead; only a longer one is counted.
#[derive(Clone, Debug, Default)]
pub(crate) enum Scope {
    /// Not known, or not worth telling.
    #[default]
    Unsaid,
    /// Its length and its bytes, in place.
    Short(u8, [u8; SHORT]),
    Long(Arc<str>),
    /// That of an attributed function.
    Static(&'static str),
}

impl Scope {
    pub(crate) fn of(text: &Arc<str>) -> Self {
        let mut short = [0; SHORT];
        match (short.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(text.as_bytes());
                Self::Short(length, short)
            }
            _ => Self::Long(Arc::clone(text)),
        }
    }

    /// Its text; that of an attributed function is not copied.
    pub(crate) fn text(&self) -> Cow<'static, str> {
        match self {
            Self::Unsaid => Cow::Borrowed(""),
            Self::Short(length, bytes) => {
                let bytes = bytes.get(..usize::from(*length)).unwrap_or_default();
                // It was text when it was copied.
                Cow::Owned(String::from_utf8_lossy(bytes).into_owned())
            }
            Self::Long(text) => Cow::Owned(text.to_string()),
            Self::Static(text) => Cow::Borrowed(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_of_any_length_is_told_as_it_is() {
        for length in [0, 1, SHORT - 1, SHORT, SHORT + 1, 300] {
            let text: Arc<str> = "ä".repeat(length / 2).into();
            assert_eq!(Scope::of(&text).text(), *text);
            assert_eq!(matches!(Scope::of(&text), Scope::Long(_)), text.len() > SHORT);
        }
    }
}
