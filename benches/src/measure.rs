//! Taking samples, and what they say together.

mod measured;
mod quantile;
mod rotation;
mod timing;

pub use measured::Measured;
pub use quantile::{median, quantile, quantiles};
pub use rotation::rotation;
pub use timing::{nanos_since, timed};
