//! Percent-encoding.

use std::borrow::Cow;

/// The bytes that a percent-encoded text stands for; `%` without two hexadecimal digits stays. Allocates only where
/// there is something to decode.
pub(super) fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'%') {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        let escaped = if *byte == b'%' { byte_of(after) } else { None };
        decoded.push(escaped.unwrap_or(*byte));
        rest = if escaped.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    Cow::Owned(decoded)
}

fn byte_of(digits: &[u8]) -> Option<u8> {
    let mut value = 0_u8;
    for digit in digits.get(..2)? {
        value = (value << 4) | u8::try_from(char::from(*digit).to_digit(16)?).ok()?;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_spellings_of_one_value_are_one_and_what_is_no_escape_stays() {
        for (text, value) in [
            ("", &b""[..]),
            ("ada", b"ada"),
            ("%61d%61", b"ada"),
            ("a%2fb%2Fc", b"a/b/c"),
            ("%C3%a9", "é".as_bytes()),
            ("%ff%00", b"\xff\0"),
            ("%", b"%"),
            ("100%", b"100%"),
            ("%4", b"%4"),
            ("%zz%+1%%41", b"%zz%+1%A"),
            ("%2541", b"%41"),
            ("a+b", b"a+b"),
        ] {
            assert_eq!(&*decoded(text.as_bytes()), value, "{text}");
        }
    }
}
