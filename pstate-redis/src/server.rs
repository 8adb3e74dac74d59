//! Servers: connections, which server of a Cluster has which slot, and what is sent to them.

mod answer;
mod client;
mod cluster;
mod members;
mod node;
mod pending;
mod script;
mod servers;
mod topology;
mod tracking;
mod unit;

pub(crate) use answer::{bytes, integer, items, milliseconds, only, texts};
pub(crate) use client::client;
pub(crate) use script::{Form, Script, call_all, call_one};
pub(crate) use servers::Servers;
pub(crate) use tracking::Tracking;
pub(crate) use unit::{Answers, Lane, Unit};
