//! A heap as that of a program that has run for a while.

use std::hint::black_box;

/// More than any turn allocates.
const BLOCKS: usize = 8_192;
const BLOCK_BYTES: usize = 512;

/// Keeps what was freed below it from going back to the operating system.
#[must_use]
pub(crate) struct Pin {
    _block: Box<[u8; BLOCK_BYTES]>,
}

/// Makes this thread's heap have free memory that was in use before.
///
/// An allocator gives what is free at the end of its heap back to the operating system. In a
/// benchmark that frees all that it allocates, each turn would then pay for the first touch of its
/// memory, which takes longer than what is measured. In a program, something else lies behind.
pub(crate) fn in_use() -> Pin {
    let blocks: Vec<_> = (0..BLOCKS).map(|_| black_box(Box::new([1; BLOCK_BYTES]))).collect();
    let pin = Pin { _block: black_box(Box::new([1; BLOCK_BYTES])) };
    drop(blocks);
    pin
}
