//! The order of turns.

/// The order in which `len` contenders take turns in a round. Each round starts with the next one,
/// so that no contender always finds what the same other one has left.
pub fn rotation(round: usize, len: usize) -> impl Iterator<Item = usize> {
    (0..len).map(move |turn| (round + turn) % len)
}
