use std::ffi::OsString;
use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::client::send_command;
use super::reply::Reply;
use super::server_options::ServerOptions;

/// The longest wait for a server to start, or to reach an expected state.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The time between two polls while waiting.
const INTERVAL: Duration = Duration::from_millis(5);
/// The number of attempts to start: another process may take a free port first.
const ATTEMPTS: usize = 5;

/// A `redis-server` on a port of the loopback interface, with a directory of its own.
#[derive(Debug)]
pub struct Server {
    options: ServerOptions,
    directory: TempDir,
    port: u16,
    running: Option<Running>,
}

/// A shell that kills the server when its standard input ends: on drop, or when this process dies.
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
    /// If `redis-server` is not installed, or does not start.
    pub fn start() -> Self {
        Self::start_with(&ServerOptions::new())
    }

    /// Starts a server, and waits until it responds.
    ///
    /// # Panics
    /// If `redis-server` is not installed, or does not start.
    pub fn start_with(options: &ServerOptions) -> Self {
        let found = Command::new("redis-server").arg("--version").output();
        assert!(found.is_ok(), "these tests need a Redis server: apt-get install redis-server");
        for _ in 0..ATTEMPTS {
            let directory = tempfile::tempdir().expect("a directory for the server");
            let options = options.clone();
            let mut server = Self { options, directory, port: free_port(), running: None };
            if server.try_start() {
                return server;
            }
        }
        panic!("redis-server does not start with {options:?}");
    }

    /// The port that the server listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The directory of the server's data.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Sends one command as the user `default`, bypassing TLS and any proxy.
    ///
    /// # Panics
    /// If the server is unreachable, or replies with an error.
    pub fn command(&self, command: &[&str]) -> Reply {
        match self.try_command(command) {
            Ok(Reply::Error(error)) => panic!("{command:?}: {error}"),
            Ok(reply) => reply,
            Err(error) => panic!("{command:?}: {error}"),
        }
    }

    /// Sends one command as the user `default`, bypassing TLS and any proxy.
    ///
    /// # Errors
    /// If the server is unreachable.
    pub fn try_command(&self, command: &[&str]) -> io::Result<Reply> {
        send_command(&self.socket(), self.options.password.as_deref(), command)
    }

    /// Kills the process, like a crash: `SIGKILL`.
    ///
    /// # Panics
    /// If there is no process.
    pub fn kill(&mut self) {
        self.signal("-KILL");
        self.end();
    }

    /// Restarts the server on the same port with the same directory.
    ///
    /// # Panics
    /// If the server does not start.
    pub fn restart(&mut self) {
        self.end();
        for _ in 0..ATTEMPTS {
            if self.try_start() {
                return;
            }
        }
        panic!("the server does not start again: {}", self.log());
    }

    /// Restarts the server on the same port with an empty directory.
    ///
    /// # Panics
    /// If the server does not start.
    pub fn restart_empty(&mut self) {
        self.end();
        self.directory = tempfile::tempdir().expect("a directory for the server");
        self.restart();
    }

    /// Pauses the process, like a machine that hangs: `SIGSTOP`.
    ///
    /// # Panics
    /// If there is no process.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Resumes a paused process: `SIGCONT`.
    ///
    /// # Panics
    /// If there is no process.
    pub fn go_on(&self) {
        self.signal("-CONT");
    }

    /// Repeats a command until the reply is as expected.
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
            assert!(begin.elapsed() < TIMEOUT, "{command:?} still gives {reply:?}");
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

    /// Starts the process; `false` if it ends at once, because its port is taken.
    fn try_start(&mut self) -> bool {
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
        while begin.elapsed() < TIMEOUT {
            match self.try_command(&["PING"]) {
                Ok(Reply::Error(error)) if error.starts_with("LOADING") => {}
                // A server that demands a password is ready, too.
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
