//! Who is asking.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::short_text::ShortText;

/// Who is asking: a string, bytes, an integer or an IP address; or `()`, nobody in particular: one counter for all callers.
///
/// What counts is its text: `7`, `"7"` and `b"7"` are the same identifier, and so are an IPv4 address and the same in
/// IPv6 clothes (`::ffff:192.0.2.7`). Any bytes of any
/// length are fine; see the key rules in the documentation of [`crate::RateLimiter::key`].
///
/// ```
/// use limitra_core::{Algorithm, RateLimiter};
///
/// let limiter = RateLimiter::builder().requests(5).window(60).scope("user").build()?;
/// assert_eq!(limiter.key("u1"), "limitra:::user:u1:");
/// assert_eq!(limiter.key(42_u64), "limitra:::user:42:");
/// assert_eq!(limiter.key(b"a:b"), "limitra:::user:a%3Ab:");
/// assert_eq!(limiter.key(std::net::Ipv4Addr::LOCALHOST), "limitra:::user:127.0.0.1:");
/// assert_eq!(limiter.key(()), "limitra:::user::");
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
#[derive(Clone)]
pub struct Identifier<'a>(Form<'a>);

#[derive(Clone)]
enum Form<'a> {
    Absent,
    Borrowed(&'a [u8]),
    Owned(Vec<u8>),
    /// An integer or an address allocates nothing.
    Short(ShortText),
}

impl Identifier<'_> {
    /// Its bytes; none of `()`.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Form::Absent => &[],
            Form::Borrowed(bytes) => bytes,
            Form::Owned(bytes) => bytes,
            Form::Short(text) => text.as_bytes(),
        }
    }
}

impl Identifier<'_> {
    /// One that borrows nothing; what is short is not allocated.
    #[cfg(feature = "http")]
    pub(crate) fn into_owned(self) -> Identifier<'static> {
        Identifier(match self.0 {
            Form::Absent => Form::Absent,
            Form::Borrowed(bytes) => {
                ShortText::of(bytes).map_or_else(|| Form::Owned(bytes.to_vec()), Form::Short)
            }
            Form::Owned(bytes) => Form::Owned(bytes),
            Form::Short(text) => Form::Short(text),
        })
    }

    /// Whether it is `()`.
    #[inline]
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self.0, Form::Absent)
    }
}

impl fmt::Debug for Identifier<'_> {
    /// Identifiers are personal data: their text stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identifier(..{} bytes)", self.as_bytes().len())
    }
}

impl From<()> for Identifier<'_> {
    fn from((): ()) -> Self {
        Self(Form::Absent)
    }
}

impl<'a> From<&'a str> for Identifier<'a> {
    fn from(text: &'a str) -> Self {
        Self(Form::Borrowed(text.as_bytes()))
    }
}

impl<'a> From<&'a &str> for Identifier<'a> {
    fn from(text: &'a &str) -> Self {
        Self(Form::Borrowed(text.as_bytes()))
    }
}

impl<'a> From<&'a String> for Identifier<'a> {
    fn from(text: &'a String) -> Self {
        Self(Form::Borrowed(text.as_bytes()))
    }
}

impl From<String> for Identifier<'_> {
    fn from(text: String) -> Self {
        Self(Form::Owned(text.into_bytes()))
    }
}

impl<'a> From<&'a [u8]> for Identifier<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self(Form::Borrowed(bytes))
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Identifier<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self(Form::Borrowed(bytes))
    }
}

impl<'a> From<&'a Vec<u8>> for Identifier<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self(Form::Borrowed(bytes))
    }
}

impl From<Vec<u8>> for Identifier<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Form::Owned(bytes))
    }
}

impl From<ShortText> for Identifier<'_> {
    #[inline]
    fn from(text: ShortText) -> Self {
        Self(Form::Short(text))
    }
}

impl From<IpAddr> for Identifier<'_> {
    fn from(address: IpAddr) -> Self {
        Self(Form::Short(match address.to_canonical() {
            IpAddr::V4(address) => ShortText::of_v4(address),
            IpAddr::V6(address) => ShortText::written(|text| text.v6(address)),
        }))
    }
}

impl From<Ipv4Addr> for Identifier<'_> {
    fn from(address: Ipv4Addr) -> Self {
        Self::from(IpAddr::V4(address))
    }
}

impl From<Ipv6Addr> for Identifier<'_> {
    fn from(address: Ipv6Addr) -> Self {
        Self::from(IpAddr::V6(address))
    }
}

impl<'a> From<&'a Identifier<'_>> for Identifier<'a> {
    fn from(identifier: &'a Identifier<'_>) -> Self {
        if identifier.is_absent() {
            return Self(Form::Absent);
        }
        Self(Form::Borrowed(identifier.as_bytes()))
    }
}

macro_rules! from_integers {
    ($widest:ty: $($integer:ty)*) => {$(
        impl From<$integer> for Identifier<'_> {
            fn from(number: $integer) -> Self {
                let (magnitude, is_negative) = <$widest>::from(number).magnitude();
                Self(digits(magnitude, is_negative))
            }
        }

        impl From<&$integer> for Identifier<'_> {
            fn from(number: &$integer) -> Self {
                Self::from(*number)
            }
        }
    )*};
}

from_integers! { u128: u8 u16 u32 u64 u128 }
from_integers! { i128: i8 i16 i32 i64 i128 }

impl From<usize> for Identifier<'_> {
    fn from(number: usize) -> Self {
        Self::from(u128::try_from(number).unwrap_or(u128::MAX))
    }
}

impl From<isize> for Identifier<'_> {
    fn from(number: isize) -> Self {
        Self::from(i128::try_from(number).unwrap_or(i128::MAX))
    }
}

trait Signed {
    /// Its absolute value, and whether it is below zero.
    fn magnitude(self) -> (u128, bool);
}

impl Signed for u128 {
    fn magnitude(self) -> (u128, bool) {
        (self, false)
    }
}

impl Signed for i128 {
    fn magnitude(self) -> (u128, bool) {
        (self.unsigned_abs(), self < 0)
    }
}

#[inline]
fn digits<'a>(magnitude: u128, is_negative: bool) -> Form<'a> {
    Form::Short(ShortText::written(|text| {
        let mut rest = magnitude;
        // A division of 128 bits is many times one of 64, so there are few of them.
        while rest > u128::from(u64::MAX) {
            text.digit(u64::try_from(rest % 10).unwrap_or_default());
            rest /= 10;
        }
        text.number(u64::try_from(rest).unwrap_or_default());
        if is_negative {
            text.put(b'-');
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_is_its_decimal_text() {
        for (identifier, text) in [
            (Identifier::from(0_u8), "0"),
            (Identifier::from(-128_i8), "-128"),
            (Identifier::from(u64::MAX), "18446744073709551615"),
            (Identifier::from(u128::MAX), "340282366920938463463374607431768211455"),
            (Identifier::from(i128::MIN), "-170141183460469231731687303715884105728"),
        ] {
            assert_eq!(identifier.as_bytes(), text.as_bytes());
        }
    }

    #[test]
    fn an_address_is_written_as_the_standard_library_does() {
        let (mut v4, mut v6) = (vec![0, 1, u32::MAX], vec![0, 1, u128::MAX]);
        // Each octet at each place, between short and long ones.
        for octet in 0..=255 {
            for place in [0, 8, 16, 24] {
                v4.extend([octet << place, octet << place | !(255 << place)]);
            }
        }
        // Every pattern of groups that are zero, and numbers without a pattern.
        for pattern in 0_u128..256 {
            v6.push((0..8).map(|group| (((pattern >> group) & 1) * 0xa0) << (16 * group)).sum());
        }
        let mut number = 1_u128;
        for _ in 0..1000 {
            number = number.wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645).wrapping_add(1);
            v6.push(number);
            v4.push(u32::try_from(number >> 96).unwrap_or_default());
        }
        let v4 = v4.into_iter().map(|bits| IpAddr::V4(bits.into()));
        for address in v4.chain(v6.into_iter().map(|bits| IpAddr::V6(bits.into()))) {
            let text = address.to_canonical().to_string();
            assert_eq!(Identifier::from(address).as_bytes(), text.as_bytes(), "{address}");
        }
    }

    #[test]
    fn an_address_in_the_clothes_of_another_version_is_the_same_identifier() {
        let address = Ipv4Addr::new(192, 0, 2, 7);
        assert_eq!(
            Identifier::from(address.to_ipv6_mapped()).as_bytes(),
            Identifier::from(address).as_bytes()
        );
    }
}
