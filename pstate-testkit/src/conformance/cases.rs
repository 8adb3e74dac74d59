//! The cases of the suite, one file for each area.

mod all;
mod batch;
mod bytes;
mod cancel;
mod change_feed;
mod closing;
mod concurrent;
mod durability;
mod errors;
mod expect;
mod extensions;
mod keys;
mod lifecycle;
mod maintenance;
mod many;
mod matrix;
mod model;
mod multi_get;
mod names;
mod race;
mod scan;
mod spaces;
mod through;
mod unpolled;
mod values;
mod write;

pub(super) use all::all;
