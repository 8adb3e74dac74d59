//! What a fault is.

use crate::backend::Backend;
use crate::place::Place;
use crate::round::Round;

/// One thing that goes wrong under load.
pub(crate) trait Fault: Sync {
    fn name(&self) -> &'static str;

    fn backend(&self) -> Backend;

    /// Where the store is.
    fn place(&self) -> Result<Place, String> {
        Place::of(self.backend())
    }

    /// Does it, to a round whose workers run; says why if that is not possible here.
    fn inject(&self, round: &mut Round) -> Result<(), String>;
}
