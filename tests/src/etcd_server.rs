//! A real etcd of one test's own.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};

use crate::server_process::{
    KILL, PortTaken, ServerProcess, ServerProgram, free_port, program, with_free_port,
};
use crate::temporary_folder::TemporaryFolder;

static PROGRAM: ServerProgram = ServerProgram {
    name: "etcd",
    variable: "ETCD",
    ending: KILL,
    is_port_taken: |log| log.contains("address already in use"),
    is_hopeless: |_| false,
};

/// An `etcd` process on 127.0.0.1, killed when this value is dropped.
///
/// It also dies when the test process does, however that ends. The methods block for as long as a local server takes; what
/// goes wrong panics. Its data stands in memory where the system has a folder there: etcd syncs at each write.
///
/// ```
/// use limitra_tests::EtcdServer;
///
/// let server = EtcdServer::start();
/// server.cli(&["put", "key", "value"]);
/// assert_eq!(server.cli(&["get", "key", "--print-value-only"]), "value");
/// assert!(server.url().starts_with("etcd://127.0.0.1:"));
/// ```
#[derive(Debug)]
pub struct EtcdServer {
    member: Member,
    /// What it is started with.
    cluster: String,
    arguments: Vec<String>,
    process: ServerProcess,
}

/// Three `etcd` processes that are one cluster.
#[derive(Debug)]
pub struct EtcdCluster {
    /// Its members.
    pub members: Vec<EtcdServer>,
}

/// Where a member of a cluster listens.
#[derive(Clone, Debug)]
struct Member {
    name: String,
    port: u16,
    peers_port: u16,
}

impl Member {
    fn new(place: usize) -> Self {
        Self { name: format!("member{place}"), port: free_port(), peers_port: free_port() }
    }

    fn of_cluster(&self) -> String {
        format!("{}=http://127.0.0.1:{}", self.name, self.peers_port)
    }
}

impl EtcdServer {
    /// A server on a free port, alone.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with more arguments.
    pub fn start_with(arguments: &[&str]) -> Self {
        // Alone it need not wait for others before it leads.
        let alone = ["--heartbeat-interval", "10", "--election-timeout", "100"];
        let arguments = [&alone, arguments].concat();
        with_free_port(|| {
            let member = Member::new(0);
            let mut server = Self::of(member.of_cluster(), member, &arguments);
            server.serve()?;
            Ok(server)
        })
    }

    fn of(cluster: String, member: Member, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let process = ServerProcess::new(&PROGRAM, TemporaryFolder::in_memory("etcd"));
        Self { member, cluster, arguments, process }
    }

    /// The URL for limitra.
    pub fn url(&self) -> String {
        format!("etcd://{}", self.address())
    }

    /// The URL for clients of etcd.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.member.port))
    }

    /// Kills the server at once (`kill -9`); its data stays.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Kills the server if it runs, and starts it again on the same port with the same data.
    pub fn restart(&mut self) {
        self.serve().expect("etcd does not start again");
    }

    /// The same, with its data lost.
    pub fn restart_empty(&mut self) {
        self.kill();
        fs::remove_dir_all(self.process.folder().join("data")).expect("the data of etcd cannot be removed");
        self.restart();
    }

    /// Stops the server's process in place (SIGSTOP): it accepts connections and answers nothing.
    pub fn pause(&self) {
        self.process.pause();
    }

    /// Lets a paused server go on.
    pub fn resume(&self) {
        self.process.resume();
    }

    /// Runs `etcdctl` and returns what it prints, without the last line end.
    pub fn cli(&self, command: &[&str]) -> String {
        self.try_cli(command).unwrap_or_else(|error| panic!("etcdctl {command:?}: {error}"))
    }

    /// The same, with what it says if it fails.
    ///
    /// # Errors
    /// The words of `etcdctl`.
    pub fn try_cli(&self, command: &[&str]) -> Result<String, String> {
        let output = Command::new(program("ETCDCTL", "etcdctl"))
            .env("ETCDCTL_API", "3")
            .args(["--command-timeout=20s", "--endpoints", &self.endpoint()])
            .args(command)
            .stdin(Stdio::null())
            .output()
            .expect("etcdctl cannot be run: ./tests/run installs it, ETCDCTL names another");
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
    }

    /// The ids of all leases, in hexadecimal digits.
    pub fn leases(&self) -> Vec<String> {
        self.cli(&["lease", "list"]).lines().skip(1).map(str::to_owned).collect()
    }

    /// The keys that begin with this, and whose value is limitra's or anybody's.
    pub fn keys(&self, beginning: &str) -> Vec<String> {
        let listed = self.cli(&["get", beginning, "--prefix", "--keys-only"]);
        listed.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    /// What the server has logged since it was last started.
    pub fn log(&self) -> String {
        self.process.log()
    }

    fn serve(&mut self) -> Result<(), PortTaken> {
        self.launch()?;
        self.wait_for_leader()
    }

    fn launch(&mut self) -> Result<(), PortTaken> {
        let (client, peers) = (self.endpoint(), format!("http://127.0.0.1:{}", self.member.peers_port));
        let mut command = PROGRAM.command();
        command
            .args(["--name", &self.member.name, "--initial-cluster", &self.cluster])
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers])
            .arg("--data-dir")
            .arg(self.process.folder().join("data"))
            .args(&self.arguments);
        self.process.start(&command);
        self.process.wait_until(|_| TcpStream::connect(self.address()).is_ok())
    }

    /// With users it is enough that it says who may not ask.
    fn wait_for_leader(&self) -> Result<(), PortTaken> {
        self.process.wait_until(|_| match self.try_cli(&["get", "limitra-is-it-there"]) {
            Ok(_) => true,
            Err(error) => error.contains("user name is empty"),
        })
    }
}

impl EtcdCluster {
    /// Three members with a leader.
    pub fn start() -> Self {
        with_free_port(|| {
            let members: Vec<Member> = (0..3).map(Member::new).collect();
            let cluster = members.iter().map(Member::of_cluster).collect::<Vec<_>>().join(",");
            let of = |member| EtcdServer::of(cluster.clone(), member, &[]);
            let mut members: Vec<EtcdServer> = members.into_iter().map(of).collect();
            members.iter_mut().try_for_each(EtcdServer::launch)?;
            members.iter().try_for_each(EtcdServer::wait_for_leader)?;
            Ok(Self { members })
        })
    }

    /// The URL for limitra, with all members.
    pub fn url(&self) -> String {
        let addresses: Vec<String> = self.members.iter().map(|member| member.address().to_string()).collect();
        format!("etcd://{}", addresses.join(","))
    }
}
