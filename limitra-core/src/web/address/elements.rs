//! The elements of a header that proxies add to, the last one first.

use std::iter::Rev;

use super::hop::trimmed;
use crate::web::request::Values;

/// A longer element is none.
const LONGEST: usize = 512;

/// The elements of all lines of a header as one list, from the right; `None` of one that is too long.
///
/// Nothing of a line is looked at before it is asked for: what is left of an element cannot change it.
pub(super) struct Elements<'a> {
    lines: Rev<Values<'a>>,
    /// What is left of a line.
    rest: Option<&'a [u8]>,
    /// Whether a comma between quotes is none.
    is_quoting: bool,
}

impl<'a> Elements<'a> {
    pub(super) fn of(lines: Values<'a>, is_quoting: bool) -> Self {
        Self { lines: lines.rev(), rest: None, is_quoting }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Option<&'a [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = match self.rest.take() {
            Some(rest) => rest,
            None => self.lines.next()?,
        };
        let from = line.len().saturating_sub(LONGEST);
        let comma = last_comma(line.get(from..).unwrap_or_default(), self.is_quoting);
        let Some(comma) = comma else {
            return Some((from == 0).then(|| trimmed(line)));
        };
        let (before, element) = line.split_at_checked(from + comma)?;
        self.rest = Some(before);
        Some(element.get(1..).map(trimmed))
    }
}

fn last_comma(line: &[u8], is_quoting: bool) -> Option<usize> {
    let mut is_quoted = false;
    for (at, byte) in line.iter().enumerate().rev() {
        match byte {
            b',' if !is_quoted => return Some(at),
            b'"' if is_quoting && !is_escaped(line, at) => is_quoted = !is_quoted,
            _ => {}
        }
    }
    None
}

/// Whether an odd number of backslashes stands before it.
fn is_escaped(line: &[u8], at: usize) -> bool {
    let before = line.get(..at).unwrap_or_default();
    before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}
