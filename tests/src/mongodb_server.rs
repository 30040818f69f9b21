//! A real MongoDB server of one test's own.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use mongodb::Client;
use mongodb::bson::{Document, doc};

use crate::random_number;
use crate::shifted_clock::ShiftedClock;
use crate::temporary_folder::TemporaryFolder;

/// How long a server may take to start or to die before the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts the server in the background, says its process id, and waits for its own standard input: at a line it kills
/// the server, at the end of the input (also when the test process is killed) the server and its folder.
const KEEPER: &str = r#"
folder=$1; shift
trap '' INT TERM HUP
"$@" >"$folder/log" 2>&1 &
echo $!
if read -r _; then kill -9 $!; wait $!; else kill -9 $!; wait $!; rm -rf "$folder"; fi 2>/dev/null
"#;

/// A server that speaks MongoDB's protocol, on 127.0.0.1 with a data folder of its own, killed when this value is dropped.
///
/// It says that it is the primary of a replica set of one. It also dies when the test process does, however that
/// ends. What goes wrong panics.
#[derive(Debug)]
pub struct MongoDbServer {
    settings: MongoDbServerBuilder,
    folder: TemporaryFolder,
    port: u16,
    running: Option<Running>,
}

/// One run of the server, between a start and the next death.
#[derive(Debug)]
struct Running {
    keeper: Child,
    input: ChildStdin,
    process_id: u32,
}

/// What a [`MongoDbServer`] is started with.
#[derive(Clone, Debug, Default)]
pub struct MongoDbServerBuilder {
    users: Vec<(String, String, String)>,
    clock_ahead: Option<Duration>,
    standalone: bool,
    durable: bool,
}

impl MongoDbServerBuilder {
    /// Only users may do anything: this one, with this role in the database `limitra`.
    #[must_use]
    pub fn user(mut self, name: &str, password: &str, role: &str) -> Self {
        self.durable = true;
        self.users.push((name.to_owned(), password.to_owned(), role.to_owned()));
        self
    }

    /// The server's wall clock is ahead by this much.
    #[must_use]
    pub fn clock_ahead(mut self, ahead: Duration) -> Self {
        self.clock_ahead = Some(ahead);
        self
    }

    /// It says that it belongs to no replica set.
    #[must_use]
    pub fn standalone(mut self) -> Self {
        self.standalone = true;
        self
    }

    /// What it has answered for outlives its being killed, as with `j=true`; otherwise the last writes may be lost.
    #[must_use]
    pub fn durable(mut self) -> Self {
        self.durable = true;
        self
    }

    /// Starts the server and waits until it answers.
    pub fn start(self) -> MongoDbServer {
        let folder = TemporaryFolder::new("mongodb");
        let mut server = MongoDbServer { settings: self, folder, port: 0, running: None };
        // Another process may take the port in between.
        let is_up = (0..10).any(|_| {
            server.port = free_port();
            server.launch(false)
        });
        assert!(is_up, "no free port for the MongoDB server; its last words: {}", server.log());
        if !server.settings.users.is_empty() {
            server.create_users();
            server.restart();
        }
        server
    }
}

impl MongoDbServer {
    /// A plain server on a free port.
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// A server with settings.
    pub fn builder() -> MongoDbServerBuilder {
        MongoDbServerBuilder::default()
    }

    /// The URL for clients, without a user.
    pub fn url(&self) -> String {
        format!("mongodb://127.0.0.1:{}", self.port)
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// A client, of the runtime that it is asked for in.
    pub async fn client(&self) -> Client {
        Client::with_uri_str(format!("{}/?directConnection=true", self.url())).await.expect("a client")
    }

    /// What the server answers to a command for this database.
    pub async fn command(&self, database: &str, command: Document) -> Document {
        self.client()
            .await
            .database(database)
            .run_command(command)
            .await
            .expect("an answer of the MongoDB server")
    }

    /// How often each kind of command was called, ever: `update`, `delete`, `query` and so on.
    pub async fn counts(&self) -> Document {
        let status = self.command("admin", doc! { "serverStatus": 1 }).await;
        status.get_document("opcounters").expect("counters").clone()
    }

    /// How many updates the server was sent, ever.
    pub async fn updates(&self) -> i64 {
        let counts = self.counts().await;
        let count = counts.get("update").and_then(|count| count.as_i64().or(count.as_i32().map(i64::from)));
        count.expect("a counter")
    }

    /// Makes the next so many of these commands fail: `data` as MongoDB's `failCommand` has it.
    pub async fn fail(&self, times: i32, data: Document) {
        let command = doc! { "configureFailPoint": "failCommand", "mode": { "times": times }, "data": data };
        self.command("admin", command).await;
    }

    /// Kills the server at once (`kill -9`). Its port stays free for [`restart`](Self::restart).
    pub fn kill(&mut self) {
        let Some(Running { mut keeper, mut input, .. }) = self.running.take() else {
            return;
        };
        input.write_all(b"kill\n").expect("the keeper of the MongoDB server is gone");
        drop(input);
        keeper.wait().expect("the keeper of the MongoDB server is lost");
    }

    /// Kills the server if it runs, and starts it again on the same port, with its data.
    pub fn restart(&mut self) {
        self.kill();
        let asks_for_users = !self.settings.users.is_empty();
        assert!(self.launch(asks_for_users), "the MongoDB server does not start again: {}", self.log());
    }

    /// Stops the server's process in place (SIGSTOP): it accepts connections and answers nothing.
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
            .args(["-c", "kill -s \"$0\" \"$1\"", name])
            .arg(process_id.to_string())
            .status()
            .expect("sh cannot be run");
        assert!(status.success(), "SIG{name} cannot be sent to the MongoDB server");
    }

    /// What the server has logged since it was last started.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn create_users(&self) {
        let create = async {
            for (name, password, role) in &self.settings.users {
                let command = doc! { "createUser": name, "pwd": password, "roles": [{ "role": role, "db": "limitra" }] };
                self.command("admin", command).await;
            }
        };
        std::thread::scope(|scope| {
            let runtime = || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.expect("a runtime").block_on(create);
            };
            scope.spawn(runtime).join().expect("the users cannot be created");
        });
    }

    /// Whether the server came up; not, when its port was taken.
    fn launch(&mut self, asks_for_users: bool) -> bool {
        let program = std::env::var("MONGODB_SERVER").unwrap_or_else(|_| "secantusd-py".to_owned());
        let mut command = Command::new("sh");
        command.args(["-c", KEEPER, "keeper"]).arg(self.folder.path()).arg(program);
        command.args(["--host", "127.0.0.1", "--port"]).arg(self.port.to_string());
        command.arg("--storage-path").arg(self.folder.path().join("data"));
        command.args(["--log-level", "WARNING", "--enable-test-commands", "--cache-size", "64M"]);
        if asks_for_users {
            command.arg("--auth");
        }
        if self.settings.durable {
            command.arg("--sync-on-commit");
        }
        if self.settings.standalone {
            command.arg("--standalone");
        }
        let mut keeper = command
            .envs(self.environment())
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh cannot be run");
        let input = keeper.stdin.take().expect("a piped input");
        let output = keeper.stdout.take().expect("a piped output");
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).expect("the keeper of the MongoDB server says nothing");
        let process_id = line.trim().parse().expect("a process id");
        self.running = Some(Running { keeper, input, process_id });

        let deadline = Instant::now() + PATIENCE;
        loop {
            let log = self.log();
            if log.contains("ddress already in use") {
                self.kill();
                return false;
            }
            if TcpStream::connect(self.address()).is_ok() {
                return true;
            }
            let gone = log.contains("not found") || log.contains("Traceback");
            assert!(
                !gone && Instant::now() < deadline,
                "the MongoDB server does not start (./tests/run installs it, MONGODB_SERVER names another): {log}"
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
}

impl Drop for MongoDbServer {
    fn drop(&mut self) {
        if let Some(Running { mut keeper, input, .. }) = self.running.take() {
            drop(input);
            let _ = keeper.wait();
        }
    }
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
