//! Each check of our own sources, on small trees that break one rule each.

mod block;
mod crates;
mod fixture;
mod rings;
mod rooms;
mod roots;
mod texts;
