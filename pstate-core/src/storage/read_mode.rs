//! Where an adapter reads.

/// Where an adapter reads whose store lies in files, and whose library blocks while it reads them.
///
/// Adapters offer it as a setting, and say what each mode costs there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReadMode {
    /// In the task that asks. Fastest while what is read lies in memory; what comes from a slow
    /// disk holds up the executor's thread for as long as that takes.
    #[default]
    InPlace,
    /// On a thread for blocking work. The executor never waits for the disk, and each call pays for
    /// the way to the thread and back, about 30 µs.
    Blocking,
}
