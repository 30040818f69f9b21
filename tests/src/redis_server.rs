//! A real Redis server of one test's own.

use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use crate::certificates::Certificates;
use crate::fresh_id;
use crate::server_process::{
    KILL, PortTaken, ServerProcess, ServerProgram, free_port, program, with_free_port,
};
use crate::shifted_clock::ShiftedClock;
use crate::temporary_folder::TemporaryFolder;

static PROGRAM: ServerProgram = ServerProgram {
    name: "redis-server",
    variable: "REDIS_SERVER",
    ending: KILL,
    is_port_taken: |log| log.contains("Failed listening") || log.contains("Could not create server"),
    is_hopeless: |log| log.contains("FATAL"),
};

/// A `redis-server` process on 127.0.0.1 with an empty data folder, killed when this value is dropped.
///
/// It also dies when the test process does, however that ends. The methods block for the few milliseconds that a local
/// server takes; what goes wrong panics.
///
/// ```
/// use limitra_tests::RedisServer;
///
/// let server = RedisServer::start();
/// assert_eq!(server.cli(&["PING"]), "PONG");
/// assert!(server.url().starts_with("redis://127.0.0.1:"));
/// ```
#[derive(Debug)]
pub struct RedisServer {
    settings: RedisServerBuilder,
    certificates: Option<Certificates>,
    port: u16,
    process: ServerProcess,
}

/// What a [`RedisServer`] is started with.
#[derive(Clone, Debug, Default)]
pub struct RedisServerBuilder {
    password: Option<String>,
    user: Option<(String, String)>,
    tls: bool,
    unix_socket: bool,
    clock_ahead: Option<Duration>,
    arguments: Vec<String>,
    program: Option<PathBuf>,
    certificates: Option<Certificates>,
    sentinel: Option<String>,
}

impl RedisServerBuilder {
    /// The default user has this password (`requirepass`).
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// An ACL user who may do everything, beside a default user who may do nothing.
    pub fn user(mut self, name: &str, password: &str) -> Self {
        self.user = Some((name.to_owned(), password.to_owned()));
        self
    }

    /// Only TLS, with a certificate for `localhost` and 127.0.0.1 by a certification authority made for this server.
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Only a unix socket, no port.
    pub fn unix_socket(mut self) -> Self {
        self.unix_socket = true;
        self
    }

    /// The server's wall clock is ahead by this much.
    pub fn clock_ahead(mut self, ahead: Duration) -> Self {
        self.clock_ahead = Some(ahead);
        self
    }

    /// One more setting, of one word or several, as on the command line: `.setting("maxmemory", "2mb")`.
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.arguments.push(format!("--{name}"));
        self.arguments.extend(value.split(' ').map(str::to_owned));
        self
    }

    /// Another server program than that of the machine.
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = Some(program.into());
        self
    }

    /// TLS by these certificates, which other servers may have as well.
    pub fn certificates(mut self, certificates: &Certificates) -> Self {
        self.tls = true;
        self.certificates = Some(certificates.clone());
        self
    }

    /// A sentinel in place of a server of values, with these lines of configuration.
    pub fn sentinel(mut self, configuration: &str) -> Self {
        self.sentinel = Some(configuration.to_owned());
        self
    }

    /// Starts the server and waits until it answers.
    pub fn start(self) -> RedisServer {
        let folder = TemporaryFolder::new("redis");
        let own = || Certificates::in_folder(folder.path());
        let certificates = self.tls.then(|| self.certificates.clone().unwrap_or_else(own));
        let process = ServerProcess::new(&PROGRAM, folder);
        let mut server = RedisServer { settings: self, certificates, port: 0, process };
        with_free_port(|| {
            server.port = free_port();
            server.launch()
        });
        server
    }
}

impl RedisServer {
    /// A plain server on a free port.
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// A server with settings.
    pub fn builder() -> RedisServerBuilder {
        RedisServerBuilder::default()
    }

    /// The URL for clients, the password or user included. With TLS it names `localhost`.
    pub fn url(&self) -> String {
        let (scheme, host) = if self.settings.tls { ("rediss", "localhost") } else { ("redis", "127.0.0.1") };
        let who = match (&self.settings.user, &self.settings.password) {
            (Some((name, password)), _) => format!("{name}:{password}@"),
            (None, Some(password)) => format!(":{password}@"),
            (None, None) => String::new(),
        };
        if self.settings.unix_socket {
            let query = match (&self.settings.user, &self.settings.password) {
                (Some((name, password)), _) => format!("?user={name}&pass={password}"),
                (None, Some(password)) => format!("?pass={password}"),
                (None, None) => String::new(),
            };
            return format!("redis+unix://{}{query}", self.socket_path().display());
        }
        format!("{scheme}://{who}{host}:{}", self.port)
    }

    /// Where the server listens; not with a unix socket.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// The socket of a server that was started with one.
    pub fn socket_path(&self) -> PathBuf {
        self.process.folder().join("socket")
    }

    /// The certificate (PEM) of the authority that signed the server's, for servers with TLS.
    pub fn certificate_authority(&self) -> PathBuf {
        self.certificates().authority.clone()
    }

    fn certificates(&self) -> &Certificates {
        self.certificates.as_ref().expect("the server was started without TLS")
    }

    /// The server's process id.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Kills the server at once (`kill -9`): clients see their connections cut. Its port stays free for
    /// [`restart`](Self::restart).
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Kills the server if it runs, and starts it again on the same port, with empty data.
    pub fn restart(&mut self) {
        self.launch().expect("redis-server does not start again");
    }

    /// Stops the server's process in place (SIGSTOP): it accepts connections and answers nothing.
    pub fn pause(&self) {
        self.process.pause();
    }

    /// Lets a paused server go on.
    pub fn resume(&self) {
        self.process.resume();
    }

    /// Sends one command by `redis-cli` and returns what it prints, without the last line end.
    pub fn cli(&self, command: &[&str]) -> String {
        let mut program = Command::new(program("REDIS_CLI", "redis-cli"));
        program.arg("--no-auth-warning");
        if self.settings.unix_socket {
            program.arg("-s").arg(self.socket_path());
        } else {
            program.args(["-h", "127.0.0.1", "-p"]);
            program.arg(self.port.to_string());
        }
        if self.settings.tls {
            program.arg("--tls").arg("--cacert").arg(&self.certificates().authority);
        }
        match (&self.settings.user, &self.settings.password) {
            (Some((name, password)), _) => {
                program.args(["--user", name, "--pass", password]);
            }
            (None, Some(password)) => {
                program.args(["--pass", password]);
            }
            (None, None) => {}
        }
        let output = program
            .args(command)
            .stdin(Stdio::null())
            .output()
            .expect("redis-cli cannot be run: ./tests/run installs it, REDIS_CLI names another");
        assert!(
            output.status.success(),
            "redis-cli {command:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = String::from_utf8_lossy(&output.stdout);
        text.strip_suffix('\n').unwrap_or(&text).to_owned()
    }

    /// How often each command was called since the last [`forget_counts`](Self::forget_counts) (`INFO commandstats`),
    /// in lower case. What scripts call is counted too; so is the `INFO` of earlier calls.
    pub fn command_counts(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for line in self.cli(&["INFO", "commandstats"]).lines() {
            let Some((name, values)) =
                line.strip_prefix("cmdstat_").and_then(|rest| rest.split_once(":calls="))
            else {
                continue;
            };
            let calls = values.split(',').next().unwrap_or_default();
            counts.insert(name.to_lowercase(), calls.parse().expect("a number of calls"));
        }
        counts
    }

    /// Starts the counts of [`command_counts`](Self::command_counts) again from zero.
    pub fn forget_counts(&self) {
        self.cli(&["CONFIG", "RESETSTAT"]);
    }

    /// What the server has logged since it was last started.
    pub fn log(&self) -> String {
        self.process.log()
    }

    fn launch(&mut self) -> Result<(), PortTaken> {
        let mut command = self.settings.program.as_ref().map_or_else(|| PROGRAM.command(), Command::new);
        command.args(self.command_line());
        command.envs(ShiftedClock::ahead(self.process.folder(), self.settings.clock_ahead));
        self.process.start(&command);
        self.process.wait_until(|log| {
            let is_up = log.contains("eady to accept connections") || log.contains("Sentinel ID is");
            is_up && self.is_reachable()
        })
    }

    fn is_reachable(&self) -> bool {
        self.settings.unix_socket || TcpStream::connect(self.address()).is_ok()
    }

    fn command_line(&self) -> Vec<String> {
        let folder = self.process.folder();
        if let Some(configuration) = &self.settings.sentinel {
            let file = folder.join("sentinel.conf");
            let password =
                self.settings.password.as_ref().map(|password| format!("requirepass {password}\n"));
            let text = format!(
                "bind 127.0.0.1\nport {}\ndir {}\n{}{configuration}",
                self.port,
                folder.display(),
                password.unwrap_or_default()
            );
            fs::write(&file, text).expect("the configuration of the sentinel cannot be written");
            return vec![file.display().to_string(), "--sentinel".to_owned()];
        }
        let mut line = Vec::new();
        let mut set = |name: &str, value: &str| {
            line.extend([format!("--{name}"), value.to_owned()]);
        };
        let text = |path: &Path| path.display().to_string();
        let port = self.port.to_string();
        set("dir", &text(folder));
        set("save", "");
        set("appendonly", "no");
        set("daemonize", "no");
        set("bind", "127.0.0.1");
        if self.settings.unix_socket {
            set("port", "0");
            set("unixsocket", &text(&self.socket_path()));
        } else if let Some(certificates) = &self.certificates {
            set("port", "0");
            set("tls-port", &port);
            set("tls-cert-file", &text(&certificates.certificate));
            set("tls-key-file", &text(&certificates.key));
            set("tls-ca-cert-file", &text(&certificates.authority));
            set("tls-auth-clients", "no");
        } else {
            set("port", &port);
        }
        if let Some(password) = &self.settings.password {
            set("requirepass", password);
        }
        if let Some((name, password)) = &self.settings.user {
            let acl = folder.join("users.acl");
            let rules = format!("user default off\nuser {name} on >{password} ~* &* +@all\n");
            fs::write(&acl, rules).expect("the ACL file cannot be written");
            set("aclfile", &text(&acl));
        }
        line.extend(self.settings.arguments.iter().cloned());
        line
    }
}

/// The one plain server of this test process, for all tests that only need keys of their own: see [`fresh_prefix`].
pub fn shared() -> &'static RedisServer {
    static SHARED: OnceLock<RedisServer> = OnceLock::new();
    SHARED.get_or_init(RedisServer::start)
}

/// A key prefix that no other test uses.
pub fn fresh_prefix() -> String {
    format!("test{}", fresh_id())
}
