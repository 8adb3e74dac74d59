//! What observers are told, what is counted, and what is warned of.

mod events;
mod log;
mod observers;
mod recorder;
mod spans;
mod warnings;
