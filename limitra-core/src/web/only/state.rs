//! What is left of an only limit, as `RateLimit` says it.

use http::header::HeaderValue;

use crate::web::headers::{MOST, REST};
use crate::web::remainder::Remainder;

/// What the state of an only limit begins with: its name, and what stands before what is left.
#[derive(Debug)]
pub(super) struct Beginning {
    /// At the end of its place.
    text: [u8; Self::LONGEST],
    length: usize,
}

/// A state as text: written from its end, where it is to stay, long before it is read as a header.
#[derive(Debug)]
pub(super) struct State {
    text: [u8; Self::LONGEST],
    start: usize,
}

impl Beginning {
    const LONGEST: usize = 64;

    /// `None` if the name is long.
    pub(super) fn of(name: &str) -> Option<Self> {
        let beginning = format!("{name};r=");
        let mut text = [0; Self::LONGEST];
        let (_, end) = text.split_at_mut_checked(Self::LONGEST.checked_sub(beginning.len())?)?;
        end.copy_from_slice(beginning.as_bytes());
        Some(Self { text, length: beginning.len() })
    }
}

impl State {
    const LONGEST: usize = Beginning::LONGEST + REST;

    /// Says what is left of the limit that begins like this.
    #[inline]
    pub(super) fn say(&mut self, beginning: &Beginning, remainder: Remainder) {
        self.start = self.write(beginning, remainder).unwrap_or(Self::LONGEST);
    }

    /// Where it starts. `None` is never: there is room for the greatest numbers.
    #[inline]
    fn write(&mut self, beginning: &Beginning, Remainder { remaining, seconds }: Remainder) -> Option<usize> {
        let room = number_into(&mut self.text, seconds.min(MOST))?;
        let room = piece_into(room, *b";t=")?;
        let room = number_into(room, remaining.min(MOST))?;
        let room = piece_into(room, beginning.text)?;
        Some(room.len() + Beginning::LONGEST - beginning.length)
    }

    #[inline]
    pub(super) fn value(&self) -> Option<HeaderValue> {
        HeaderValue::from_bytes(self.text.get(self.start..)?).ok()
    }
}

impl Default for State {
    #[inline]
    fn default() -> Self {
        Self { text: [0; Self::LONGEST], start: Self::LONGEST }
    }
}

/// Puts a piece at the end, and gives back the room before it.
#[inline]
fn piece_into<const N: usize>(room: &mut [u8], piece: [u8; N]) -> Option<&mut [u8]> {
    let (room, end) = room.split_last_chunk_mut()?;
    *end = piece;
    Some(room)
}

/// The same with a number in decimal digits.
#[inline]
fn number_into(mut room: &mut [u8], mut number: u64) -> Option<&mut [u8]> {
    while number >= 100 {
        room = piece_into(room, digits(number % 100))?;
        number /= 100;
    }
    let [tens, ones] = digits(number);
    if number >= 10 { piece_into(room, [tens, ones]) } else { piece_into(room, [ones]) }
}

/// A number below 100 as two digits.
#[inline]
fn digits(number: u64) -> [u8; 2] {
    let number = u8::try_from(number).unwrap_or_default();
    [b'0' + number / 10, b'0' + number % 10]
}
