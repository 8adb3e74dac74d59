//! What an adapter implements.

use std::time::Instant;

use super::request::WriteRequest;

/// The part of an adapter that a [`GroupWriter`](crate::GroupWriter) runs on its thread.
///
/// The thread owns it, so it holds what only one may use at a time: the connection that writes, the
/// end of a log.
///
/// ```
/// use std::fs::File;
/// use std::io::Write as _;
///
/// use pstate_core::{
///     Batch, Change, Error, ErrorKind, GroupCommit, GroupConfig, GroupWriter, Key, Outcome, Reply,
///     Result, Revision, Space, Write, WriteRequest,
/// };
///
/// /// A log to which batches are appended.
/// struct Log {
///     file: File,
/// }
///
/// enum Command {
///     Len(Reply<u64>),
/// }
///
/// impl Log {
///     fn append(&mut self, group: &[WriteRequest]) -> std::io::Result<()> {
///         for write in group.iter().flat_map(|request| &request.batch().writes) {
///             match &write.change {
///                 Change::Put(bytes) => writeln!(self.file, "{} {bytes:?}", write.key)?,
///                 Change::Delete => writeln!(self.file, "{}", write.key)?,
///             }
///         }
///         // Once for all of them: this is what a group is for.
///         self.file.sync_data()
///     }
/// }
///
/// impl GroupCommit for Log {
///     type Command = Command;
///
///     fn commit(&mut self, group: Vec<WriteRequest>) {
///         let appended = self.append(&group);
///         for request in group {
///             let outcome = |write: &Write| match &write.change {
///                 Change::Put(bytes) => Outcome::Stored(Revision::of_content(bytes)),
///                 Change::Delete => Outcome::Deleted,
///             };
///             let answer = match &appended {
///                 Ok(()) => Ok(request.batch().writes.iter().map(outcome).collect()),
///                 Err(error) => Err(Error::new(ErrorKind::Unavailable, error.to_string())),
///             };
///             request.answer(answer);
///         }
///     }
///
///     fn run(&mut self, command: Command) {
///         match command {
///             Command::Len(reply) => reply.send(
///                 self.file.metadata().map(|metadata| metadata.len()).map_err(|error| {
///                     Error::new(ErrorKind::Unavailable, "the log's length").caused_by(error)
///                 }),
///             ),
///         }
///     }
///
///     fn close(self) {}
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let file = tempfile();
/// let writer = GroupWriter::start("my-store", Log { file }, GroupConfig::default())?;
/// let batch = Batch::each(vec![Write::put(Key::new("card", "1")?, *b"{}")]);
/// let outcomes = writer.write(Space::default(), batch).await?;
/// assert!(outcomes[0].is_done());
/// assert!(writer.call(Command::Len).await? > 0);
/// writer.close().await;
/// # Ok(())
/// # }
/// # fn tempfile() -> File {
/// #     let path = std::env::temp_dir().join(format!("pstate-log-{}", std::process::id()));
/// #     let file = File::create(&path).unwrap();
/// #     std::fs::remove_file(&path).unwrap();
/// #     file
/// # }
/// ```
pub trait GroupCommit: Send + 'static {
    /// What the thread does besides writing, in order with the writes: a flush, a checkpoint. Each
    /// command carries a [`Reply`](crate::Reply). [`Infallible`](std::convert::Infallible) if there
    /// is none.
    type Command: Send + 'static;

    /// Commits the batches in their order, then [answers](WriteRequest::answer) each.
    ///
    /// The group is never empty and holds no request whose caller has gone away already. Answer
    /// none before it is as durable as the adapter declares. A request that is dropped without an
    /// answer fails as if the thread had terminated: its effect is unknown.
    fn commit(&mut self, group: Vec<WriteRequest>);

    /// Runs a command, after all writes that were queued before it.
    fn run(&mut self, command: Self::Command);

    /// Runs every [`maintenance_interval`](crate::GroupConfig::maintenance_interval), if one is
    /// set, and when [`maintenance_due`](Self::maintenance_due) says. Writes wait meanwhile. It
    /// does nothing by default.
    fn maintain(&mut self) {}

    /// When maintenance runs next, if that is before the interval ends: what it could not do, it
    /// may try again sooner. Asked after each group, command and maintenance. `None` by default.
    fn maintenance_due(&self) -> Option<Instant> {
        None
    }

    /// Releases everything. Runs last, when the queue is empty.
    fn close(self);
}
