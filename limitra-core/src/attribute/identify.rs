//! From any value to an identifier: text, bytes, integers and IP addresses as they are, the rest by `Display`.

use std::fmt::Display;

use crate::identifier::Identifier;

/// A reference whose value is to be an identifier; method resolution finds the best way.
#[derive(Debug)]
pub struct Part<'a, T: ?Sized>(pub &'a T);

/// What converts without an allocation.
pub trait Text<'a> {
    /// The identifier.
    fn identifier(&self) -> Identifier<'a>;
}

/// First choice: what converts without an allocation. Of `&&&Part` the compiler tries `&&Part` first.
pub trait ByText<'a> {
    /// The identifier.
    fn identifier(&self) -> Identifier<'a>;
}

impl<'a, T: ?Sized> ByText<'a> for &&Part<'a, T>
where
    Part<'a, T>: Text<'a>,
{
    fn identifier(&self) -> Identifier<'a> {
        Text::identifier(**self)
    }
}

/// Second choice: what can be displayed.
pub trait ByDisplay<'a> {
    /// The identifier.
    fn identifier(&self) -> Identifier<'a>;
}

/// Last choice: nothing, which the compiler says in our words.
pub trait ByNothing<'a> {
    /// The value.
    type Value: ?Sized;
    /// Never compiles.
    fn identifier(&self) -> Identifier<'a>
    where
        Self::Value: RateLimitKey;
}

/// What can be a key; only here for its message.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the key of a rate limit",
    label = "this is neither text, bytes, an integer nor anything with `Display`",
    note = "for an `Option` say who is meant without one, by a value that nobody else has: `key = |user| user.clone().unwrap_or(..)`",
    note = "nothing is awaited for a key: a future, which an async function makes, cannot be one",
    note = "for a type of your own name a field of it (`key = \"user.id\"`) or give a closure: `key = |user| user.id`"
)]
pub trait RateLimitKey {}

impl<'a> Text<'a> for Part<'a, str> {
    fn identifier(&self) -> Identifier<'a> {
        Identifier::from(self.0)
    }
}

impl<'a> Text<'a> for Part<'a, [u8]> {
    fn identifier(&self) -> Identifier<'a> {
        Identifier::from(self.0)
    }
}

macro_rules! by_text {
    ($([$($generics:tt)*] $type:ty;)*) => {$(
        impl<'a, $($generics)*> Text<'a> for Part<'a, $type> {
            fn identifier(&self) -> Identifier<'a> {
                let text: &'a str = self.0;
                Identifier::from(text)
            }
        }
    )*};
}

by_text! {
    [] String; [] Box<str>; [] std::sync::Arc<str>; [] std::rc::Rc<str>; [] std::borrow::Cow<'_, str>;
}

macro_rules! by_bytes {
    ($([$($generics:tt)*] $type:ty;)*) => {$(
        impl<'a, $($generics)*> Text<'a> for Part<'a, $type> {
            fn identifier(&self) -> Identifier<'a> {
                Identifier::from(&self.0[..])
            }
        }
    )*};
}

by_bytes! { [] Vec<u8>; [] Box<[u8]>; [] std::sync::Arc<[u8]>; [const N: usize] [u8; N]; }

macro_rules! by_copy {
    ($($type:ty)*) => {$(
        impl<'a> Text<'a> for Part<'a, $type> {
            fn identifier(&self) -> Identifier<'a> {
                Identifier::from(*self.0)
            }
        }
    )*};
}

by_copy! {
    u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize
    std::net::IpAddr std::net::Ipv4Addr std::net::Ipv6Addr
}

impl<'a, 'b: 'a, T: ?Sized> Text<'a> for Part<'a, &'b T>
where
    Part<'a, T>: Text<'a>,
{
    fn identifier(&self) -> Identifier<'a> {
        Text::identifier(&Part(&**self.0))
    }
}

impl<'a, 'b: 'a, T: ?Sized> Text<'a> for Part<'a, &'b mut T>
where
    Part<'a, T>: Text<'a>,
{
    fn identifier(&self) -> Identifier<'a> {
        Text::identifier(&Part(&**self.0))
    }
}

impl<'a, T: Display + ?Sized> ByDisplay<'a> for &Part<'a, T> {
    fn identifier(&self) -> Identifier<'a> {
        Identifier::from(self.0.to_string())
    }
}

impl<'a, T: ?Sized> ByNothing<'a> for Part<'a, T> {
    type Value = T;

    fn identifier(&self) -> Identifier<'a>
    where
        T: RateLimitKey,
    {
        Identifier::from("")
    }
}

/// The identifier that a reference's value stands for.
#[doc(hidden)]
#[macro_export]
macro_rules! identify {
    ($reference:expr) => {{
        #[allow(unused_imports)]
        use $crate::__private::{ByDisplay as _, ByNothing as _, ByText as _};
        (&&&$crate::__private::Part($reference)).identifier()
    }};
}
