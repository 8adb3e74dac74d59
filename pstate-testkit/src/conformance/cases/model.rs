//! Random sequences of all methods, compared with a reference model.

mod reference;
mod run;
mod sequences;
mod step;

pub(super) use sequences::cases;
