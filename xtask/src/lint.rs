//! Layers, texts, formatting, lints and documentation of the whole workspace.

use crate::cargo::{Failed, cargo, cargo_captured};
use crate::features::ADDITIVE;
use crate::own_sources;

pub(crate) fn check() -> Result<(), Failed> {
    own_sources::check()?;
    cargo(["fmt", "--all", "--check"])?;
    let everything = ["--locked", "--workspace", "--features", ADDITIVE];
    let clippy = ["clippy", "--all-targets"].iter().chain(&everything).copied();
    cargo(clippy.chain(["--", "-D", "warnings"]))?;
    let doc: Vec<&str> = ["doc", "--no-deps"].iter().chain(&everything).copied().collect();
    let (passed, _) = cargo_captured(&[("RUSTDOCFLAGS", "-D warnings".to_owned())], &doc)?;
    if passed { Ok(()) } else { Err(Failed("the documentation has warnings".to_owned())) }
}
