//! A real MongoDB server of one test's own.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use mongodb::Client;
use mongodb::bson::{Document, doc};

use crate::server_process::{KILL, PortTaken, ServerProcess, ServerProgram, free_port, with_free_port};
use crate::shifted_clock::ShiftedClock;
use crate::temporary_folder::TemporaryFolder;

static PROGRAM: ServerProgram = ServerProgram {
    name: "secantusd-py",
    variable: "MONGODB_SERVER",
    ending: KILL,
    is_port_taken: |log| log.contains("ddress already in use"),
    is_hopeless: |log| log.contains("Traceback"),
};

/// A server that speaks MongoDB's protocol, on 127.0.0.1 with a data folder of its own, killed when this value is dropped.
///
/// It says that it is the primary of a replica set of one. It also dies when the test process does, however that
/// ends. What goes wrong panics.
#[derive(Debug)]
pub struct MongoDbServer {
    settings: MongoDbServerBuilder,
    port: u16,
    process: ServerProcess,
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
        let process = ServerProcess::new(&PROGRAM, TemporaryFolder::new("mongodb"));
        let mut server = MongoDbServer { settings: self, port: 0, process };
        with_free_port(|| {
            server.port = free_port();
            server.launch(false)
        });
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
        self.process.kill();
    }

    /// Kills the server if it runs, and starts it again on the same port, with its data.
    pub fn restart(&mut self) {
        let asks_for_users = !self.settings.users.is_empty();
        self.launch(asks_for_users).expect("the MongoDB server does not start again");
    }

    /// Stops the server's process in place (SIGSTOP): it accepts connections and answers nothing.
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

    fn launch(&mut self, asks_for_users: bool) -> Result<(), PortTaken> {
        let folder = self.process.folder();
        let mut command = PROGRAM.command();
        command.current_dir(folder).envs(ShiftedClock::ahead(folder, self.settings.clock_ahead));
        command.args(["--host", "127.0.0.1", "--port"]).arg(self.port.to_string());
        command.arg("--storage-path").arg(folder.join("data"));
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
        self.process.start(&command);
        self.process.wait_until(|_| TcpStream::connect(self.address()).is_ok())
    }
}
