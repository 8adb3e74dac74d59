//! Real Redis servers, for tests of what happens when a server stops, hangs, loses its data or
//! moves (feature `redis-server`).
//!
//! The tests need `redis-server` 7 or newer on the machine: `apt-get install redis-server`.
//!
//! ```no_run
//! use pstate_testkit::redis::Server;
//!
//! let server = Server::start();
//! server.command(&["SET", "key", "value"]);
//! println!("redis://127.0.0.1:{}", server.port());
//! ```
//!
//! All functions block the calling thread, for milliseconds, and panic on failure, because they are
//! for tests only. A server ends when it is dropped, and also when the process that started it is
//! killed.

mod client;
mod cluster;
mod proxy;
mod reply;
mod server;
mod server_options;

pub use cluster::Cluster;
pub use proxy::Proxy;
pub use reply::Reply;
pub use server::Server;
pub use server_options::ServerOptions;
