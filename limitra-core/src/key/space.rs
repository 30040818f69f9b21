//! The fields of a key around its identifier.

use std::hash::Hasher as _;

use siphasher::sip128::{Hasher128 as _, SipHasher13};

use super::field::{LONGEST_RAW, field_into, identifier_into};
use super::{Form, Key};
use crate::identifier::Identifier;

/// The fields of a key that are the same for every identifier, already escaped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeySpace {
    /// `prefix:project:function:scope:`
    pub(super) head: String,
    /// `:suffix`
    pub(super) tail: String,
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

    pub(super) fn identifier_into(&self, parts: &[Identifier<'_>], sink: &mut impl FnMut(&str)) {
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

/// `SipHash` 1-3 of 128 bits of what surrounds an identifier; the fields hold no line break.
pub(super) fn digest_of(head: &str, tail: &str) -> [u64; 2] {
    let mut hasher = SipHasher13::new();
    hasher.write(head.as_bytes());
    hasher.write(b"\n");
    hasher.write(tail.as_bytes());
    let hash = hasher.finish128();
    [hash.h1, hash.h2]
}
