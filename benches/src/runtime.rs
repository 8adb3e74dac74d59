//! The threads that benchmarks run on.

use std::hint::black_box;

use tokio::runtime::{Builder, Runtime};

use crate::Result;

/// How far each thread's heap grows before anything is measured: beyond what is ever in use.
const HEAP_BLOCKS: usize = 64 * 1024;
const BLOCK_BYTES: usize = 512;

/// A runtime with two workers.
///
/// # Errors
/// If no threads can be started.
pub fn runtime() -> Result<Runtime> {
    Ok(two_workers().build()?)
}

/// A runtime with two workers whose heaps have grown, so that no measurement includes the first
/// touch of memory.
///
/// An allocator returns free memory at the end of its heap to the operating system. A benchmark
/// frees all that it allocates, so each run would touch its memory for the first time, which takes
/// longer than the work itself. In a program that has run for a while something else lies behind,
/// and the memory stays.
///
/// # Errors
/// If no threads can be started.
pub fn grown_runtime() -> Result<Runtime> {
    Ok(two_workers().on_thread_start(grow_heap).build()?)
}

fn two_workers() -> Builder {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_all();
    builder
}

fn grow_heap() {
    let blocks: Vec<_> =
        (0..HEAP_BLOCKS).map(|_| black_box(Box::new([1_u8; BLOCK_BYTES]))).collect();
    // This one lies behind them and stays.
    Box::leak(black_box(Box::new([1_u8; BLOCK_BYTES])));
    drop(blocks);
}
