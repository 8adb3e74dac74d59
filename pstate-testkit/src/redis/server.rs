//! One server.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::client::{Reply, ask};

/// How long a server may take to start, or to do what is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is asked meanwhile.
const INTERVAL: Duration = Duration::from_millis(5);
/// How often another port is tried: one that was free may be taken a moment later.
const ATTEMPTS: usize = 5;

/// How a server is started.
#[derive(Debug, Clone, Default)]
pub struct ServerOptions {
    arguments: Vec<String>,
    password: Option<String>,
    tls: bool,
}

impl ServerOptions {
    /// A server that saves nothing and whose user `default` needs no password.
    pub fn new() -> Self {
        Self::default()
    }

    /// A setting, as in `redis.conf`.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.arguments.push(format!("--{name}"));
        self.arguments.push(value.to_owned());
        self
    }

    /// Every write is on the disk before it is acknowledged.
    pub fn durable(self) -> Self {
        self.set("appendonly", "yes").set("appendfsync", "always")
    }

    /// A password for the user `default`, that replicas know, too.
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self.set("requirepass", password).set("masterauth", password)
    }

    /// Speaks TLS, with a certificate and its key in PEM files. No certificate of clients is asked for.
    pub fn tls(mut self, certificate: &Path, key: &Path) -> Self {
        self.tls = true;
        self.set("tls-cert-file", &certificate.display().to_string())
            .set("tls-key-file", &key.display().to_string())
            .set("tls-ca-cert-file", &certificate.display().to_string())
            .set("tls-auth-clients", "no")
    }
}

/// A running `redis-server` on a port of the loopback interface, in a directory of its own.
#[derive(Debug)]
pub struct Server {
    options: ServerOptions,
    directory: TempDir,
    port: u16,
    running: Option<Running>,
}

/// A shell that ends the server when its input ends: when it is dropped, or when this process dies.
#[derive(Debug)]
struct Running {
    shell: Child,
    pid: String,
}

const SHELL: &str = r#""$@" > log 2>&1 & echo $!; cat > /dev/null; kill -9 $! 2> /dev/null"#;

impl Server {
    /// Starts a server with default options.
    ///
    /// # Panics
    /// If there is no `redis-server`, or it does not start.
    pub fn start() -> Self {
        Self::start_with(&ServerOptions::new())
    }

    /// Starts a server, and waits until it answers.
    ///
    /// # Panics
    /// If there is no `redis-server`, or it does not start.
    pub fn start_with(options: &ServerOptions) -> Self {
        let found = Command::new("redis-server").arg("--version").output();
        assert!(
            found.is_ok(),
            "these tests need a Redis server on the machine; type: apt-get install redis-server"
        );
        for _ in 0..ATTEMPTS {
            let directory = tempfile::tempdir().expect("a directory for the server");
            let options = options.clone();
            let mut server = Self { options, directory, port: free_port(), running: None };
            if server.try_resume() {
                return server;
            }
        }
        panic!("redis-server does not start with {options:?}");
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The directory with all that it stores.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Sends one command as the user `default`, past TLS and any proxy.
    ///
    /// # Panics
    /// If the server cannot be reached, or refuses.
    pub fn command(&self, command: &[&str]) -> Reply {
        match self.try_command(command) {
            Ok(Reply::Error(error)) => panic!("{command:?}: {error}"),
            Ok(reply) => reply,
            Err(error) => panic!("{command:?}: {error}"),
        }
    }

    /// Sends one command as the user `default`, past TLS and any proxy.
    ///
    /// # Errors
    /// If the server cannot be reached.
    pub fn try_command(&self, command: &[&str]) -> io::Result<Reply> {
        ask(&self.socket(), self.options.password.as_deref(), command)
    }

    /// Ends the server as a crash would: `kill -9`.
    ///
    /// # Panics
    /// If there is no process to be killed.
    pub fn kill(&mut self) {
        self.signal("-KILL");
        self.end();
    }

    /// Starts it again, on the same port and with what is in its directory.
    ///
    /// # Panics
    /// If it does not start.
    pub fn restart(&mut self) {
        self.end();
        for _ in 0..ATTEMPTS {
            if self.try_resume() {
                return;
            }
        }
        panic!("the server does not start again: {}", self.log());
    }

    /// Starts it again on the same port with nothing in its directory.
    ///
    /// # Panics
    /// If it does not start.
    pub fn restart_empty(&mut self) {
        self.end();
        self.directory = tempfile::tempdir().expect("a directory for the server");
        self.restart();
    }

    /// Stops the process, as a machine that hangs: `SIGSTOP`.
    ///
    /// # Panics
    /// If there is no process.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets a stopped process go on: `SIGCONT`.
    ///
    /// # Panics
    /// If there is no process.
    pub fn go_on(&self) {
        self.signal("-CONT");
    }

    /// Asks until the answer is as it should be.
    ///
    /// # Panics
    /// If that takes more than half a minute.
    pub fn wait_for(&self, command: &[&str], expected: impl Fn(&Reply) -> bool) {
        let begin = Instant::now();
        loop {
            let reply = self.try_command(command);
            if reply.as_ref().is_ok_and(&expected) {
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "{command:?} still gives {reply:?}");
            thread::sleep(INTERVAL);
        }
    }

    fn signal(&self, signal: &str) {
        let running = self.running.as_ref().expect("a running server");
        let done = Command::new("kill").args([signal, &running.pid]).status();
        assert!(done.is_ok_and(|status| status.success()), "kill {signal} {}", running.pid);
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Whether it runs; otherwise its port was taken.
    fn try_resume(&mut self) -> bool {
        let _ = std::fs::remove_file(self.socket());
        let port = self.port.to_string();
        let (plain, tls) = if self.options.tls { ("0", &*port) } else { (&*port, "0") };
        let mut arguments: Vec<OsString> = vec!["redis-server".into()];
        arguments.extend(["--bind", "127.0.0.1", "--port", plain].map(OsString::from));
        arguments.extend(["--tls-port", tls, "--save", ""].map(OsString::from));
        arguments.extend(["--unixsocket".into(), self.socket().into_os_string()]);
        arguments.extend(self.options.arguments.iter().map(OsString::from));
        let mut shell = Command::new("sh")
            .args(["-c", SHELL, "sh"])
            .args(arguments)
            .current_dir(self.directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut pid = String::new();
        let output = shell.stdout.take().expect("the output of the shell");
        BufReader::new(output).read_line(&mut pid).expect("the process id of the server");
        let pid = pid.trim().to_owned();
        self.running = Some(Running { shell, pid });
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            match self.try_command(&["PING"]) {
                Ok(Reply::Error(error)) if error.starts_with("LOADING") => {}
                // Whoever needs a password is ready to ask for it.
                Ok(_) => return true,
                Err(_) if self.has_ended() => break,
                Err(_) => {}
            }
            thread::sleep(INTERVAL);
        }
        self.end();
        false
    }

    fn has_ended(&self) -> bool {
        let Some(running) = &self.running else { return true };
        let there = Command::new("kill").args(["-0", &running.pid]).stderr(Stdio::null()).status();
        !there.is_ok_and(|status| status.success())
    }

    fn end(&mut self) {
        if let Some(Running { mut shell, .. }) = self.running.take() {
            drop(shell.stdin.take());
            let _ = shell.wait();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("the address of a listener").port()
}
