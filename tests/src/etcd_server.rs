//! A real etcd of one test's own.

use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use crate::random_number;
use crate::temporary_folder::TemporaryFolder;

/// How long a server may take to start before the test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts the server in the background, says its process id, and waits for its own standard input: at a line it kills
/// the server, at the end of the input (also when the test process is killed) the server and its folder.
const KEEPER: &str = r#"
folder=$1; shift
trap '' INT TERM HUP
"$@" >"$folder/log" 2>&1 &
echo $!
if read -r _; then kill -9 $!; wait $!; else kill -9 $!; wait $!; rm -rf "$folder"; fi 2>/dev/null
"#;

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
pub struct EtcdServer {
    member: Member,
    /// What it is started with.
    cluster: String,
    arguments: Vec<String>,
    folder: TemporaryFolder,
    running: Option<Running>,
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

/// One run of the server, between a start and the next death.
struct Running {
    keeper: Child,
    input: ChildStdin,
    process_id: u32,
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
        let mut log = String::new();
        // Another process may take a port in between.
        for _ in 0..10 {
            let member = Member::new(0);
            let mut server = Self::of(member.of_cluster(), member, &arguments);
            if server.launch() && server.answers() {
                return server;
            }
            log = server.log();
        }
        panic!("no free port for etcd; its last words: {log}");
    }

    fn of(cluster: String, member: Member, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Self { member, cluster, arguments, folder: TemporaryFolder::in_memory("etcd"), running: None }
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
        let Some(Running { mut keeper, mut input, .. }) = self.running.take() else {
            return;
        };
        input.write_all(b"kill\n").expect("the keeper of etcd is gone");
        drop(input);
        keeper.wait().expect("the keeper of etcd is lost");
    }

    /// Kills the server if it runs, and starts it again on the same port with the same data.
    pub fn restart(&mut self) {
        self.kill();
        assert!(self.launch() && self.answers(), "etcd does not start again: {}", self.log());
    }

    /// The same, with its data lost.
    pub fn restart_empty(&mut self) {
        self.kill();
        fs::remove_dir_all(self.folder.path().join("data")).expect("the data of etcd cannot be removed");
        assert!(self.launch() && self.answers(), "etcd does not start again: {}", self.log());
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
        assert!(status.success(), "SIG{name} cannot be sent to etcd");
    }

    /// Runs `etcdctl` and returns what it prints, without the last line end.
    pub fn cli(&self, command: &[&str]) -> String {
        self.run(command).unwrap_or_else(|error| panic!("etcdctl {command:?}: {error}"))
    }

    fn run(&self, command: &[&str]) -> Result<String, String> {
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
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Starts the process; not, when a port was taken.
    fn launch(&mut self) -> bool {
        let _ = fs::remove_file(self.folder.path().join("log"));
        let (client, peers) = (self.endpoint(), format!("http://127.0.0.1:{}", self.member.peers_port));
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(self.folder.path())
            .arg(program("ETCD", "etcd"))
            .args(["--name", &self.member.name, "--initial-cluster", &self.cluster])
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers])
            .arg("--data-dir")
            .arg(self.folder.path().join("data"))
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh cannot be run");
        let input = keeper.stdin.take().expect("a piped input");
        let output = keeper.stdout.take().expect("a piped output");
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).expect("the keeper of etcd says nothing");
        let process_id = line.trim().parse().expect("a process id");
        self.running = Some(Running { keeper, input, process_id });
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(self.address()).is_err() {
            let log = self.log();
            if log.contains("address already in use") {
                self.kill();
                return false;
            }
            assert!(
                !log.contains("not found") && Instant::now() < deadline,
                "etcd does not start (./tests/run installs it, ETCD names another): {log}"
            );
            std::thread::sleep(Duration::from_millis(2));
        }
        true
    }

    /// Waits until its cluster has a leader; with users it is enough that it says who may not ask.
    fn answers(&self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            match self.run(&["get", "limitra-is-it-there"]) {
                Err(error) if !error.contains("user name is empty") => {}
                _ => return true,
            }
        }
        false
    }
}

impl EtcdCluster {
    /// Three members with a leader.
    pub fn start() -> Self {
        for _ in 0..10 {
            let members: Vec<Member> = (0..3).map(Member::new).collect();
            let cluster = members.iter().map(Member::of_cluster).collect::<Vec<_>>().join(",");
            let of = |member| EtcdServer::of(cluster.clone(), member, &[]);
            let mut members: Vec<EtcdServer> = members.into_iter().map(of).collect();
            if members.iter_mut().all(EtcdServer::launch) && members.iter().all(EtcdServer::answers) {
                return Self { members };
            }
        }
        panic!("no free ports for a cluster of etcd");
    }

    /// The URL for limitra, with all members.
    pub fn url(&self) -> String {
        let addresses: Vec<String> = self.members.iter().map(|member| member.address().to_string()).collect();
        format!("etcd://{}", addresses.join(","))
    }
}

impl Drop for EtcdServer {
    fn drop(&mut self) {
        if let Some(Running { mut keeper, input, .. }) = self.running.take() {
            drop(input);
            let _ = keeper.wait();
        }
    }
}

impl fmt::Debug for EtcdServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdServer").field("port", &self.member.port).finish_non_exhaustive()
    }
}

fn program(variable: &str, name: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| name.to_owned())
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
