//! Memcached's meta commands, and their answers.

use std::io::Write as _;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};

use super::failure::Failure;

/// The longest line that is read: a key of 250 bytes, each as `%XX`, and what is said about it.
const LONGEST_LINE: u64 = 2048;

/// What a server is asked.
pub(super) enum Command<'a> {
    /// The value and its number.
    Load { key: &'a [u8] },
    /// Stores a value if there is none, or if it is still the one with this number.
    Store { key: &'a [u8], bytes: &'a [u8], cas: Option<u64>, expiry: u64 },
    /// Removes a value, if it is there, or if it is still the one with this number.
    Delete { key: &'a [u8], cas: Option<u64> },
    /// Nothing.
    Noop,
}

/// What a server answers.
#[derive(Debug)]
pub(super) enum Answer {
    Found {
        bytes: Vec<u8>,
        cas: Option<u64>,
    },
    Done,
    /// There is no such value.
    Missing,
    /// It is another one by now.
    Changed,
    Noop,
}

impl Command<'_> {
    /// As it is sent. The answer repeats the number, which shows that it is this command's.
    pub(super) fn to_bytes(&self, number: u32) -> Vec<u8> {
        // A key and a little around it.
        let mut line = Vec::with_capacity(512);
        let word = |line: &mut Vec<u8>, word: std::fmt::Arguments<'_>| {
            // A vector takes whatever comes.
            let _written = line.write_fmt(word);
        };
        match self {
            Self::Noop => return b"mn\r\n".to_vec(),
            Self::Load { key } => {
                line.extend_from_slice(b"mg ");
                line.extend_from_slice(key);
                line.extend_from_slice(b" v c");
            }
            Self::Delete { key, cas } => {
                line.extend_from_slice(b"md ");
                line.extend_from_slice(key);
                if let Some(cas) = cas {
                    word(&mut line, format_args!(" C{cas}"));
                }
            }
            Self::Store { key, bytes, cas, expiry } => {
                line.extend_from_slice(b"ms ");
                line.extend_from_slice(key);
                word(&mut line, format_args!(" {} T{expiry}", bytes.len()));
                match cas {
                    Some(cas) => word(&mut line, format_args!(" C{cas}")),
                    // "Add".
                    None => line.extend_from_slice(b" ME"),
                }
            }
        }
        word(&mut line, format_args!(" O{number}\r\n"));
        if let Self::Store { bytes, .. } = self {
            line.extend_from_slice(bytes);
            line.extend_from_slice(b"\r\n");
        }
        line
    }

    pub(super) fn is_noop(&self) -> bool {
        matches!(self, Self::Noop)
    }
}

/// Reads what a server says.
pub(super) struct Answers<R> {
    server: String,
    reader: BufReader<R>,
    line: Vec<u8>,
    longest_value: usize,
}

impl<R: AsyncRead + Unpin> Answers<R> {
    pub(super) fn new(server: String, reader: R, longest_value: usize) -> Self {
        Self { server, reader: BufReader::new(reader), line: Vec::new(), longest_value }
    }

    /// Waits until the server says something, or closes the connection. Nothing is lost if the wait is given up.
    pub(super) async fn wait(&mut self) -> Failure {
        match self.reader.fill_buf().await {
            Ok([]) => Failure::Closed { server: self.server.clone() },
            Ok(said) => Failure::malformed(&self.server, "it says what nobody asked for", said),
            Err(error) => Failure::broken(&self.server, error),
        }
    }

    /// The next line without its end.
    pub(super) async fn line(&mut self) -> Result<&[u8], Failure> {
        self.line.clear();
        let mut limited = (&mut self.reader).take(LONGEST_LINE);
        let read = limited.read_until(b'\n', &mut self.line).await;
        read.map_err(|error| Failure::broken(&self.server, error))?;
        let Some(line) = self.line.strip_suffix(b"\n") else {
            return Err(if self.line.len() < usize::try_from(LONGEST_LINE).unwrap_or(usize::MAX) {
                Failure::Closed { server: self.server.clone() }
            } else {
                Failure::malformed(&self.server, "a line without an end", &self.line)
            });
        };
        Ok(line.strip_suffix(b"\r").unwrap_or(line))
    }

    /// The answer to the command of this number; `None` for a [`Command::Noop`].
    pub(super) async fn answer(&mut self, number: Option<u32>) -> Result<Answer, Failure> {
        self.line().await?;
        let line = self.line.trim_ascii_end().to_vec();
        let failed = |problem| Err(Failure::malformed(&self.server, problem, &line));
        let mut words = line.split(|byte| *byte == b' ');
        let code = words.next().unwrap_or_default();
        let length = match code {
            b"VA" => match words.next().and_then(number_of) {
                Some(length) => Some(length),
                None => return failed("a value without a length"),
            },
            b"HD" | b"EN" | b"NF" | b"NS" | b"EX" | b"MN" => None,
            b"SERVER_ERROR" | b"CLIENT_ERROR" | b"ERROR" => {
                return Err(Failure::refused(&self.server, &line));
            }
            _ => return failed("not an answer of memcached"),
        };
        let (mut cas, mut answered) = (None, None);
        for word in words {
            match word.split_first() {
                Some((b'c', digits)) => cas = number_of(digits),
                Some((b'O', digits)) => answered = Some(number_of(digits)),
                _ => {}
            }
        }
        // Some versions do not repeat it where they have found nothing.
        let is_ours = match answered {
            Some(answered) => answered == number.map(u64::from) && number.is_some(),
            None => number.is_none() || code == b"EN",
        };
        if !is_ours || (code == b"MN") != number.is_none() {
            return failed("the answer to another command");
        }
        let Some(length) = length else {
            return Ok(match code {
                b"HD" => Answer::Done,
                b"EN" | b"NF" => Answer::Missing,
                b"MN" => Answer::Noop,
                _ => Answer::Changed,
            });
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > self.longest_value {
            return failed("a value that is larger than max_item_size");
        }
        Ok(Answer::Found { bytes: self.value(length).await?, cas })
    }

    /// A value and the line's end behind it.
    async fn value(&mut self, length: usize) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        let whole = length + 2;
        let mut limited = (&mut self.reader).take(u64::try_from(whole).unwrap_or(u64::MAX));
        let read = limited.read_to_end(&mut bytes).await;
        read.map_err(|error| Failure::broken(&self.server, error))?;
        if bytes.len() < whole {
            return Err(Failure::Closed { server: self.server.clone() });
        }
        let Some(end) = bytes.strip_suffix(b"\r\n") else {
            return Err(Failure::malformed(
                &self.server,
                "a value that is not as long as it says",
                &self.line,
            ));
        };
        let length = end.len();
        bytes.truncate(length);
        Ok(bytes)
    }
}

/// A decimal number.
fn number_of(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}
