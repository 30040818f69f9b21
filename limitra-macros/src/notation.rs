//! Limits as text: `10/minute; 100 per 2 hours`.
//!
//! The same grammar as `limitra::parse_many`, held to the same table of texts. What it cannot know are the
//! granularities that the program registers.

use core::fmt;
use core::ops::Range;

use crate::nearest::distance;

/// The largest amount that is counted, and the longest window in microseconds, as in `limitra::Limit`.
const MOST: u64 = (1 << 53) - 1;
const LONGEST: u128 = 3_155_760_000_000_000;

/// A unit's name, short name and length in seconds.
const UNITS: [(&str, &str, u64); 7] = [
    ("second", "s", 1),
    ("minute", "m", 60),
    ("hour", "h", 3_600),
    ("day", "d", 86_400),
    ("week", "w", 604_800),
    ("month", "", 2_592_000),
    ("year", "", 31_104_000),
];

/// What others call them.
const SYNONYMS: [(&str, &str); 16] = [
    ("sec", "second"),
    ("secs", "second"),
    ("min", "minute"),
    ("mins", "minute"),
    ("hr", "hour"),
    ("hrs", "hour"),
    ("wk", "week"),
    ("wks", "week"),
    ("mo", "month"),
    ("mon", "month"),
    ("mos", "month"),
    ("y", "year"),
    ("yr", "year"),
    ("yrs", "year"),
    ("per", ""),
    ("burst", ""),
];

/// One limit.
pub(crate) struct Written {
    pub(crate) amount: u64,
    /// In seconds; `None` if the unit is one that the program has to register.
    pub(crate) window: Option<u64>,
    pub(crate) burst: Option<u64>,
}

/// Where a text cannot be read, in bytes, and why.
pub(crate) struct Mistake {
    pub(crate) range: Range<usize>,
    pub(crate) problem: Problem,
}

/// What is wrong with a text.
#[derive(Debug)]
pub(crate) enum Problem {
    /// Something else belongs there.
    Expected(&'static str),
    /// A word that is no unit, and what was probably meant; empty if that is not clear.
    Unknown { unit: String, meant: &'static str },
    /// A number above 64 bits.
    Large(&'static str),
    /// A number that is 0.
    Zero(&'static str),
    /// A window above 100 years.
    Long,
    /// A burst that takes more than 100 years to fill.
    Deep,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expected(expected) => write!(f, "here belongs {expected}"),
            Self::Unknown { unit, meant: "" } => {
                write!(f, "`{unit}` is no unit: there are")?;
                for (name, short, _) in UNITS {
                    let comma = if name == "second" { "" } else { "," };
                    write!(f, "{comma} {name}")?;
                    if !short.is_empty() {
                        write!(f, " ({short})")?;
                    }
                }
                Ok(())
            }
            Self::Unknown { unit, meant } => write!(f, "`{unit}` is no unit: did you mean `{meant}`?"),
            Self::Large(what) => write!(f, "the {what} does not fit in 64 bits: write at most {}", u64::MAX),
            Self::Zero("multiple") => f.write_str("0 times a unit is no window: leave the 0 out"),
            Self::Zero(what) => write!(f, "the {what} is 0, which would refuse every call: write at least 1"),
            Self::Long => f.write_str("the longest window is 100 years of 365.25 days: write a shorter one"),
            Self::Deep => f.write_str("such a burst takes more than 100 years to fill: write a smaller one"),
        }
    }
}

/// The limits that a text describes.
pub(crate) fn read(text: &str) -> Result<Vec<Written>, Mistake> {
    let mut reader = Reader { text, at: 0 };
    let mut limits = vec![reader.limit()?];
    while !reader.rest().is_empty() {
        reader.separator()?;
        limits.push(reader.limit()?);
    }
    Ok(limits)
}

/// Reads from left to right and never goes back.
struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn limit(&mut self) -> Result<Written, Mistake> {
        self.skip_white_space();
        let amount = self.number("amount")?;
        let amount =
            amount.ok_or_else(|| self.expected("an amount in ASCII digits, as in `10/minute`"))?.min(MOST);
        self.skip_white_space();
        if !self.eat("/") && !self.eat("per") {
            return Err(self.expected("`/` or `per`, as in `10/minute` or `10 per minute`"));
        }
        self.skip_white_space();
        let start = self.at;
        let multiple = self.number("multiple")?.unwrap_or(1);
        self.skip_white_space();
        let unit = self.unit()?;
        let window = unit.map(|seconds| seconds.saturating_mul(multiple));
        if window.is_some_and(|window| u128::from(window) * 1_000_000 > LONGEST) {
            return Err(Mistake { range: start..self.at, problem: Problem::Long });
        }
        self.skip_white_space();
        let mut limit = Written { amount, window, burst: None };
        if !self.run(u8::is_ascii_alphabetic).eq_ignore_ascii_case("burst") {
            return Ok(limit);
        }
        self.at += "burst".len();
        self.skip_white_space();
        let start = self.at;
        let burst = self.number("burst")?;
        let burst =
            burst.ok_or_else(|| self.expected("a burst in ASCII digits, as in `10/minute burst 20`"))?;
        limit.burst = Some(burst.min(MOST));
        let fill = u128::from(burst.min(MOST)) * u128::from(window.unwrap_or(0)) * 1_000_000;
        if fill / u128::from(amount) > LONGEST {
            return Err(Mistake { range: start..self.at, problem: Problem::Deep });
        }
        self.skip_white_space();
        Ok(limit)
    }

    fn separator(&mut self) -> Result<(), Mistake> {
        let start = self.at;
        self.eat(":");
        if self.eat(";") || self.eat(",") || self.eat("|") {
            return Ok(());
        }
        self.at = start;
        Err(self.expected("`;` and another limit, or nothing"))
    }

    /// The length of a unit in seconds; `None` for a word that may be registered.
    fn unit(&mut self) -> Result<Option<u64>, Mistake> {
        let word = self.run(u8::is_ascii_alphabetic);
        if word.is_empty() {
            return Err(self.expected("a unit, as in `10/minute`"));
        }
        let range = self.at..self.at + word.len();
        let lower = word.to_ascii_lowercase();
        let singular = lower.strip_suffix('s').unwrap_or(&lower);
        let known =
            UNITS.iter().find(|(name, short, _)| lower == *name || singular == *name || lower == *short);
        if known.is_none()
            && let Some(meant) = slip(&lower)
        {
            let problem = Problem::Unknown { unit: word.to_owned(), meant };
            return Err(Mistake { range, problem });
        }
        self.at = range.end;
        Ok(known.map(|(.., seconds)| *seconds))
    }

    /// A number above 0; `None` if there is no digit.
    fn number(&mut self, what: &'static str) -> Result<Option<u64>, Mistake> {
        let digits = self.run(u8::is_ascii_digit);
        let range = self.at..self.at + digits.len();
        self.at = range.end;
        match digits.parse() {
            Ok(0) => Err(Mistake { range, problem: Problem::Zero(what) }),
            Ok(number) => Ok(Some(number)),
            Err(_) if digits.is_empty() => Ok(None),
            Err(_) => Err(Mistake { range, problem: Problem::Large(what) }),
        }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_white_space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn run(&self, is_part: fn(&u8) -> bool) -> &'t str {
        let rest = self.rest();
        let length = rest.bytes().take_while(is_part).count();
        rest.get(..length).unwrap_or_default()
    }

    fn eat(&mut self, token: &str) -> bool {
        let next = self.rest().get(..token.len());
        let is_next = next.is_some_and(|next| next.eq_ignore_ascii_case(token));
        if is_next {
            self.at += token.len();
        }
        is_next
    }

    fn expected(&self, expected: &'static str) -> Mistake {
        let next = self.rest().chars().next().map_or(0, char::len_utf8);
        Mistake { range: self.at..self.at + next, problem: Problem::Expected(expected) }
    }
}

/// For a word that nobody would register, but write by mistake: what was meant, empty if that is not clear.
fn slip(word: &str) -> Option<&'static str> {
    if let Some((_, meant)) = SYNONYMS.iter().find(|(synonym, _)| *synonym == word) {
        return Some(meant);
    }
    if word.len() <= 2 {
        return Some("");
    }
    let is_near = |(name, ..): &&(&'static str, _, _)| {
        distance(name, word) <= 1 || distance(&format!("{name}s"), word) <= 1
    };
    // A longer word's distance need not be worked out.
    let near = UNITS.iter().filter(|(name, ..)| word.len() <= name.len() + 2).find(is_near);
    near.map(|(name, ..)| *name)
}

#[cfg(test)]
mod tests {
    use super::{Problem, read};

    /// Shared with `parse_many`.
    const ROWS: &str = include_str!("../../tests/data/notation.txt");

    fn kind(problem: &Problem) -> &'static str {
        match problem {
            Problem::Expected(it) if it.starts_with("an amount") => "amount",
            Problem::Expected(it) if it.starts_with("`/`") => "per",
            Problem::Expected(it) if it.starts_with("a unit") => "unit",
            Problem::Expected(it) if it.starts_with("a burst") => "burst",
            Problem::Expected(_) => "end",
            Problem::Unknown { .. } => "unknown",
            Problem::Large(_) => "large",
            Problem::Zero(_) => "zero",
            Problem::Long => "long",
            Problem::Deep => "deep",
        }
    }

    /// What a row says of its limits: amounts, windows and bursts.
    fn said(outcome: &str) -> Vec<(u64, Option<u64>, Option<u64>)> {
        let number = |text: &str| text.parse().expect("a number");
        let limit = |limit: &str| {
            let (shown, seconds) = limit.split_once(" = ").expect("a window");
            let burst = shown.split_once(" burst ").map(|(_, burst)| number(burst));
            let amount = number(shown.split_once(' ').expect("an amount").0);
            (amount, (!shown.contains("fake")).then(|| number(seconds)), burst)
        };
        outcome.split("; ").map(limit).collect()
    }

    #[test]
    fn every_row_of_the_table_is_read_as_it_says() {
        let mut count = 0;
        for row in ROWS.lines().filter(|row| row.starts_with('"')) {
            let (text, outcome) = row[1..].split_once("\" => ").expect(row);
            let text = text.replace("\\n", "\n").replace("\\t", "\t");
            let read = read(&text);
            if outcome.ends_with(" unregistered") {
                let limits = read.unwrap_or_else(|mistake| panic!("{row}: {}", mistake.problem));
                assert!(limits.iter().any(|limit| limit.window.is_none()), "{row}");
            } else if let Some(outcome) = outcome.strip_prefix("! ") {
                let mistake = read.err().expect(row);
                let column = text[..mistake.range.start].chars().count() + 1;
                assert_eq!(format!("{column} {}", kind(&mistake.problem)), outcome, "{row}");
            } else {
                let limits = read.unwrap_or_else(|mistake| panic!("{row}: {}", mistake.problem));
                let limits: Vec<_> = limits.iter().map(|it| (it.amount, it.window, it.burst)).collect();
                assert_eq!(limits, said(outcome), "{row}");
            }
            count += 1;
        }
        assert!(count > 90, "the table is there");
    }

    #[test]
    fn a_slip_is_told_and_a_name_of_its_own_is_left_to_the_first_call() {
        for (word, told) in [
            ("minuts", "`minuts` is no unit: did you mean `minute`?"),
            ("Mintue", "`Mintue` is no unit: did you mean `minute`?"),
            ("secs", "`secs` is no unit: did you mean `second`?"),
            ("hr", "`hr` is no unit: did you mean `hour`?"),
            (
                "ms",
                "`ms` is no unit: there are second (s), minute (m), hour (h), day (d), week (w), month, year",
            ),
        ] {
            let mistake = read(&format!("10/{word}")).err().expect(word);
            assert_eq!(mistake.problem.to_string(), told);
        }
        for word in ["fortnight", "quarter", "decades", "sprint", "season", "century"] {
            assert!(read(&format!("10/{word}")).is_ok(), "{word}");
        }
    }
}
