//! What stands before every key of a storage.

use std::borrow::Cow;

use crate::error::ConfigurationError;
use crate::key::Key;

/// The longest one, so that keys stay within every storage's bounds.
const LONGEST: usize = 128;

/// How long a key usually is at most.
const USUAL: usize = 96;

/// What stands before every key of a storage that others use as well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeyPrefix(Option<String>);

impl KeyPrefix {
    pub(crate) fn new(text: String) -> Result<Self, ConfigurationError> {
        let is_allowed = |letter: char| letter.is_ascii_graphic();
        if text.is_empty() || text.len() > LONGEST || !text.chars().all(is_allowed) {
            return Err(ConfigurationError::KeyPrefix { key_prefix: text });
        }
        Ok(Self(Some(text)))
    }

    /// A key as the storage knows it.
    pub(crate) fn full<'a>(&self, key: Key<'a>) -> Cow<'a, str> {
        match &self.0 {
            None => key.text(),
            Some(prefix) => {
                let mut full = String::with_capacity(prefix.len() + USUAL);
                self.pieces(key, &mut |piece| full.push_str(piece));
                Cow::Owned(full)
            }
        }
    }

    /// The same piece by piece.
    pub(crate) fn pieces(&self, key: Key<'_>, sink: &mut impl FnMut(&str)) {
        if let Some(prefix) = &self.0 {
            sink(prefix);
            sink(":");
        }
        key.pieces(sink);
    }

    /// What every key of this storage begins with; empty if there is no prefix.
    pub(crate) fn beginning(&self) -> String {
        self.0.as_ref().map_or_else(String::new, |prefix| format!("{prefix}:"))
    }

    /// The prefix itself.
    pub(crate) fn text(&self) -> Option<&str> {
        self.0.as_deref()
    }
}
