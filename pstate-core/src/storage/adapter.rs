//! Storage: the trait that every backend implements, and its contract.

use std::fmt;

use async_trait::async_trait;

use super::capabilities::Capabilities;
use super::extensions::Extensions;
use super::page::{Page, Scan};
use crate::model::{Batch, Key, Outcome, Record, Result, Space};

/// A storage backend.
///
/// An adapter is an ordered map from (space, key) to bytes, with compare-and-swap. It knows nothing
/// of JSON, schemas or caches. The interface is for implementors; programs use
/// [`PState`](crate::PState).
///
/// Each clause below names the cases of the conformance suite, in the crate `pstate-testkit`, that
/// hold an adapter to it. What stands under *Cost* is measured by benchmarks instead.
///
/// [`Durability::None`]: crate::Durability::None
/// [`Error`]: crate::Error
///
/// # Contract
///
/// - *Model*: An adapter is an ordered map from (space, key) to bytes, with compare-and-swap. Case:
///   `model::sequences`.
/// - *Bytes*: What is read is what was written, byte for byte. Cases: `bytes::every_byte`,
///   `bytes::empty`, `bytes::numbers`, `bytes::lengths`, `bytes::huge`, `bytes::values_of_*`,
///   `bytes::odd_values_*`.
/// - *Opacity*: Values need not be JSON, nor text. Case: `bytes::no_json`.
/// - *Keys*: Keys are distinguished by their bytes: no case folding, no Unicode normalisation, no
///   trimming, no wildcards, no cutting. Every valid key, of up to 577 bytes, can be stored. Cases:
///   `keys::letter_case`, `keys::normal_forms`, `keys::blanks`, `keys::wildcards`,
///   `keys::odd_characters`, `keys::longest`, `keys::beginnings`, `names::last_byte_of_a_key`,
///   `keys::odd_keys_*`.
/// - *Spaces*: Nothing done in one space is seen in another. Cases: `spaces::apart`,
///   `spaces::names_that_run_together`, `names::last_byte_of_a_space`,
///   `names::spaces_beside_separators`.
/// - *Visibility*: Once a write has returned, every later call sees it, through any handle to the
///   same store. Cases: `write::visible`, `lifecycle::second_handle`, `visible::*`,
///   `race::a_handle_opened_during_writes`, `race::first_records_of_many_spaces_by_*`,
///   `race::openings_of_a_new_store_by_*`, `scan::between_pages`.
/// - *Linearizability*: Calls that overlap take effect one at a time: a single key is linearizable.
///   Cases: `concurrent::linearizable`, `concurrent::lost_updates`, `concurrent::one_winner`,
///   `concurrent::two_handles`, `race::creations_by_*`, `race::swaps_by_*`,
///   `race::deletes_of_a_revision_by_*`, `concurrent::long_values`.
/// - *Progress*: Calls that overlap do not wait for each other for ever, nor for one whose future
///   is kept and no longer polled. No future holds a connection, a permit or a lock while it waits,
///   nor a place in a queue for one, which a semaphore gives to futures that are not polled. Cases:
///   `concurrent::progress`, `unpolled::multi_get`, `unpolled::write`, `unpolled::scan`,
///   `unpolled::spaces`, `unpolled::flush`, `unpolled::count_versions`, `unpolled::subscribe`,
///   `unpolled::changes`, `unpolled::close`.
/// - *Absence*: A missing record is `None`, never an error. Case: `multi_get::absent`.
/// - *Failure*: A failure is an [`Error`], never `None`. It is
///   [`retryable`](crate::Error::retryable) only if the call changed nothing. Cases:
///   `lifecycle::failure_is_not_absence`, `concurrent::linearizable`.
/// - *Secrets*: Errors carry the key where one is to blame, and never contain values or
///   credentials. Case: `errors::hold_no_values`.
/// - *Corruption* is local: a record that cannot be read spoils neither others in a scan nor
///   a later call. Case: `errors::damage_is_local`.
/// - *Cancel safety*: A dropped call does not affect others. What it leaves of its own effect, each
///   method says. Case: `cancel::write_beside_others`.
/// - *Reopening*: A store that is opened again holds what was acknowledged, unless it declares
///   [`Durability::None`]. Cases: `lifecycle::reopened`, `durable::*_when_reopened`.
/// - *Kill*: The end of the process, also by a kill, takes nothing that was acknowledged and leaves
///   no half of a batch, unless it declares [`Durability::None`]. Cases: `durability::kill`,
///   `durable::*_when_killed`, `batch::*_when_killed*`,
///   `race::the_survivor_of_a_kill`.
///
/// # Wrappers
///
/// Layers forward every method. There are no default methods, so one that forgets a method does not
/// compile.
///
/// # Cost
///
/// Methods run on any task, at any concurrency, and do not block an executor's thread for longer
/// than a few hundred microseconds at a time.
#[async_trait]
pub trait Adapter: fmt::Debug + Send + Sync + 'static {
    /// A short, constant name, `"sqlite"`, used as a label in telemetry. Case:
    /// `lifecycle::constant`.
    fn name(&self) -> &'static str;

    /// What this adapter can do, constant for its lifetime. Case: `lifecycle::constant`.
    fn capabilities(&self) -> Capabilities;

    /// What this adapter offers beyond the contract, constant for its lifetime:
    /// [`Extensions::none`] is enough. Layers forward it.
    ///
    /// [`CountVersions`]: crate::CountVersions
    /// [`ChangeFeed`]: crate::ChangeFeed
    /// [`Maintenance`]: crate::Maintenance
    ///
    /// # Contract
    /// - [`CountVersions`]: What is counted is what a scan of the whole space gives. Cases:
    ///   `extensions::count_versions`, `counted::*`.
    /// - [`CountVersions`]: A document counts at the version that a read takes it for, or as
    ///   unreadable. Case: `extensions::count_unreadable`.
    /// - [`ChangeFeed`]: The next call of every subscription reports what was written, and what it
    ///   reports can be read. Cases: `extensions::change_feed`, `reported::*`.
    /// - [`ChangeFeed`]: It also reports what other handles to the same store have written. Cases:
    ///   `extensions::change_feed_beside`, `reported::*_changes_by_another_*`.
    /// - [`ChangeFeed`]: A call for the changes that is dropped loses nothing. Case:
    ///   `extensions::change_feed_cancelled`.
    /// - [`Maintenance`]: Maintenance changes no record, and finds nothing wrong with a sound
    ///   store. Case: `maintenance::records`.
    /// - [`Maintenance`]: A backup appears at its path, and overwrites nothing. Case:
    ///   `maintenance::backup`.
    /// - [`Maintenance`]: A closed store refuses maintenance. Case: `maintenance::closed`.
    fn extensions(&self) -> Extensions<'_>;

    /// Reads records by key.
    ///
    /// [`Atomicity::Batch`]: crate::Atomicity::Batch
    ///
    /// # Contract
    /// - *Positions*: The result has the length and the order of `keys`. Cases:
    ///   `multi_get::positional`, `multi_get::positions_*`.
    /// - *Repetition*: A key may be asked for twice. Cases: `multi_get::repeated`,
    ///   `multi_get::*_keys_with_some_twice`.
    /// - *Nothing*: No keys give no records. Case: `multi_get::none`.
    /// - *Number*: As many keys as [`max_batch`](Capabilities::max_batch) says are accepted,
    ///   without it any number. Case: `multi_get::many`.
    /// - *Snapshot*: With [`Atomicity::Batch`] the records are one snapshot: of an atomic batch
    ///   either all is seen or nothing. Cases: `concurrent::whole_batches`,
    ///   `concurrent::whole_batches_of_*`, `concurrent::linearizable`.
    ///
    /// # Errors
    /// Only for the call as a whole ([`Timeout`](crate::ErrorKind::Timeout),
    /// [`Unavailable`](crate::ErrorKind::Unavailable), ...), never as `None`. A read changes
    /// nothing, so what may pass is always retryable. Case: `lifecycle::failure_is_not_absence`.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect. Case: `cancel::reads`.
    ///
    /// # Cost
    /// One round trip.
    async fn multi_get(&self, space: &Space, keys: &[Key]) -> Result<Vec<Option<Record>>>;

    /// Changes records.
    ///
    /// [`Atomicity::Key`]: crate::Atomicity::Key
    ///
    /// # Contract
    /// - *Outcomes*: One outcome for each write, in their order. Case: `write::outcomes`.
    /// - *[`Atomic`](crate::BatchMode::Atomic)*: if all expectations hold, all is done, and is seen
    ///   by others at once; otherwise nothing is: the writes whose expectation failed are
    ///   [`Conflict`](Outcome::Conflict), the others [`Aborted`](Outcome::Aborted). Cases:
    ///   `write::atomic`, `write::atomic_conflict`, `concurrent::whole_batches`,
    ///   `batch::atomic_of_*`,
    ///   `race::atomic_batches_by_*`, `race::transfers_by_*`.
    /// - *[`Each`](crate::BatchMode::Each)*: every write succeeds, conflicts or fails for itself.
    ///   Cases: `write::each`, `batch::each_of_*`.
    /// - *[`Expect::Absent`](crate::Expect::Absent)*: Nothing is stored. Case: `expect::absent`.
    /// - *[`Expect::Revision`](crate::Expect::Revision)*: Exactly the record that had this revision
    ///   is stored. Cases: `expect::revision`, `expect::stale_revision`, `expect::deleted`,
    ///   `concurrent::lost_updates`.
    /// - *Conflicts*: If an expectation does not hold, nothing was changed. Case:
    ///   `expect::conflict_changes_nothing`.
    /// - *Deletes*: Deleting what is absent succeeds under [`Expect::Any`](crate::Expect::Any) and
    ///   [`Expect::Absent`](crate::Expect::Absent). Case: `write::delete_absent`.
    /// - *Revisions*: The revision of the outcome is the one that a later read returns. Case:
    ///   `expect::revision_is_read_back`.
    /// - *Change*: A revision changes whenever the stored bytes change. Cases:
    ///   `expect::revision_changes`, `revisions::each_byte_of_*`.
    /// - *Reuse*: No revision stands for two different values of one key, not even after the record
    ///   was deleted in between. Cases: `expect::revision_is_not_reused`,
    ///   `revisions::thousands_of_changes`.
    /// - *Other keys*: No revision stands for different values under two keys, nor in two spaces,
    ///   so that one of another record never matches. Cases:
    ///   `revisions::of_every_key_and_space_*`.
    /// - *Revisions that last*: A revision keeps its meaning when the store is opened again. Case:
    ///   `lifecycle::revisions_after_reopening`.
    /// - *Nothing*: An empty batch does nothing. Case: `write::empty`.
    /// - *Number*: As many writes as [`max_batch`](Capabilities::max_batch) says are accepted,
    ///   without it any number. Case: `write::many`.
    ///
    /// # Errors
    /// - [`InvalidInput`](crate::ErrorKind::InvalidInput) for a key that is there twice (nothing is
    ///   written). Cases: `write::distinct_keys`, `batch::*_with_a_key_twice`.
    /// - A value longer than [`max_value_len`](Capabilities::max_value_len) is
    ///   [`InvalidInput`](crate::ErrorKind::InvalidInput) for an atomic batch as a whole, of which
    ///   nothing is done, and [`Failed`](Outcome::Failed) with that kind for one of several writes
    ///   that stand for themselves. Cases: `write::too_long`, `batch::*_with_a_value_too_long`.
    /// - More keys or writes than [`max_batch`](Capabilities::max_batch) are
    ///   [`Unsupported`](crate::ErrorKind::Unsupported), and nothing is done. Case:
    ///   `write::beyond_max_batch`.
    /// - An atomic batch of more than one write is [`Unsupported`](crate::ErrorKind::Unsupported)
    ///   with [`Atomicity::Key`], and nothing is done. Case: `write::beyond_atomicity`.
    /// - After a non-retryable error of the kinds [`Timeout`](crate::ErrorKind::Timeout),
    ///   [`Unavailable`](crate::ErrorKind::Unavailable) and [`Other`](crate::ErrorKind::Other) the
    ///   effect is unknown: it may have happened, or still happen, for each atomic unit as a whole.
    ///   Case: `concurrent::linearizable`.
    ///
    /// # Cancel safety
    /// Dropping the future leaves each atomic unit either wholly done or not done at all, now or
    /// a little later. Cases: `cancel::write`, `cancel::atomic_of_*`.
    ///
    /// # Cost
    /// One round trip.
    async fn write(&self, space: &Space, batch: &Batch) -> Result<Vec<Outcome>>;

    /// Reads one page of the records whose key starts with a prefix.
    ///
    /// # Contract
    /// - *Order*: Ascending byte order of the key. Case: `scan::order`.
    /// - *Prefix*: Only records whose key starts with `prefix`, compared by bytes. Cases:
    ///   `scan::prefix`, `names::every_prefix`.
    /// - *After*: Only keys greater than `after`, which need not be there. Cases: `scan::after`,
    ///   `names::every_position`.
    /// - *Pages* joined by [`Page::next`] hold every matching record that was there throughout
    ///   exactly once. Records that come or go meanwhile may be seen or not. Cases: `scan::pages`,
    ///   `scan::under_writes`, `scan::*_records`, `scan::pages_*`.
    /// - *End*: A page may be shorter than its limit; only `next: None` means the end. Case:
    ///   `scan::last_page`.
    /// - *Limit*: A page holds at most `limit` records. Case: `scan::limit`.
    /// - *Records*: The records of a page are what [`multi_get`](Self::multi_get) gives. Case:
    ///   `scan::records`.
    /// - *Damage*: What cannot be read is reported in [`Page::unreadable`] and skipped. Case:
    ///   `errors::damage_is_local`.
    ///
    /// # Errors
    /// Only for the call as a whole. A read changes nothing, so what may pass is always retryable.
    /// Case: `lifecycle::failure_is_not_absence`.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect. Case: `cancel::reads`.
    ///
    /// # Cost
    /// One round trip; proportional to the page, not to the space.
    async fn scan(&self, space: &Space, scan: &Scan) -> Result<Page>;

    /// Names the spaces that are in use.
    ///
    /// # Contract
    /// All spaces that hold at least one record, in ascending order. Cases: `spaces::listed`,
    /// `listed::*`, `spaces::*_in_use`.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect. Case: `cancel::reads`.
    ///
    /// # Cost
    /// At most one look-up for each space.
    async fn spaces(&self) -> Result<Vec<Space>>;

    /// Waits until what was written is safe.
    ///
    /// [`Durability`]: crate::Durability
    ///
    /// # Contract
    /// Returns when everything that was acknowledged before has reached the declared
    /// [`Durability`]'s medium. Case: `lifecycle::flush`.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect on what is stored. Case: `cancel::flush`.
    async fn flush(&self) -> Result<()>;

    /// Ends the use of the store.
    ///
    /// # Contract
    /// - *Release*: Flushes and releases what the adapter holds. Cases:
    ///   `lifecycle::close_under_load`, `closed::another_*`, `closed::opened_and_closed_again`.
    /// - *Afterwards*: Later calls, except `close`, fail with
    ///   [`Unavailable`](crate::ErrorKind::Unavailable). Cases: `lifecycle::closed`, `closed::*`.
    /// - *Again*: Closing a second time, or twice at once, is no error: closing again succeeds.
    ///   Case: `lifecycle::close_again`.
    ///
    /// # Cancel safety
    /// Dropping the future may leave the adapter closed or open, never anything in between. Case:
    /// `cancel::close`.
    async fn close(&self) -> Result<()>;
}
