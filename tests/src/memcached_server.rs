//! A real memcached server of one test's own.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use crate::server_process::{
    KILL, PATIENCE, PortTaken, ServerProcess, ServerProgram, free_port, with_free_port,
};
use crate::temporary_folder::TemporaryFolder;

static PROGRAM: ServerProgram = ServerProgram {
    name: "memcached",
    variable: "MEMCACHED",
    ending: KILL,
    is_port_taken: |log| log.contains("failed to listen") || log.contains("Address already in use"),
    is_hopeless: |_| false,
};

/// A `memcached` process on a free loopback port, killed when this value is dropped, or when the test process is.
///
/// `MEMCACHED` names another program. What goes wrong panics.
///
/// ```
/// use limitra_tests::MemcachedServer;
///
/// let server = MemcachedServer::start();
/// assert_eq!(server.ask("mn\r\n"), "MN");
/// assert!(server.url().starts_with("memcached://127.0.0.1:"));
/// ```
#[derive(Debug)]
pub struct MemcachedServer {
    settings: MemcachedServerBuilder,
    port: u16,
    process: ServerProcess,
}

/// What a [`MemcachedServer`] is started with.
#[derive(Clone, Debug, Default)]
pub struct MemcachedServerBuilder {
    credentials: Option<(String, String)>,
    ipv6: bool,
    unix_socket: bool,
    arguments: Vec<String>,
}

impl MemcachedServerBuilder {
    /// Only who gives these is served (`-Y`).
    #[must_use]
    pub fn credentials(mut self, username: &str, password: &str) -> Self {
        self.credentials = Some((username.to_owned(), password.to_owned()));
        self
    }

    /// On `[::1]`.
    #[must_use]
    pub fn ipv6(mut self) -> Self {
        self.ipv6 = true;
        self
    }

    /// Only a unix socket, no port.
    #[must_use]
    pub fn unix_socket(mut self) -> Self {
        self.unix_socket = true;
        self
    }

    /// One more word of the command line.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Starts the server and waits until it answers.
    pub fn start(self) -> MemcachedServer {
        let process = ServerProcess::new(&PROGRAM, TemporaryFolder::new("memcached"));
        let mut server = MemcachedServer { settings: self, port: 0, process };
        with_free_port(|| {
            server.port = free_port();
            server.launch()
        });
        server
    }
}

impl MemcachedServer {
    /// A plain server on a free port.
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// A server with settings.
    pub fn builder() -> MemcachedServerBuilder {
        MemcachedServerBuilder::default()
    }

    /// The URL for clients, the credentials included.
    pub fn url(&self) -> String {
        let who = match &self.settings.credentials {
            Some((username, password)) => format!("{username}:{password}@"),
            None => String::new(),
        };
        if self.settings.unix_socket {
            return format!("memcached://{who}{}", self.socket_path().display());
        }
        format!("memcached://{who}{}", self.address())
    }

    /// Where the server listens; not with a unix socket.
    pub fn address(&self) -> SocketAddr {
        if self.settings.ipv6 {
            return SocketAddr::from((Ipv6Addr::LOCALHOST, self.port));
        }
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    fn socket_path(&self) -> PathBuf {
        self.process.folder().join("socket")
    }

    /// Kills the server at once (`kill -9`): clients see their connections cut.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Kills the server if it runs, and starts it again on the same port, with nothing in it.
    pub fn restart(&mut self) {
        self.launch().expect("memcached does not start again");
    }

    /// Stops the server's process in place (SIGSTOP): it accepts connections and answers nothing.
    pub fn pause(&self) {
        self.process.pause();
    }

    /// Lets a paused server go on.
    pub fn resume(&self) {
        self.process.resume();
    }

    /// Sends these commands on a connection of their own and returns all answers, without the last line's end.
    pub fn ask(&self, commands: &str) -> String {
        String::from_utf8_lossy(&self.ask_bytes(commands.as_bytes())).into_owned()
    }

    /// The same for what is not text.
    pub fn ask_bytes(&self, commands: &[u8]) -> Vec<u8> {
        self.try_ask(commands).expect("memcached does not answer")
    }

    fn try_ask(&self, commands: &[u8]) -> std::io::Result<Vec<u8>> {
        let greeting = match &self.settings.credentials {
            Some((username, password)) => {
                format!("set a 0 0 {}\r\n{username} {password}\r\n", username.len() + 1 + password.len())
            }
            None => String::new(),
        };
        let all = [greeting.as_bytes(), commands, b"quit\r\n"].concat();
        let mut answers = if self.settings.unix_socket {
            let stream = UnixStream::connect(self.socket_path())?;
            stream.set_read_timeout(Some(PATIENCE))?;
            answers_of(stream, &all)?
        } else {
            let stream = TcpStream::connect(self.address())?;
            stream.set_read_timeout(Some(PATIENCE))?;
            answers_of(stream, &all)?
        };
        if !greeting.is_empty() {
            answers = answers.strip_prefix(b"STORED\r\n").expect("credentials that are right").to_vec();
        }
        let length = answers.trim_ascii_end().len();
        answers.truncate(length);
        Ok(answers)
    }

    /// A figure of `stats`.
    pub fn figure(&self, name: &str) -> u64 {
        let stats = self.ask("stats\r\n");
        let value =
            stats.lines().find_map(|line| line.strip_prefix("STAT ")?.strip_prefix(name)?.strip_prefix(' '));
        value.expect("a figure").parse().expect("a number")
    }

    /// The keys that it has, as its list has them; not with a unix socket or credentials.
    pub fn keys(&self) -> Vec<String> {
        let mut stream = TcpStream::connect(self.address()).expect("memcached takes no connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        // The list forgets what was asked after it, so it is asked alone.
        stream.write_all(b"lru_crawler metadump hash\r\n").expect("memcached is gone");
        let lines = BufReader::new(stream).lines().map(|line| line.expect("a list with an end"));
        let entries = lines.take_while(|line| line.trim_end() != "END");
        let key = |line: String| line.strip_prefix("key=")?.split(' ').next().map(str::to_owned);
        entries.map(|line| key(line).expect("an entry of the list")).collect()
    }

    /// What the server has said since it was last started.
    pub fn log(&self) -> String {
        self.process.log()
    }

    fn launch(&mut self) -> Result<(), PortTaken> {
        let mut command = PROGRAM.command();
        command.args(self.command_line());
        self.process.start(&command);
        // It is this one that answers, not whoever may have taken the port.
        let own = format!("STAT pid {}\r\n", self.process.id());
        self.process.wait_until(|_| {
            let answers = |stats: Vec<u8>| stats.windows(own.len()).any(|window| window == own.as_bytes());
            self.try_ask(b"stats\r\n").is_ok_and(answers)
        })
    }

    fn command_line(&self) -> Vec<String> {
        let mut line: Vec<String> = Vec::new();
        let mut set = |words: &[&str]| line.extend(words.iter().map(|word| (*word).to_owned()));
        // Only root is asked for it.
        set(&["-u", "root", "-m", "64", "-t", "2", "-U", "0"]);
        if self.settings.unix_socket {
            set(&["-s", &self.socket_path().display().to_string()]);
        } else {
            let host = if self.settings.ipv6 { "::1" } else { "127.0.0.1" };
            set(&["-l", host, "-p", &self.port.to_string()]);
        }
        if let Some((username, password)) = &self.settings.credentials {
            let file = self.process.folder().join("users");
            fs::write(&file, format!("{username}:{password}\n"))
                .expect("the file of users cannot be written");
            set(&["-Y", &file.display().to_string()]);
        }
        line.extend(self.settings.arguments.iter().cloned());
        line
    }
}

fn answers_of(mut stream: impl Read + Write, commands: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut answers = Vec::new();
    stream.write_all(commands)?;
    stream.read_to_end(&mut answers)?;
    Ok(answers)
}
