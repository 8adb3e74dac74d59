//! A sweep of a large store: beside its users, alone, and killed half-way.

mod child;
mod figures;
mod run;
mod settings;
mod stored;
mod users;

pub(crate) use run::{Arguments, run};
