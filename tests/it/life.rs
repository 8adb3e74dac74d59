//! The life of a handle: the runtime that it belongs to, and its end.

mod closing;
mod home;
mod options;
