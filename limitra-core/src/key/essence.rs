//! What tells a key from every other one.

use crate::identifier::Identifier;

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
    pub(super) const TEXT: u64 = 1;
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
    pub(super) const fn bytes(self) -> &'a [u8] {
        match self {
            Self::Raw(bytes) => bytes,
            Self::Absent => &[],
        }
    }
}
