//! Every command that a server runs, and who asked for it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;

use limitra_tests::{RedisServer, fresh_id};

/// Sees every command from its start on (`MONITOR`), but for those that make a connection.
pub(crate) struct Monitor<'a> {
    server: &'a RedisServer,
    lines: BufReader<TcpStream>,
}

/// What was seen between two looks; names in lower case.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Commands of clients.
    pub(crate) asked: Vec<String>,
    /// Commands that scripts called.
    pub(crate) called: Vec<String>,
}

impl<'a> Monitor<'a> {
    pub(crate) fn start(server: &'a RedisServer) -> Self {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.write_all(b"MONITOR\r\n").unwrap();
        let mut lines = BufReader::new(stream);
        let mut answer = String::new();
        lines.read_line(&mut answer).unwrap();
        assert_eq!(answer.trim(), "+OK");
        Self { server, lines }
    }

    /// What was seen since the last look.
    pub(crate) fn look(&mut self) -> Seen {
        let mark = fresh_id();
        self.server.cli(&["ECHO", &mark]);
        let mut seen = Seen { asked: Vec::new(), called: Vec::new() };
        loop {
            let mut line = String::new();
            self.lines.read_line(&mut line).unwrap();
            if line.contains(&mark) {
                return seen;
            }
            // +1700000000.123456 [0 127.0.0.1:54321] "EVALSHA" "..
            let (source, command) = line.split_once("] \"").unwrap();
            let name = command.split('"').next().unwrap_or_default().to_lowercase();
            if source.ends_with(" lua") {
                seen.called.push(name);
            } else {
                seen.asked.push(name);
            }
        }
    }
}
