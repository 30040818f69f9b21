//! A real memcached server of one test's own.

use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use crate::random_number;
use crate::temporary_folder::TemporaryFolder;

/// How long a server may take to start or to die before the test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// Starts the server in the background, says its process id, and waits for its own standard input: at a line it kills
/// the server, at the end of the input (also when the test process is killed) the server and its folder.
const KEEPER: &str = r#"
folder=$1; shift
trap '' INT TERM HUP
"$@" >"$folder/log" 2>&1 &
echo $!
if read -r _; then kill -9 $!; wait $!; else kill -9 $!; wait $!; rm -rf "$folder"; fi 2>/dev/null
"#;

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
pub struct MemcachedServer {
    settings: MemcachedServerBuilder,
    folder: TemporaryFolder,
    port: u16,
    running: Option<Running>,
}

/// One run of the server, between a start and the next death.
struct Running {
    keeper: Child,
    input: ChildStdin,
    process_id: u32,
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
        let folder = TemporaryFolder::new("memcached");
        let mut server = MemcachedServer { settings: self, folder, port: 0, running: None };
        // Another process may take the port in between.
        for _ in 0..10 {
            server.port = free_port();
            if server.launch() {
                return server;
            }
        }
        panic!("no free port for memcached; its last words: {}", server.log());
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
        self.folder.path().join("socket")
    }

    /// Kills the server at once (`kill -9`): clients see their connections cut.
    pub fn kill(&mut self) {
        let Some(Running { mut keeper, mut input, .. }) = self.running.take() else { return };
        input.write_all(b"kill\n").expect("the keeper of memcached is gone");
        drop(input);
        keeper.wait().expect("the keeper of memcached is lost");
    }

    /// Kills the server if it runs, and starts it again on the same port, with nothing in it.
    pub fn restart(&mut self) {
        self.kill();
        assert!(self.launch(), "memcached does not start again: {}", self.log());
    }

    /// Stops the server's process in place (SIGSTOP): it accepts connections and answers nothing.
    pub fn pause(&self) {
        self.signal("STOP");
        // A thread that is at work stops a moment later than the signal is sent.
        let deadline = Instant::now() + PATIENCE;
        while !self.is_stopped() {
            assert!(Instant::now() < deadline, "memcached does not stop");
            std::thread::yield_now();
        }
    }

    /// Lets a paused server go on.
    pub fn resume(&self) {
        self.signal("CONT");
    }

    /// Whether all its threads stand still; where there is no `/proc`, that is taken for granted.
    fn is_stopped(&self) -> bool {
        let process_id = self.running.as_ref().expect("the server is down").process_id;
        let Ok(threads) = fs::read_dir(format!("/proc/{process_id}/task")) else { return true };
        let state = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        threads.flatten().all(|thread| state(thread).contains(") T "))
    }

    fn signal(&self, name: &str) {
        let process_id = self.running.as_ref().expect("the server is down").process_id;
        let status = Command::new("sh")
            .args(["-c", "kill -s \"$0\" \"$1\"", name])
            .arg(process_id.to_string())
            .status()
            .expect("sh cannot be run");
        assert!(status.success(), "SIG{name} cannot be sent to memcached");
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
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Whether the server came up; not, when its port was taken.
    fn launch(&mut self) -> bool {
        let _ = fs::remove_file(self.folder.path().join("log"));
        let _ = fs::remove_file(self.socket_path());
        let program = std::env::var("MEMCACHED").unwrap_or_else(|_| "memcached".to_owned());
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(self.folder.path())
            .arg(program)
            .args(self.command_line())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh cannot be run");
        let input = keeper.stdin.take().expect("a piped input");
        let output = keeper.stdout.take().expect("a piped output");
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).expect("the keeper of memcached says nothing");
        let process_id = line.trim().parse().expect("a process id");
        self.running = Some(Running { keeper, input, process_id });

        let deadline = Instant::now() + PATIENCE;
        loop {
            // It is this one that answers, not whoever may have taken the port.
            if self.try_ask(b"stats\r\n").is_ok_and(|stats| {
                let own = format!("STAT pid {process_id}\r\n");
                stats.windows(own.len()).any(|window| window == own.as_bytes())
            }) {
                return true;
            }
            let log = self.log();
            if log.contains("failed to listen") || log.contains("Address already in use") {
                self.kill();
                return false;
            }
            assert!(
                !log.contains("not found") && Instant::now() < deadline,
                "memcached does not start (Debian: memcached; MEMCACHED names another program): {log}"
            );
            std::thread::sleep(Duration::from_millis(2));
        }
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
            let file = self.folder.path().join("users");
            fs::write(&file, format!("{username}:{password}\n"))
                .expect("the file of users cannot be written");
            set(&["-Y", &file.display().to_string()]);
        }
        line.extend(self.settings.arguments.iter().cloned());
        line
    }
}

impl Drop for MemcachedServer {
    fn drop(&mut self) {
        if let Some(Running { mut keeper, input, .. }) = self.running.take() {
            drop(input);
            let _ = keeper.wait();
        }
    }
}

impl fmt::Debug for MemcachedServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemcachedServer")
            .field("port", &self.port)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

fn answers_of(mut stream: impl Read + Write, commands: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut answers = Vec::new();
    stream.write_all(commands)?;
    stream.read_to_end(&mut answers)?;
    Ok(answers)
}

/// A port below those that the system hands to outgoing connections, so that it is still free at a restart.
fn free_port() -> u16 {
    loop {
        let port = 10_000 + u16::try_from(random_number() % 22_000).expect("below 22,000");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}
