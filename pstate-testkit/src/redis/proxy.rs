use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use parking_lot::{Condvar, Mutex};

/// A proxy in front of a server that can cut, refuse or hold back connections.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Notified when answers are no longer held.
    released: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Both ends of all open connections.
    connections: Vec<TcpStream>,
    /// The number of bytes that may still pass to the server before all connections are cut.
    requests_left: Option<usize>,
    /// The number of bytes that may still pass to the client before all connections are cut.
    answers_left: Option<usize>,
    /// The number of bytes that a connection may answer before it is held back.
    answers_beyond: Option<usize>,
    /// How many connections are held back for that.
    held: usize,
    refuses: bool,
    holds_answers: bool,
    is_dropped: bool,
}

#[derive(Clone, Copy)]
enum Direction {
    Requests,
    Answers,
}

impl Proxy {
    /// Starts a proxy in front of the server on this port.
    ///
    /// # Panics
    /// If there is no free port.
    pub fn start(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("the address of a listener").port();
        let proxy = Arc::<Shared>::default();
        let shared = Arc::clone(&proxy);
        thread::spawn(move || {
            for client in listener.incoming() {
                if shared.state.lock().is_dropped {
                    return;
                }
                if let Ok(client) = client {
                    // If the server is gone, the client's connection is closed, as without a proxy.
                    let _ = forward(client, server, &shared);
                }
            }
        });
        Self { port, shared: proxy }
    }

    /// The port that the proxy listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Cuts all connections. New ones are forwarded.
    pub fn cut(&self) {
        self.shared.state.lock().cut();
    }

    /// Cuts all connections once this many more bytes have passed to the server.
    pub fn cut_after_requests(&self, bytes: usize) {
        self.shared.state.lock().requests_left = Some(bytes);
    }

    /// Cuts all connections once this many more bytes have passed to the client.
    pub fn cut_after_answers(&self, bytes: usize) {
        self.shared.state.lock().answers_left = Some(bytes);
    }

    /// Holds back what the server sends, or releases it.
    pub fn hold_answers(&self, hold: bool) {
        self.shared.state.lock().holds_answers = hold;
        self.shared.released.notify_all();
    }

    /// Holds back each connection on which the server sends more than this many bytes from now on,
    /// or releases them. Other connections are forwarded.
    pub fn hold_answers_beyond(&self, bytes: Option<usize>) {
        self.shared.state.lock().answers_beyond = bytes;
        self.shared.released.notify_all();
    }

    /// Waits until as many connections are held back by
    /// [`hold_answers_beyond`](Self::hold_answers_beyond).
    pub fn wait_until_held(&self, connections: usize) {
        let mut state = self.shared.state.lock();
        while state.held < connections {
            self.shared.released.wait(&mut state);
        }
    }

    /// Refuses connections, or accepts them again. Refusing also cuts all open connections.
    pub fn refuse(&self, refuse: bool) {
        let mut state = self.shared.state.lock();
        state.refuses = refuse;
        if refuse {
            state.cut();
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.is_dropped = true;
        state.holds_answers = false;
        state.answers_beyond = None;
        state.cut();
        drop(state);
        self.shared.released.notify_all();
        // Wakes the listener, which then sees `is_dropped`.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

impl State {
    fn cut(&mut self) {
        for connection in self.connections.drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// Returns how many of these bytes may pass, and whether all connections are cut afterwards.
    fn pass(&mut self, direction: Direction, bytes: usize) -> (usize, bool) {
        let left = match direction {
            Direction::Requests => &mut self.requests_left,
            Direction::Answers => &mut self.answers_left,
        };
        match left {
            Some(rest) if bytes >= *rest => {
                let rest = *rest;
                *left = None;
                (rest, true)
            }
            Some(rest) => {
                *rest -= bytes;
                (bytes, false)
            }
            None => (bytes, false),
        }
    }
}

fn forward(client: TcpStream, server: u16, shared: &Arc<Shared>) -> io::Result<()> {
    if shared.state.lock().refuses {
        return client.shutdown(Shutdown::Both);
    }
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server))?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    shared.state.lock().connections.extend([client.try_clone()?, server.try_clone()?]);
    let requests = (client.try_clone()?, server.try_clone()?, Direction::Requests);
    let answers = (server, client, Direction::Answers);
    for (from, to, direction) in [requests, answers] {
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            let _ = pump(&from, &to, direction, &shared);
            let _ = from.shutdown(Shutdown::Both);
            let _ = to.shutdown(Shutdown::Both);
        });
    }
    Ok(())
}

fn pump(
    mut from: &TcpStream,
    mut to: &TcpStream,
    direction: Direction,
    shared: &Shared,
) -> io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    let mut answered = 0;
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        let (pass, cut) = {
            let mut state = shared.state.lock();
            while state.holds_answers && matches!(direction, Direction::Answers) {
                shared.released.wait(&mut state);
            }
            match state.answers_beyond {
                Some(_) if matches!(direction, Direction::Answers) => answered += read,
                _ => answered = 0,
            }
            if state.answers_beyond.is_some_and(|limit| answered > limit) {
                state.held += 1;
                shared.released.notify_all();
                while state.answers_beyond.is_some_and(|limit| answered > limit) {
                    shared.released.wait(&mut state);
                }
                state.held -= 1;
            }
            state.pass(direction, read)
        };
        to.write_all(&buffer[..pass])?;
        if cut {
            shared.state.lock().cut();
        }
    }
}
