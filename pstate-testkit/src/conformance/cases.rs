//! The cases of the suite, one file for each area.

mod all;
mod bytes;
mod cancel;
mod change_feed;
mod concurrent;
mod durability;
mod errors;
mod expect;
mod extensions;
mod keys;
mod lifecycle;
mod maintenance;
mod model;
mod multi_get;
mod scan;
mod spaces;
mod unpolled;
mod write;

pub(super) use all::all;
