//! A server's process, whichever server it is.

use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use crate::random_number;
use crate::temporary_folder::TemporaryFolder;

/// How long a server may take to start, to agree with others or to stand still before the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Ends the server at once.
pub(crate) const KILL: &str = "kill -9 $!";

/// Starts the server in the background, says its process id, and waits for its own standard input: at a line it ends the
/// server, at the end of the input (also when the test process is killed) the server and its folder.
const KEEPER: &str = r#"
folder=$1 ending=$2; shift 2
trap '' INT TERM HUP
"$@" >"$folder/log" 2>&1 &
echo $!
read -r word
eval "$ending"
wait $!
[ "$word" ] || rm -rf "$folder"
"#;

/// Sends a signal to a process, and to what it has started.
const SIGNAL: &str = r#"
kill -s "$1" "$2" || exit
kill -s "$1" $(ps -o pid= --ppid "$2" 2>/dev/null) 2>/dev/null
exit 0
"#;

/// What there is to know of a server's program.
#[derive(Debug)]
pub(crate) struct ServerProgram {
    /// How it is called where the system looks for programs.
    pub(crate) name: &'static str,
    /// The environment variable that says where another is.
    pub(crate) variable: &'static str,
    /// What ends it, in the words of a shell whose `$!` it is.
    pub(crate) ending: &'static str,
    /// Whether its log says that its port is another's.
    pub(crate) is_port_taken: fn(&str) -> bool,
    /// Whether its log says that it will never serve; that there is no such program is found without it.
    pub(crate) is_hopeless: fn(&str) -> bool,
}

impl ServerProgram {
    /// The beginning of a command line.
    pub(crate) fn command(&self) -> Command {
        Command::new(program(self.variable, self.name))
    }
}

/// One server of a test's own, with its folder; it ends when this value is dropped, or when the test process does.
#[derive(Debug)]
pub(crate) struct ServerProcess {
    program: &'static ServerProgram,
    folder: TemporaryFolder,
    running: Option<Running>,
}

/// One run of the server, between a start and the next end.
#[derive(Debug)]
struct Running {
    keeper: Child,
    input: ChildStdin,
    process_id: u32,
}

/// Another process was faster to take the port.
pub(crate) struct PortTaken {
    program: &'static str,
    log: String,
}

impl ServerProcess {
    /// None yet, but the folder for its data.
    pub(crate) fn new(program: &'static ServerProgram, folder: TemporaryFolder) -> Self {
        Self { program, folder, running: None }
    }

    /// Its folder, which goes with it.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.running.as_ref().expect("the server is down").process_id
    }

    /// What it has logged since it was last started.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder().join("log")).unwrap_or_default()
    }

    /// Starts it by this command line, in place of the one that may run.
    pub(crate) fn start(&mut self, server: &Command) {
        self.kill();
        let _ = fs::remove_file(self.folder().join("log"));
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(self.folder())
            .arg(self.program.ending)
            .arg(server.get_program())
            .args(server.get_args())
            .envs(server.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .current_dir(server.get_current_dir().unwrap_or(Path::new(".")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh cannot be run");
        let input = keeper.stdin.take().expect("a piped input");
        let output = keeper.stdout.take().expect("a piped output");
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).expect("the keeper of the server says nothing");
        let process_id = line.trim().parse().expect("a process id");
        self.running = Some(Running { keeper, input, process_id });
    }

    /// Waits until it serves, as this judges by its log and by asking it.
    pub(crate) fn wait_until(&self, serves: impl Fn(&str) -> bool) -> Result<(), PortTaken> {
        let ServerProgram { name, variable, is_port_taken, is_hopeless, .. } = self.program;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let log = self.log();
            // Whoever has the port may answer as well.
            if is_port_taken(&log) {
                return Err(PortTaken { program: name, log });
            }
            if serves(&log) {
                return Ok(());
            }
            // The shell's own words are that it finds no program.
            assert!(
                !log.starts_with("keeper: ") && !is_hopeless(&log) && Instant::now() < deadline,
                "{name} does not start (./tests/run installs it, {variable} says where another is): {log}"
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Ends it as its program says; its port stays free.
    pub(crate) fn kill(&mut self) {
        let Some(Running { mut keeper, mut input, .. }) = self.running.take() else { return };
        input.write_all(b"end\n").expect("the keeper of the server is gone");
        drop(input);
        keeper.wait().expect("the keeper of the server is lost");
    }

    /// Stops it in place (SIGSTOP) with what it has started: it accepts connections and answers nothing.
    pub(crate) fn pause(&self) {
        // A thread that is at work stops a moment later than the signal is sent, and until then starts more.
        let stands_still = || {
            self.signal("STOP");
            self.is_stopped()
        };
        assert!(in_time(stands_still), "{} does not stop", self.program.name);
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let status = Command::new("sh")
            .args(["-c", SIGNAL, "signal", name, &self.id().to_string()])
            .status()
            .expect("sh cannot be run");
        assert!(status.success(), "SIG{name} cannot be sent to {}", self.program.name);
    }

    /// Whether all threads of all its processes stand still; where there is no `/proc`, that is taken for granted.
    fn is_stopped(&self) -> bool {
        let id = self.id().to_string();
        let children = Command::new("ps").args(["-o", "pid=", "--ppid", &id]).output();
        let children =
            children.map_or_else(|_| String::new(), |all| String::from_utf8_lossy(&all.stdout).into());
        let ids = children.split_whitespace().chain([id.as_str()]);
        let mut threads =
            ids.filter_map(|id| fs::read_dir(format!("/proc/{id}/task")).ok()).flatten().flatten();
        threads.all(|thread| {
            let state = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            state.contains(") T ") || state.contains(") Z ")
        })
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        if let Some(Running { mut keeper, input, .. }) = self.running.take() {
            drop(input);
            let _ = keeper.wait();
        }
    }
}

impl fmt::Debug for PortTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no free port for {}; its last words: {}", self.program, self.log)
    }
}

/// A program: what this environment variable names, or what the system finds by this name.
pub(crate) fn program(variable: &str, name: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| name.to_owned())
}

/// Attempts the start of a server, with a [`free_port`] each time: another process may take it in between.
pub(crate) fn with_free_port<T>(mut start: impl FnMut() -> Result<T, PortTaken>) -> T {
    for _ in 0..9 {
        if let Ok(started) = start() {
            return started;
        }
    }
    start().expect("it is taken ten times")
}

/// A port below those that the system hands to outgoing connections, so that it is still free at a restart.
pub(crate) fn free_port() -> u16 {
    loop {
        let port = 10_000 + u16::try_from(random_number() % 22_000).expect("below 22,000");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// Whether this comes to hold while the test has patience.
pub(crate) fn in_time(holds: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}
