//! A real PostgreSQL server of one test's own.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::certificates::Certificates;
use crate::random_number;
use crate::shifted_clock::ShiftedClock;
use crate::temporary_folder::TemporaryFolder;

/// How long a server may take to start before the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts the server in the background, says its process id, and waits for its own standard input: at a line it ends the
/// server as a crash would (an immediate shutdown), at the end of the input (also when the test process is killed) the server
/// and its folder. Processes that stand still go on first.
const KEEPER: &str = r#"
folder=$1; shift
trap '' INT TERM HUP
"$@" >"$folder/log" 2>&1 &
echo $!
end() { kill -CONT $! $(ps -o pid= --ppid $!); kill -QUIT $!; wait $!; }
if read -r _; then end; else end; rm -rf "$folder"; fi 2>/dev/null
"#;

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
pub struct PostgresServer {
    settings: PostgresServerBuilder,
    folder: TemporaryFolder,
    certificates: Option<Certificates>,
    port: u16,
    running: Option<Running>,
}

/// One run of the server, between a start and the next end.
struct Running {
    keeper: Child,
    input: ChildStdin,
    process_id: u32,
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
        let mut server = PostgresServer { settings: self, folder, certificates, port: 0, running: None };
        server.make_database();
        // Another process may take the port in between.
        for _ in 0..10 {
            server.port = free_port();
            if server.launch() {
                return server;
            }
        }
        panic!("no free port for postgres; its last words: {}", server.log());
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
        self.folder.path().to_owned()
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
            .arg(self.folder.path())
            .args(["-p", &self.port.to_string(), "-c", sql])
            .stdin(Stdio::null())
            .output()
            .expect("psql cannot be run: ./tests/run installs it, POSTGRES_BIN names its folder")
    }

    /// How many connections others than limitra's watcher have.
    pub fn connections(&self) -> usize {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
        self.sql(sql).parse().expect("a number of connections")
    }

    /// Ends the server at once, as a crash would: what was not written to its log is lost, clients see their connections
    /// cut. Its port stays free for [`restart`](Self::restart).
    pub fn crash(&mut self) {
        let Some(Running { mut keeper, mut input, .. }) = self.running.take() else {
            return;
        };
        input.write_all(b"end\n").expect("the keeper of postgres is gone");
        drop(input);
        keeper.wait().expect("the keeper of postgres is lost");
    }

    /// Crashes the server if it runs, and starts it again on the same port, with what it had written.
    pub fn restart(&mut self) {
        self.crash();
        assert!(self.launch(), "postgres does not start again: {}", self.log());
    }

    /// Stops all of the server's processes in place (SIGSTOP): it accepts connections and answers nothing.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// Lets a paused server go on.
    pub fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let process_id = self.running.as_ref().expect("the server is down").process_id;
        let status = Command::new("sh")
            .args(["-c", "kill -s \"$0\" \"$1\" $(ps -o pid= --ppid \"$1\")", name])
            .arg(process_id.to_string())
            .status()
            .expect("sh cannot be run");
        assert!(status.success(), "SIG{name} cannot be sent to postgres");
    }

    /// What the server has logged since it was last started.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn make_database(&self) {
        let folder = self.folder.path();
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

    /// Whether the server came up; not, when its port was taken.
    fn launch(&mut self) -> bool {
        let server = unprivileged(&program("postgres"));
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(self.folder.path())
            .arg(server.get_program())
            .args(server.get_args())
            .args(self.command_line())
            .envs(self.environment())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh cannot be run");
        let input = keeper.stdin.take().expect("a piped input");
        let output = keeper.stdout.take().expect("a piped output");
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).expect("the keeper of postgres says nothing");
        let process_id = line.trim().parse().expect("a process id");
        self.running = Some(Running { keeper, input, process_id });

        let deadline = Instant::now() + PATIENCE;
        loop {
            let log = self.log();
            if log.contains("ready to accept connections") && self.psql("SELECT 1").status.success() {
                return true;
            }
            if log.contains("could not create any TCP/IP sockets") || log.contains("Address already in use") {
                self.crash();
                return false;
            }
            // Later it refuses those who come before it is ready.
            let gone =
                !log.contains("starting PostgreSQL") && (log.contains("FATAL") || log.contains("not found"));
            assert!(
                !gone && Instant::now() < deadline,
                "postgres does not start (./tests/run installs it, POSTGRES_BIN names its folder): {log}"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn environment(&self) -> Vec<(&'static str, OsString)> {
        let Some(ahead) = self.settings.clock_ahead else {
            return Vec::new();
        };
        let seconds = i64::try_from(ahead.as_secs()).expect("a clock that is ahead by less than an eternity");
        ShiftedClock::in_folder(self.folder.path()).environment(seconds).into()
    }

    fn command_line(&self) -> Vec<String> {
        let folder = self.folder.path().display().to_string();
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

impl Drop for PostgresServer {
    fn drop(&mut self) {
        if let Some(Running { mut keeper, input, .. }) = self.running.take() {
            drop(input);
            let _ = keeper.wait();
        }
    }
}

impl fmt::Debug for PostgresServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresServer")
            .field("port", &self.port)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
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

/// A port below those that the system hands to outgoing connections, so that it is still free at a restart.
fn free_port() -> u16 {
    loop {
        let port = 10_000 + u16::try_from(random_number() % 22_000).expect("below 22,000");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
