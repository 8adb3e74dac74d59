//! The suite `hits`: reads of cached documents, beside a bare map and the cache crate used
//! directly.
//!
//! A binary of its own: a read takes so few nanoseconds that it depends on which functions the
//! compiler inlines, and that depends on the other code of the program.

mod cached;
mod contender;
mod figures;
mod mix;
mod order;
mod rounds;
mod run;

fn main() -> pstate_benches::Result<()> {
    run::run()
}
