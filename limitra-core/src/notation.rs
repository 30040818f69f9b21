//! Limits as text: `10/minute; 100 per 2 hours`.

use crate::error::{ConfigurationError, NotationError, NotationProblem};
use crate::granularity::Granularity;
use crate::rate_limit::RateLimit;

/// How much of a word that is no unit an error keeps, in bytes.
const KEPT_OF_WORD: usize = 32;

/// The limit that a notation describes, such as `10/minute` or `100 per 2 hours`.
///
/// ```text
/// limits := limit ( [":"] ("," | ";" | "|") limit )*
/// limit  := AMOUNT ("/" | "per") [MULTIPLE] UNIT ["burst" BURST]
/// UNIT   := second(s) minute(s) hour(s) day(s) week(s) month(s) year(s) | s m h d w | a registered name(s)
/// ```
///
/// Numbers are ASCII digits; white space may stand between any two of these and upper case for
/// lower case. Takes time in proportion to the text's length, whatever it contains.
///
/// ```
/// use limitra_core::{RateLimit, parse};
///
/// assert_eq!(parse("10/minute")?, RateLimit::per_minute(10)?);
/// assert_eq!(parse("100 per 2 hours burst 150")?, RateLimit::per_hour(100)?.every(2)?.with_burst(150)?);
/// assert!(parse("10/minute; 100/hour").is_err(), "these are two: `parse_many` reads them");
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
///
/// # Errors
/// [`ConfigurationError::Notation`] with the column if the text is no limit, or describes several: a second limit is never
/// left out in silence. [`parse_many`] reads several.
pub fn parse(notation: &str) -> Result<RateLimit, ConfigurationError> {
    let mut reader = Reader { text: notation, at: 0 };
    let limit = reader.limit()?;
    if reader.rest().is_empty() {
        return Ok(limit);
    }
    let at = reader.at;
    reader.separator()?;
    Err(reader.error(at, NotationProblem::Several))
}

/// The limits that a notation describes, such as `10/minute; 100/hour`, in its order; separated by `;`, `,` or `|`.
///
/// For the grammar see [`parse`].
///
/// ```
/// use limitra_core::{RateLimiter, parse_many};
///
/// let limits = parse_many("10/minute; 100/hour")?;
/// assert_eq!(limits.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10 per 1 minute", "100 per 1 hour"]);
/// let limiter = RateLimiter::builder().limits(limits.into_iter().map(Into::into)).build()?;
/// # assert_eq!(limiter.config().limits.len(), 2);
/// # Ok::<(), limitra_core::ConfigurationError>(())
/// ```
///
/// # Errors
/// [`ConfigurationError::Notation`] with the column if any part of the text is no limit, or the text is empty.
pub fn parse_many(notation: &str) -> Result<Vec<RateLimit>, ConfigurationError> {
    let mut reader = Reader { text: notation, at: 0 };
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
    /// In bytes; always between two characters.
    at: usize,
}

impl<'t> Reader<'t> {
    /// One limit with the white space around it.
    fn limit(&mut self) -> Result<RateLimit, ConfigurationError> {
        self.skip_white_space();
        let amount = self.number("amount", ConfigurationError::ZeroAmount)?;
        let amount = amount.ok_or_else(|| self.expected("an amount in digits, as in `10/minute`"))?;
        self.skip_white_space();
        if !self.eat("/") && !self.eat("per") {
            return Err(self.expected("`/` or `per`"));
        }
        self.skip_white_space();
        let window_at = self.at;
        let multiples = self.number("multiple", ConfigurationError::ZeroMultiples)?.unwrap_or(1);
        self.skip_white_space();
        let granularity = self.unit()?;
        let limit = RateLimit::new(amount, multiples, granularity);
        let limit = limit.map_err(|error| self.no_limit(window_at, error))?;
        self.skip_white_space();
        if !self.word().eq_ignore_ascii_case("burst") {
            return Ok(limit);
        }
        self.at += "burst".len();
        self.skip_white_space();
        let burst_at = self.at;
        let burst = self.number("burst", ConfigurationError::ZeroBurst)?;
        let burst = burst.ok_or_else(|| self.expected("a burst in digits, as in `10/minute burst 20`"))?;
        let limit = limit.with_burst(burst).map_err(|error| self.no_limit(burst_at, error))?;
        self.skip_white_space();
        Ok(limit)
    }

    /// What stands between two limits. The colon was a slip in the seed's pattern that texts may have come to rely on.
    fn separator(&mut self) -> Result<(), ConfigurationError> {
        let start = self.at;
        self.eat(":");
        if self.eat(";") || self.eat(",") || self.eat("|") {
            return Ok(());
        }
        self.at = start;
        Err(self.expected("`;`, `,` or `|` and another limit, or the end"))
    }

    fn unit(&mut self) -> Result<Granularity, ConfigurationError> {
        let word = self.word();
        if word.is_empty() {
            return Err(self.expected("a unit, as in `10/minute`"));
        }
        let Some(granularity) = Granularity::named(word) else {
            let unit = word.get(..KEPT_OF_WORD).unwrap_or(word).to_owned();
            return Err(self.error(self.at, NotationProblem::UnknownUnit { unit }));
        };
        self.at += word.len();
        Ok(granularity)
    }

    /// A number above 0; `None` if there is no digit.
    fn number(
        &mut self,
        what: &'static str,
        zero: ConfigurationError,
    ) -> Result<Option<u64>, ConfigurationError> {
        let digits = self.run(u8::is_ascii_digit);
        if digits.is_empty() {
            return Ok(None);
        }
        match digits.parse() {
            Ok(0) => Err(self.no_limit(self.at, zero)),
            Ok(number) => {
                self.at += digits.len();
                Ok(Some(number))
            }
            // Digits alone: there can be no other reason.
            Err(_) => Err(self.error(self.at, NotationProblem::TooLarge { what })),
        }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_white_space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    /// The letters that come next.
    fn word(&self) -> &'t str {
        self.run(u8::is_ascii_alphabetic)
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

    fn expected(&self, expected: &'static str) -> ConfigurationError {
        let found = self.rest().chars().next();
        self.error(self.at, NotationProblem::Expected { expected, found })
    }

    fn no_limit(&self, at: usize, error: ConfigurationError) -> ConfigurationError {
        self.error(at, NotationProblem::NoLimit(Box::new(error)))
    }

    fn error(&self, at: usize, problem: NotationProblem) -> ConfigurationError {
        ConfigurationError::Notation(NotationError::new(self.text, at, problem))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    /// Shared with the attribute's parser.
    const ROWS: &str = include_str!("../../tests/data/notation.txt");

    fn shown(limits: &[RateLimit]) -> String {
        let shown = limits.iter().map(|limit| format!("{limit} = {}", limit.expiry().as_secs()));
        shown.collect::<Vec<_>>().join("; ")
    }

    fn kind(problem: &NotationProblem) -> &'static str {
        match problem {
            NotationProblem::Expected { expected, .. } if expected.starts_with("an amount") => "amount",
            NotationProblem::Expected { expected, .. } if expected.starts_with("`/`") => "per",
            NotationProblem::Expected { expected, .. } if expected.starts_with("a unit") => "unit",
            NotationProblem::Expected { expected, .. } if expected.starts_with("a burst") => "burst",
            NotationProblem::Expected { .. } => "end",
            NotationProblem::UnknownUnit { .. } => "unknown",
            NotationProblem::TooLarge { .. } => "large",
            NotationProblem::Several => "several",
            NotationProblem::NoLimit(error) => match **error {
                ConfigurationError::WindowTooLong { .. } => "long",
                ConfigurationError::BurstTooDeep { .. } => "deep",
                _ => "zero",
            },
        }
    }

    fn rejected<T: std::fmt::Debug>(result: Result<T, ConfigurationError>) -> NotationError {
        match result {
            Err(ConfigurationError::Notation(error)) => error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_row_of_the_table_is_read_as_it_says() {
        Granularity::register("fake", Duration::from_secs(7)).expect("a new name");
        let mut count = 0;
        for row in ROWS.lines().filter(|row| row.starts_with('"')) {
            let (text, outcome) = row[1..].split_once("\" => ").expect(row);
            let text = text.replace("\\n", "\n").replace("\\t", "\t");
            let read = match parse_many(&text) {
                Ok(limits) => shown(&limits),
                Err(ConfigurationError::Notation(error)) => {
                    assert_eq!(text[..error.offset()].chars().count() + 1, error.column(), "{row}");
                    format!("! {} {}", error.column(), kind(error.problem()))
                }
                Err(error) => panic!("{row}: {error}"),
            };
            assert_eq!(read, outcome.replace("unregistered", "unknown"), "{row}");
            count += 1;
        }
        assert!(count > 90, "the table is there");
    }

    #[test]
    fn what_is_shown_is_read_as_the_same_limit() {
        for text in ["10/2 hours burst 30", "7 per year", "9007199254740991/s", "18446744073709551615/s"] {
            let limit = parse(text).expect(text);
            assert_eq!(limit.to_string().parse(), Ok(limit));
        }
    }

    #[test]
    fn parse_refuses_a_second_limit_and_says_where_it_begins() {
        let error = rejected(parse("10/minute; 100/hour"));
        assert_eq!((error.column(), error.problem()), (10, &NotationProblem::Several));
        assert!(error.to_string().ends_with("read several with `parse_many`"), "{error}");
        assert_eq!(kind(rejected(parse("10/minute & 100/hour")).problem()), "end");
    }

    #[test]
    fn a_message_shows_where_it_is_and_what_was_expected() {
        for (text, message) in [
            ("10", "the limit `10` cannot be read at column 3: expected `/` or `per`, found the end"),
            (
                "é",
                "the limit `é` cannot be read at column 1: expected an amount in digits, as in `10/minute`, found `é`",
            ),
            (
                "0/s",
                "the limit `0/s` cannot be read at column 1: an amount of 0 would refuse every request; give at least 1",
            ),
            (
                "1/\n\0",
                "the limit `1/\\n\\0` cannot be read at column 4: expected a unit, as in `10/minute`, found `\\0`",
            ),
            (
                "1/200 years",
                "the limit `1/200 years` cannot be read at column 3: a window of 200 year is out of range; give one of at most 100 years",
            ),
        ] {
            assert_eq!(rejected(parse(text)).to_string(), message);
        }
    }

    #[test]
    fn a_megabyte_is_read_in_linear_time_and_told_in_short() {
        const LENGTH: usize = 1_000_000;
        let hostile = [
            format!("1/{}!", "1".repeat(LENGTH)),
            format!("{}/second", "0".repeat(LENGTH)),
            format!("1{}", " ".repeat(LENGTH)),
            format!("1/{}", "s".repeat(LENGTH)),
            format!("1/{}", "é".repeat(LENGTH / 2)),
            "per".repeat(LENGTH / 3),
            "1/s;".repeat(LENGTH / 4),
            "1/s:".repeat(LENGTH / 4),
            format!("1/s{}!", " ".repeat(LENGTH)),
        ];
        for text in &hostile {
            let started = Instant::now();
            let error = rejected(parse_many(text));
            // Anything worse than linear takes minutes.
            assert!(started.elapsed() < Duration::from_secs(5), "{error}");
            assert!(error.to_string().len() < 400, "{error}");
        }
    }
}
