//! The threads that benchmarks run on.

use std::hint::black_box;

use tokio::runtime::{Builder, Runtime};

use crate::Result;

/// What a thread's heap has been grown to before anything is measured: more than is ever in use.
const HEAP_BLOCKS: usize = 64 * 1024;
const BLOCK_BYTES: usize = 512;

/// A runtime with two workers, on which the first touch of memory is not measured.
///
/// An allocator gives what is free at the end of its heap back to the operating system. In a
/// benchmark that frees all that it allocates, each turn would then pay for touching its memory for
/// the first time, which takes longer than what is measured. In a program that has run for a while
/// something else lies behind, and the memory stays.
///
/// # Errors
/// If no threads can be started.
pub fn runtime() -> Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    Ok(builder.worker_threads(2).enable_all().on_thread_start(grow_heap).build()?)
}

fn grow_heap() {
    let blocks: Vec<_> =
        (0..HEAP_BLOCKS).map(|_| black_box(Box::new([1_u8; BLOCK_BYTES]))).collect();
    // Lies behind them, and stays.
    Box::leak(black_box(Box::new([1_u8; BLOCK_BYTES])));
    drop(blocks);
}
