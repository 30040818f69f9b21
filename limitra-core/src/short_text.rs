//! A short text that allocates nothing.

use std::fmt;
use std::iter::Rev;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::slice::IterMut;

/// The longest network of an IPv6 address: 8 groups, 7 colons and `/127`.
const LONGEST: usize = 43;

/// A text of at most 43 bytes: a number or an address. It is written from its end; what does not fit is left out.
#[derive(Clone)]
pub(crate) struct ShortText {
    bytes: [u8; LONGEST],
    start: u8,
}

impl ShortText {
    #[inline]
    pub(crate) fn written(write: impl FnOnce(&mut Backwards<'_>)) -> Self {
        let mut bytes = [0; LONGEST];
        let mut places = Backwards(bytes.iter_mut().rev());
        write(&mut places);
        let start = u8::try_from(places.0.len()).unwrap_or_default();
        Self { bytes, start }
    }

    /// An IPv4 address, without a loop or a branch: it stands in front of most requests to a service.
    #[inline]
    pub(crate) fn of_v4(address: Ipv4Addr) -> Self {
        let [first, second, third, fourth] = address.octets().map(dotted);
        let (front, back) = (first.and(second), third.and(fourth));
        let bits = front.bits + back.bits;
        let text = u128::from(front.text) | u128::from(back.text) << front.bits;
        // At the end of its place, but for the last dot.
        let text = text << (u128::BITS + u8::BITS).saturating_sub(bits);
        let mut bytes = [0; LONGEST];
        if let Some(end) = bytes.last_chunk_mut() {
            *end = text.to_le_bytes();
        }
        let start = (LONGEST + 1).saturating_sub(usize::try_from(bits / u8::BITS).unwrap_or_default());
        Self { bytes, start: u8::try_from(start).unwrap_or_default() }
    }

    /// These bytes, if there is room for them.
    #[cfg(feature = "http")]
    pub(crate) fn of(text: &[u8]) -> Option<Self> {
        let write = |places: &mut Backwards<'_>| text.iter().rev().for_each(|byte| places.put(*byte));
        (text.len() <= LONGEST).then(|| Self::written(write))
    }

    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(usize::from(self.start)..).unwrap_or_default()
    }
}

/// At most eight bytes, the first one lowest.
#[derive(Clone, Copy)]
struct Piece {
    text: u64,
    bits: u32,
}

impl Piece {
    #[inline]
    const fn and(self, next: Self) -> Self {
        Self { text: self.text | next.text << self.bits, bits: self.bits + next.bits }
    }
}

/// An octet in decimal digits, and a dot.
#[inline]
fn dotted(octet: u8) -> Piece {
    let text = DOTTED.get(usize::from(octet)).copied().unwrap_or_default();
    let digits = 1 + u32::from(octet > 9) + u32::from(octet > 99);
    Piece { text: text.into(), bits: (digits + 1) * u8::BITS }
}

/// Each octet in decimal digits, and a dot.
#[allow(clippy::indexing_slicing)] // When it is compiled.
static DOTTED: [u32; 256] = {
    let mut texts = [0; 256];
    let mut octet = 0_u8;
    loop {
        let mut text = b'.' as u32;
        let mut rest = octet;
        loop {
            text = text << 8 | (b'0' + rest % 10) as u32;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        texts[octet as usize] = text;
        if octet == u8::MAX {
            break texts;
        }
        octet += 1;
    }
};

impl fmt::Debug for ShortText {
    /// What identifies somebody stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShortText(..{} bytes)", self.as_bytes().len())
    }
}

/// Where the text is written, its last byte first.
pub(crate) struct Backwards<'t>(Rev<IterMut<'t, u8>>);

impl Backwards<'_> {
    #[inline]
    pub(crate) fn put(&mut self, byte: u8) {
        if let Some(place) = self.0.next() {
            *place = byte;
        }
    }

    /// In decimal digits.
    #[inline]
    pub(crate) fn number(&mut self, number: u64) {
        let mut rest = number;
        loop {
            self.digit(rest % 10);
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
    }

    /// A number below 16.
    #[inline]
    pub(crate) fn digit(&mut self, digit: u64) {
        let digit = u8::try_from(digit).unwrap_or_default();
        self.put(if digit < 10 { b'0' + digit } else { b'a' + (digit - 10) });
    }

    #[cfg(feature = "http")]
    pub(crate) fn v4(&mut self, address: Ipv4Addr) {
        ShortText::of_v4(address).as_bytes().iter().rev().for_each(|byte| self.put(*byte));
    }

    /// In the form of RFC 5952: the first longest run of two or more groups of zeros is `::`.
    pub(crate) fn v6(&mut self, address: Ipv6Addr) {
        let groups = address.segments();
        let (mut longest, mut run) = (0..0, 0..0);
        for (index, group) in groups.iter().enumerate() {
            run = if *group == 0 { run.start..index + 1 } else { index + 1..index + 1 };
            if run.len() > longest.len() {
                longest = run.clone();
            }
        }
        if longest.len() < 2 {
            self.groups(&groups);
        } else {
            self.groups(groups.get(longest.end..).unwrap_or_default());
            self.put(b':');
            self.put(b':');
            self.groups(groups.get(..longest.start).unwrap_or_default());
        }
    }

    fn groups(&mut self, groups: &[u16]) {
        for (index, group) in groups.iter().rev().enumerate() {
            if index > 0 {
                self.put(b':');
            }
            let mut rest = *group;
            loop {
                self.digit(u64::from(rest % 16));
                rest /= 16;
                if rest == 0 {
                    break;
                }
            }
        }
    }
}
