//! A real PostgreSQL server of one test's own.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::certificates::Certificates;
use crate::server_process::{PortTaken, ServerProcess, ServerProgram, free_port, with_free_port};
use crate::shifted_clock::ShiftedClock;
use crate::temporary_folder::TemporaryFolder;

static PROGRAM: ServerProgram = ServerProgram {
    name: "postgres",
    variable: "POSTGRES_BIN",
    // As a crash would (an immediate shutdown). Processes that stand still go on first.
    ending: "kill -CONT $! $(ps -o pid= --ppid $!); kill -QUIT $!",
    is_port_taken: |log| {
        log.contains("could not create any TCP/IP sockets") || log.contains("Address already in use")
    },
    // Later it refuses those who come before it is ready.
    is_hopeless: |log| log.contains("FATAL") && !log.contains("starting PostgreSQL"),
};

/// A `postgres` process on 127.0.0.1 and a unix socket, with a data folder and one superuser `postgres` of its own, ended
/// when this value is dropped.
///
/// It also ends when the test process does, however that ends. Run by root it runs as the user `postgres`, since it
/// refuses root. The methods block for the moments that a local server takes; what goes wrong panics. `POSTGRES_BIN` names the
/// folder of its programs.
///
/// ```
/// use limitra_tests::PostgresServer;
///
/// let server = PostgresServer::start();
/// assert_eq!(server.sql("SELECT 6 * 7"), "42");
/// assert!(server.url().starts_with("postgres://postgres@127.0.0.1:"));
/// ```
#[derive(Debug)]
pub struct PostgresServer {
    settings: PostgresServerBuilder,
    certificates: Option<Certificates>,
    port: u16,
    process: ServerProcess,
}

/// What a [`PostgresServer`] is started with.
#[derive(Clone, Debug, Default)]
pub struct PostgresServerBuilder {
    password: Option<String>,
    tls: bool,
    clock_ahead: Option<Duration>,
    arguments: Vec<String>,
}

impl PostgresServerBuilder {
    /// Everybody who comes by TCP needs a password; the user `postgres` has this one.
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// TLS is spoken, and nothing else by TCP, with a certificate for `localhost` and 127.0.0.1 by a certification
    /// authority made for this server.
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// The server's wall clock is ahead by this much.
    pub fn clock_ahead(mut self, ahead: Duration) -> Self {
        self.clock_ahead = Some(ahead);
        self
    }

    /// One more setting: `.setting("max_connections", "10")`.
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.arguments.extend(["-c".to_owned(), format!("{name}={value}")]);
        self
    }

    /// Makes a database and starts the server, and waits until it answers.
    pub fn start(self) -> PostgresServer {
        let folder = TemporaryFolder::new("postgres");
        let certificates = self.tls.then(|| Certificates::in_folder(folder.path()));
        let process = ServerProcess::new(&PROGRAM, folder);
        let mut server = PostgresServer { settings: self, certificates, port: 0, process };
        server.make_database();
        with_free_port(|| {
            server.port = free_port();
            server.launch()
        });
        server
    }
}

impl PostgresServer {
    /// A plain server on a free port.
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// A server with settings.
    pub fn builder() -> PostgresServerBuilder {
        PostgresServerBuilder::default()
    }

    /// The URL for clients, the password included. With TLS it names `localhost`.
    pub fn url(&self) -> String {
        let password = self.settings.password.as_ref().map(|password| format!(":{password}"));
        let host = if self.settings.tls { "localhost" } else { "127.0.0.1" };
        format!("postgres://postgres{}@{host}:{}/postgres", password.unwrap_or_default(), self.port)
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// The folder with the server's unix socket; nobody needs a password there.
    pub fn socket_folder(&self) -> PathBuf {
        self.process.folder().to_owned()
    }

    /// The certificate (PEM) of the authority that signed the server's, for servers with TLS.
    pub fn certificate_authority(&self) -> PathBuf {
        self.certificates.as_ref().expect("the server was started without TLS").authority.clone()
    }

    /// Runs SQL and returns what there is to see: fields with `|` between, a line for each row.
    pub fn sql(&self, sql: &str) -> String {
        let output = self.psql(sql);
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    fn psql(&self, sql: &str) -> Output {
        Command::new(program("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", "postgres", "-h"])
            .arg(self.process.folder())
            .args(["-p", &self.port.to_string(), "-c", sql])
            .stdin(Stdio::null())
            .output()
            .expect("psql cannot be run: ./tests/run installs it, POSTGRES_BIN names its folder")
    }

    /// How many connections others than psql have, of which an earlier one may not have ended yet.
    pub fn connections(&self) -> usize {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name <> 'psql'";
        self.sql(sql).parse().expect("a number of connections")
    }

    /// Ends the server at once, as a crash would: what was not written to its log is lost, clients see their connections
    /// cut. Its port stays free for [`restart`](Self::restart).
    pub fn crash(&mut self) {
        self.process.kill();
    }

    /// Crashes the server if it runs, and starts it again on the same port, with what it had written.
    pub fn restart(&mut self) {
        self.launch().expect("postgres does not start again");
    }

    /// Stops all of the server's processes in place (SIGSTOP): it accepts connections and answers nothing.
    pub fn pause(&self) {
        self.process.pause();
    }

    /// Lets a paused server go on.
    pub fn resume(&self) {
        self.process.resume();
    }

    /// What the server has logged since it was last started.
    pub fn log(&self) -> String {
        self.process.log()
    }

    fn data(&self) -> PathBuf {
        self.process.folder().join("data")
    }

    fn make_database(&self) {
        let folder = self.process.folder();
        let password = folder.join("password");
        let text = self.settings.password.as_deref().unwrap_or("postgres");
        fs::write(&password, text).expect("a file cannot be written");
        let mut initdb = unprivileged(&program("initdb"));
        initdb.args(["--no-sync", "--no-locale", "-E", "UTF8", "-U", "postgres", "--auth-local=trust"]);
        initdb.arg(if self.settings.password.is_some() {
            "--auth-host=scram-sha-256"
        } else {
            "--auth-host=trust"
        });
        initdb.arg("--pwfile").arg(&password).arg("-D").arg(self.data());
        if is_root() {
            let owned = Command::new("chown").arg("-R").arg("postgres:").arg(folder).status();
            assert!(owned.is_ok_and(|status| status.success()), "there is no user postgres for the server");
        }
        let output = initdb
            .output()
            .expect("initdb cannot be run: ./tests/run installs it, POSTGRES_BIN names its folder");
        assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
        if self.settings.tls {
            let access = self.data().join("pg_hba.conf");
            let only_tls = fs::read_to_string(&access).expect("pg_hba.conf").replace("\nhost ", "\nhostssl ");
            fs::write(&access, only_tls).expect("pg_hba.conf");
        }
    }

    fn launch(&mut self) -> Result<(), PortTaken> {
        let mut command = unprivileged(&program("postgres"));
        command.args(self.command_line());
        command.envs(ShiftedClock::ahead(self.process.folder(), self.settings.clock_ahead));
        self.process.start(&command);
        self.process.wait_until(|log| {
            log.contains("ready to accept connections") && self.psql("SELECT 1").status.success()
        })
    }

    fn command_line(&self) -> Vec<String> {
        let folder = self.process.folder().display().to_string();
        let mut line = vec!["-D".to_owned(), self.data().display().to_string()];
        let mut set = |name: &str, value: &str| line.extend(["-c".to_owned(), format!("{name}={value}")]);
        set("port", &self.port.to_string());
        set("listen_addresses", "127.0.0.1");
        set("unix_socket_directories", &folder);
        // A crash of the server is no crash of the machine.
        set("fsync", "off");
        set("max_connections", "200");
        if let Some(certificates) = &self.certificates {
            set("ssl", "on");
            set("ssl_cert_file", &certificates.certificate.display().to_string());
            set("ssl_key_file", &certificates.key.display().to_string());
        }
        line.extend(self.settings.arguments.iter().cloned());
        line
    }
}

/// A program of PostgreSQL: where `POSTGRES_BIN` says, where Debian has it, or on the path.
fn program(name: &str) -> PathBuf {
    let debian = Path::new("/usr/lib/postgresql/15/bin");
    match std::env::var_os("POSTGRES_BIN") {
        Some(folder) => Path::new(&folder).join(name),
        None if debian.join(name).exists() => debian.join(name),
        None => PathBuf::from(name),
    }
}

/// A command that root does not run.
fn unprivileged(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "postgres", "--regid", "postgres", "--init-groups", "--"]).arg(program);
    command
}

fn is_root() -> bool {
    let who = Command::new("id").arg("-u").output().expect("id cannot be run");
    who.stdout.trim_ascii() == b"0"
}
