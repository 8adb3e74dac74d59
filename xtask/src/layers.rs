//! No import points upwards, and no files import each other in a ring.
//!
//! One [`Table`] lists the crates, and for a crate its rooms (the modules at its root), from what
//! depends on nothing to what depends on all. The check reads each file below `src` with `syn`,
//! collects the paths that it names, in `use` items, in code, and in the arguments of macros, and
//! resolves each to the file that defines what it names, through re-exports. Code that only tests
//! compile may import anything.
//!
//! It reads paths and infers no types. A method called on a value counts where the file names the
//! value's type, not at the call. Of `self` and `Self` the type is known: there a call counts, if
//! an
//! `impl` block in another file defines the method.

mod block;
mod crates;
mod dependency;
mod listing;
mod methods;
mod package;
mod path;
mod read;
mod resolve;
mod rings;
mod rooms;
mod roots;
mod rules;
mod syntax;
mod table;
mod test_only;
mod tokens;
mod tree;

pub use block::{check_block, with_block};
pub use package::{Dependency, Package, Target};
pub use read::{Layers, read};
pub use rules::{Crate, Room, Table};
pub use table::WORKSPACE;
