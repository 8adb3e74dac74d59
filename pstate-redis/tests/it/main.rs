//! What the adapter promises, against real servers.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test, and says where")]
