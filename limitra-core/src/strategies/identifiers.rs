//! Who is asking a strategy.

use std::borrow::Cow;

use crate::identifier::Identifier;

/// Who is asking a strategy: one identifier, several, or none.
///
/// | value | identifiers |
/// |---|---|
/// | `"ada"`, `&string`, `7`, `b"ada"`, an [`Identifier`] | that one |
/// | `("search", 7)`, up to eight | all of them, of any types |
/// | `["search", "ada"]`, a slice or a `Vec` of one type | all of them |
/// | `()` | none: everybody together |
///
/// Their number and order matter, and so does an empty one: `("a", "b")`, `("b", "a")`, `"a"`, `("a", "")` and
/// `"a/b"` are five. What counts of each is its text: `7` and `"7"` are the same. Bytes are one identifier,
/// not several.
///
/// ```
/// use limitra_core::Identifier;
/// use limitra_core::strategies::Identifiers;
///
/// struct UserId(u64);
///
/// impl<'a> Identifiers<'a> for &'a UserId {
///     fn identifiers(self) -> Vec<Identifier<'a>> {
///         ("user", self.0).identifiers()
///     }
/// }
/// assert_eq!(UserId(7).identifiers().len(), 2);
/// ```
pub trait Identifiers<'a> {
    /// The identifiers, in their order.
    fn identifiers(self) -> Vec<Identifier<'a>>;
}

/// What a slice of identifiers is made of: whatever is one identifier, but for the single byte.
pub trait Several<'a> {
    /// The identifier.
    fn one(self) -> Identifier<'a>;
}

macro_rules! one {
    ($($type:ty),* $(,)?) => {$(
        impl<'a> Identifiers<'a> for $type {
            fn identifiers(self) -> Vec<Identifier<'a>> {
                vec![self.into()]
            }
        }
    )*};
}

macro_rules! one_of_several {
    ($($type:ty),* $(,)?) => {
        one!($($type),*);
        $(
            impl<'a> Several<'a> for $type {
                fn one(self) -> Identifier<'a> {
                    self.into()
                }
            }
        )*
    };
}

one_of_several! {
    &'a str, &'a &str, String, &'a String, Identifier<'a>, &'a Identifier<'_>,
    u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize,
    &'a u16, &'a u32, &'a u64, &'a u128, &'a i8, &'a i16, &'a i32, &'a i64, &'a i128,
}
one!(u8, &'a u8, &'a [u8], Vec<u8>, &'a Vec<u8>);

impl<'a, const N: usize> Identifiers<'a> for &'a [u8; N] {
    fn identifiers(self) -> Vec<Identifier<'a>> {
        vec![self.into()]
    }
}

impl<'a> Identifiers<'a> for Cow<'a, str> {
    fn identifiers(self) -> Vec<Identifier<'a>> {
        match self {
            Cow::Borrowed(text) => text.identifiers(),
            Cow::Owned(text) => text.identifiers(),
        }
    }
}

impl<'a> Identifiers<'a> for () {
    fn identifiers(self) -> Vec<Identifier<'a>> {
        Vec::new()
    }
}

impl<'a, T> Identifiers<'a> for &'a [T]
where
    &'a T: Several<'a>,
{
    fn identifiers(self) -> Vec<Identifier<'a>> {
        self.iter().map(Several::one).collect()
    }
}

impl<'a, T, const N: usize> Identifiers<'a> for &'a [T; N]
where
    &'a T: Several<'a>,
{
    fn identifiers(self) -> Vec<Identifier<'a>> {
        self.iter().map(Several::one).collect()
    }
}

impl<'a, T: Several<'a>, const N: usize> Identifiers<'a> for [T; N] {
    fn identifiers(self) -> Vec<Identifier<'a>> {
        self.into_iter().map(Several::one).collect()
    }
}

impl<'a, T: Several<'a>> Identifiers<'a> for Vec<T> {
    fn identifiers(self) -> Vec<Identifier<'a>> {
        self.into_iter().map(Several::one).collect()
    }
}

impl<'a, T> Identifiers<'a> for &'a Vec<T>
where
    &'a T: Several<'a>,
{
    fn identifiers(self) -> Vec<Identifier<'a>> {
        self.iter().map(Several::one).collect()
    }
}

macro_rules! tuples {
    ($(($($type:ident $field:ident),*))*) => {$(
        impl<'a, $($type: Into<Identifier<'a>>),*> Identifiers<'a> for ($($type,)*) {
            fn identifiers(self) -> Vec<Identifier<'a>> {
                let ($($field,)*) = self;
                vec![$($field.into()),*]
            }
        }
    )*};
}

tuples! {
    (A a)
    (A a, B b)
    (A a, B b, C c)
    (A a, B b, C c, D d)
    (A a, B b, C c, D d, E e)
    (A a, B b, C c, D d, E e, F f)
    (A a, B b, C c, D d, E e, F f, G g)
    (A a, B b, C c, D d, E e, F f, G g, H h)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts<'a>(identifiers: impl Identifiers<'a>) -> Vec<String> {
        let text = |identifier: Identifier<'a>| String::from_utf8_lossy(identifier.as_bytes()).into_owned();
        identifiers.identifiers().into_iter().map(text).collect()
    }

    #[test]
    #[allow(clippy::needless_borrows_for_generic_args)] // What is borrowed is another type.
    fn one_identifier_several_and_none_are_told_apart_by_their_type() {
        let owned = "ada".to_owned();
        for one in [
            texts("ada"),
            texts(&owned),
            texts(owned.clone()),
            texts(b"ada"),
            texts(&b"ada"[..]),
            texts(b"ada".to_vec()),
            texts(Identifier::from("ada")),
            texts(Cow::Borrowed("ada")),
            texts(("ada",)),
            texts(["ada"]),
        ] {
            assert_eq!(one, ["ada"]);
        }
        for two in [
            texts(("a", 7)),
            texts((&owned[..1], 7_u8)),
            texts(["a", "7"]),
            texts(&["a", "7"]),
            texts(&["a", "7"][..]),
            texts(vec!["a".to_owned(), "7".to_owned()]),
            texts(&vec!["a".to_owned(), "7".to_owned()]),
        ] {
            assert_eq!(two, ["a", "7"]);
        }
        assert_eq!(texts(-7), ["-7"]);
        assert_eq!(texts([1_u64, 2, 3]), ["1", "2", "3"]);
        assert_eq!(texts((1, "b", 3_i128, 4, 5, 6, 7, b"h")), ["1", "b", "3", "4", "5", "6", "7", "h"]);
        assert!(texts(()).is_empty());
    }
}
