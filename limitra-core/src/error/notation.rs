//! Notations that cannot be read.

use std::fmt;

use super::ConfigurationError;

/// How much of a notation a message shows on each side of the mistake, in characters.
const SHOWN: usize = 32;

/// A notation that cannot be read: where, and what was expected there.
///
/// ```
/// use limitra_core::{ConfigurationError, NotationProblem, parse_many};
///
/// let error = parse_many("10/minute; 100/hr").unwrap_err();
/// assert!(error.to_string().starts_with("the limit `10/minute; 100/hr` cannot be read at column 16: "));
/// let ConfigurationError::Notation(error) = error else { panic!() };
/// assert_eq!((error.column(), error.offset()), (16, 15));
/// assert!(matches!(error.problem(), NotationProblem::UnknownUnit { unit } if unit == "hr"));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct NotationError {
    excerpt: String,
    column: usize,
    offset: usize,
    problem: NotationProblem,
}

/// What is wrong with a notation.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NotationProblem {
    /// Something else belongs there.
    #[error("expected {expected}, found {}", Found(*found))]
    Expected {
        /// What belongs there.
        expected: &'static str,
        /// What stands there; `None` at the end.
        found: Option<char>,
    },
    /// A word that is no unit.
    #[error(
        "`{unit}` is no unit; write second, minute, hour, day, week, month or year (short s, m, h, d, w), or register it with `Granularity::register`"
    )]
    UnknownUnit {
        /// The word; only its beginning if it is a long one.
        unit: String,
    },
    /// A number above [`u64::MAX`].
    #[error("the {what} does not fit in 64 bits; give a smaller one")]
    TooLarge {
        /// `amount`, `multiple` or `burst`.
        what: &'static str,
    },
    /// What can be read, but is no limit.
    #[error(transparent)]
    NoLimit(Box<ConfigurationError>),
    /// Several limits where there is room for one.
    #[error("only one limit can stand here, and another follows; read several with `parse_many`")]
    Several,
}

impl NotationError {
    pub(crate) fn new(notation: &str, offset: usize, problem: NotationProblem) -> Self {
        let (before, after) = notation.split_at_checked(offset).unwrap_or((notation, ""));
        let start = before.char_indices().rev().nth(SHOWN - 1).map_or(0, |(at, _)| at);
        let end = after.char_indices().nth(SHOWN).map_or(after.len(), |(at, _)| at);
        let ellipsis = |is_cut: bool| if is_cut { ".." } else { "" };
        let excerpt = format!(
            "{}{}{}{}",
            ellipsis(start > 0),
            before.get(start..).unwrap_or_default(),
            after.get(..end).unwrap_or_default(),
            ellipsis(end < after.len()),
        );
        Self { excerpt, column: before.chars().count() + 1, offset, problem }
    }

    /// Where the mistake is, in characters; the first is 1. One past the last if something is missing there.
    pub const fn column(&self) -> usize {
        self.column
    }

    /// Where the mistake is, in bytes; the first is 0.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// What is wrong.
    pub const fn problem(&self) -> &NotationProblem {
        &self.problem
    }
}

impl fmt::Display for NotationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (excerpt, column) = (self.excerpt.escape_debug(), self.column);
        write!(f, "the limit `{excerpt}` cannot be read at column {column}: {}", self.problem)
    }
}

impl std::error::Error for NotationError {}

struct Found(Option<char>);

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(character) => write!(f, "`{}`", character.escape_debug()),
            None => f.write_str("the end"),
        }
    }
}
