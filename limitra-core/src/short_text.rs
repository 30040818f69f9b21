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

    /// In decimal digits, without a loop.
    #[inline]
    fn octet(&mut self, octet: u8) {
        self.put(b'0' + octet % 10);
        if octet > 9 {
            self.put(b'0' + octet / 10 % 10);
        }
        if octet > 99 {
            self.put(b'0' + octet / 100);
        }
    }

    #[inline]
    pub(crate) fn v4(&mut self, address: Ipv4Addr) {
        for (index, octet) in address.octets().into_iter().rev().enumerate() {
            if index > 0 {
                self.put(b'.');
            }
            self.octet(octet);
        }
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
