//! The table of all targets.

use crate::targets::{document, key, migration, preload, resolve, space, url};

/// A fuzz target.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, that of its directory in `corpus`.
    pub name: &'static str,
    /// Runs it on an input; panics where a promise is broken.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: [Target; 7] = [
    Target { name: "document", run: document::run },
    Target { name: "key", run: key::run },
    Target { name: "migration", run: migration::run },
    Target { name: "preload", run: preload::run },
    Target { name: "resolve", run: resolve::run },
    Target { name: "space", run: space::run },
    Target { name: "url", run: url::run },
];
