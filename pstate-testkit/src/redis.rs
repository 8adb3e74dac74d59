//! Real Redis servers, for tests of what happens when they stop, hang, forget or move (feature
//! `redis-server`).
//!
//! It takes a `redis-server` of version 7 on the machine: `apt-get install redis-server`.
//!
//! ```no_run
//! use pstate_testkit::redis::Server;
//!
//! let server = Server::start();
//! server.command(&["SET", "key", "value"]);
//! println!("redis://127.0.0.1:{}", server.port());
//! ```
//!
//! Everything here blocks the calling thread, for milliseconds, and panics when it fails: it is for
//! tests only. A server ends when it is dropped, and also when the process that started it is killed.

mod client;
mod cluster;
mod proxy;
mod server;

pub use client::Reply;
pub use cluster::Cluster;
pub use proxy::Proxy;
pub use server::{Server, ServerOptions};
