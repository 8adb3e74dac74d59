//! Faults crossed with the dimensions in which they occur: what an adapter does wrong, and when.

use pstate_core::{Batch, BatchMode, Change, Expect, Space, Write};

/// What an adapter does wrong.
#[derive(Clone, Copy)]
pub(crate) enum Deed {
    /// Nothing: the layer itself has to be right.
    Nothing,
    /// Acknowledges a write without doing it.
    Loses,
    /// Loses the last write of a batch.
    LosesTheLast,
    /// Acknowledges a write, and does it before it reads or closes: others do not see it.
    Delays,
    /// The same, and forgets it when it closes.
    DelaysForEver,
    IgnoresExpectations,
    /// Compares, and writes a moment later, under a lock of its own handle.
    ComparesFirst(SharedBy),
    /// Does what stands before a conflict.
    Tears,
    /// Does a batch in pieces of so many.
    Splits(usize),
    ReversesOutcomes,
    /// Keeps the first write of a key that is there twice.
    AcceptsKeysTwice,
    /// Refuses a batch of independent writes because of one.
    RefusesAll,
    /// Keeps so many bytes of a value.
    Cuts(usize),
    /// Derives the revision from this many bytes of the value, and its length.
    DigestsTheFirst(usize),
    /// Keeps so many bits of a digest.
    DigestBits(u32),
    /// Puts the last part of a read of more than so many keys first.
    Misplaces(usize),
    /// Reads a key only once if there are more than so many.
    ReadsOnce(usize),
    /// Reads so many keys, and takes the rest for absent.
    ReadsOnly(usize),
    CachesRecords(SharedBy),
    CachesAbsence,
    CachesScans,
    /// Takes a page of so many records for the last.
    EndsPages(usize),
    /// Begins the page after one of so many records one too late.
    SkipsAfterPages(usize),
    /// Takes what is below the prefix with its last character raised.
    RaisesTheLastCharacter,
    /// Finds nothing after a key outside of the prefix.
    ExpectsTheKeyInThePrefix,
    /// Lists so many spaces.
    Lists(usize),
    /// Lists the spaces that were there when it was opened, and those it wrote to.
    ListsFromMemory(SharedBy),
    /// Lists a space for ever once it was written to by such a batch.
    KeepsListing,
    /// Does not list a space whose first record came with such a batch.
    ForgetsToList,
    CutsSpaces(usize),
    CutsIds(usize),
    CountsTypes(usize),
    CountsIn16Bits,
    /// Counts once, and adds what it writes, except such batches.
    CountsFromMemory,
    /// Counts nothing in a store that was there when it was opened.
    CountsFromOpening,
    /// Does not report such batches.
    Hides,
    /// Reports so many changes at once, the last ones.
    Reports(usize),
    /// Does not report what other processes write.
    ReportsOwnProcess,
    /// Reports nothing once a handle was closed.
    EndsWithAHandle,
    /// Does this although it is closed.
    WorksAfterClose(Call),
    /// Closes the other handles, too.
    ClosesAll,
}

/// Who shares a cache, a list or a lock.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum SharedBy {
    Handle,
    Process,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    EmptyBatch,
    ReadOfNothing,
    Flush,
    CountVersions,
    Subscribe,
}

/// A batch, where and by whom it is written.
pub(crate) struct Occasion<'a> {
    pub(crate) space: &'a Space,
    pub(crate) batch: &'a Batch,
    /// Whether the store was there when it was opened.
    pub(crate) is_reopened: bool,
    /// Whether the suite started this process as its second one.
    pub(crate) is_second_process: bool,
}

impl Occasion<'_> {
    fn len(&self) -> usize {
        self.batch.writes.len()
    }

    fn is_each(&self) -> bool {
        self.batch.mode == BatchMode::Each
    }

    fn any(&self, is: impl Fn(&Write) -> bool) -> bool {
        self.batch.writes.iter().any(is)
    }
}

fn is_delete(write: &Write) -> bool {
    write.change == Change::Delete
}

fn put_len(write: &Write) -> Option<usize> {
    match &write.change {
        Change::Put(bytes) => Some(bytes.len()),
        Change::Delete => None,
    }
}

pub(crate) type When = fn(&Occasion<'_>) -> bool;

/// An adapter that is wrong in one way, in one dimension.
#[derive(Clone, Copy)]
pub(crate) struct Crossed {
    pub(crate) name: &'static str,
    pub(crate) deed: Deed,
    pub(crate) when: When,
    /// The case that must find it.
    pub(crate) case: &'static str,
    /// As in the table of the README.
    pub(crate) what: &'static str,
}

impl Crossed {
    /// Whether it declares a longest value.
    pub(crate) fn limits_values(&self) -> bool {
        matches!(self.deed, Deed::RefusesAll)
    }
}

/// The layer without a fault.
pub(crate) const RIGHT: Crossed =
    Crossed { name: "layer", deed: Deed::Nothing, when: ALWAYS, case: "", what: "" };

const ALWAYS: When = |_| true;

macro_rules! crossed {
    ($($name:ident $deed:expr, $when:expr => $case:literal $what:literal,)*) => {
        pub(crate) const ALL: &[Crossed] = &[$(
            Crossed {
                name: stringify!($name),
                deed: $deed,
                when: $when,
                case: $case,
                what: $what,
            },
        )*];
    };
}

crossed! {
    TearsOver100 Deed::Tears, |on| on.len() > 100 => "batch::atomic_of_101_writes_with_a_conflict_at_the_last" "writes an atomic batch of more than 100 up to the conflict",
    TearsOver1000 Deed::Tears, |on| on.len() > 1_000 => "batch::atomic_of_1001_writes_with_a_conflict_in_the_middle" "writes an atomic batch of more than 1,000 up to the conflict",
    TearsOver32766 Deed::Tears, |on| on.len() > 32_766 => "batch::atomic_of_32767_writes_with_a_conflict_at_the_last" "writes an atomic batch of more than 32,766 up to the conflict",
    TearsCreations Deed::Tears, |on| !on.any(|write| write.expect != Expect::Absent) => "visible::atomic_batch_of_creations_with_a_conflict_by_the_same_handle" "writes a batch of creations up to the conflict",
    TearsInNamedSpaces Deed::Tears, |on| !on.space.is_default() => "visible::atomic_batch_with_a_conflict_by_the_same_handle" "writes up to the conflict in any space but the default one",
    TearsInTheSecondProcess Deed::Tears, |on| on.is_second_process => "visible::atomic_batch_with_a_conflict_from_another_process" "writes up to the conflict in the process that opened the store second",
    SplitsOver500 Deed::Splits(250), |on| on.len() > 500 => "batch::atomic_of_501_is_whole_when_killed_during_the_write" "commits every 250 writes of an atomic batch of more than 500",
    SplitsWhenDropped Deed::Splits(100), |on| on.len() > 1_000 => "cancel::atomic_of_1001_puts" "stops after some hundred writes of an atomic batch when its future is dropped",
    IgnoresInEachBatches Deed::IgnoresExpectations, |on| on.is_each() && on.len() > 1 => "visible::each_batch_with_a_conflict_by_the_same_handle" "ignores the expectations of independent writes in a batch",
    IgnoresOfDeletes Deed::IgnoresExpectations, |on| on.any(is_delete) => "visible::delete_of_another_revision_by_the_same_handle" "ignores the expectations of deletes",
    IgnoresInNamedSpaces Deed::IgnoresExpectations, |on| !on.space.is_default() => "visible::swap_of_another_revision_by_the_same_handle" "ignores expectations in any space but the default one",
    IgnoresOver500 Deed::IgnoresExpectations, |on| on.len() > 500 => "batch::each_of_501_writes_with_many_conflicts" "ignores the expectations of a batch of more than 500",
    IgnoresInCreations Deed::IgnoresExpectations, |on| on.len() > 1 && on.any(|write| write.expect == Expect::Absent) => "visible::atomic_batch_of_creations_with_a_conflict_by_the_same_handle" "replaces what is there in an atomic batch of creations",
    IgnoresWhenReopened Deed::IgnoresExpectations, |on| on.is_reopened => "revisions::of_every_key_and_space_across_reopening" "ignores expectations in a store that was opened again",
    IgnoresInTheSecondProcess Deed::IgnoresExpectations, |on| on.is_second_process => "visible::swap_of_another_revision_from_another_process" "ignores expectations in the process that opened the store second",
    ComparesUnderItsOwnLock Deed::ComparesFirst(SharedBy::Handle), ALWAYS => "race::creations_by_two_handles" "creates under a lock of its own handle",
    ComparesUnderTheSharedByItsProcess Deed::ComparesFirst(SharedBy::Process), ALWAYS => "race::creations_by_two_processes" "creates under a lock of its own process",
    SwapsUnderTheSharedByItsProcess Deed::ComparesFirst(SharedBy::Process), |on| on.any(|write| matches!(write.expect, Expect::Revision(_))) => "race::swaps_by_two_processes" "swaps under a lock of its own process",
    DeletesUnderTheSharedByItsProcess Deed::ComparesFirst(SharedBy::Process), |on| on.any(is_delete) => "race::deletes_of_a_revision_by_two_processes" "deletes a revision under a lock of its own process",
    TransfersUnderItsOwnLock Deed::ComparesFirst(SharedBy::Handle), |on| on.len() > 1 => "race::transfers_by_two_handles" "compares the revisions of a batch under a lock of its own handle",
    ReversesOver100 Deed::ReversesOutcomes, |on| on.len() > 100 => "batch::each_of_101_mixed_writes" "returns the outcomes of more than 100 writes backwards",
    KeysTwiceOver500 Deed::AcceptsKeysTwice, |on| on.len() > 500 => "batch::each_of_501_writes_with_a_key_twice" "accepts a key that is there twice in a batch of more than 500",
    KeysTwiceOver32766 Deed::AcceptsKeysTwice, |on| on.len() > 32_766 => "batch::atomic_of_32767_writes_with_a_key_twice" "accepts a key that is there twice in an atomic batch of more than 32,766",
    RefusesAllForOne Deed::RefusesAll, |on| on.is_each() && on.len() > 100 => "batch::each_of_101_writes_with_a_value_too_long" "refuses more than 100 independent writes because of a value that is too long",
    LosesDeletesInBatches Deed::Loses, |on| on.is_each() && !on.any(|write| !is_delete(write)) => "visible::each_batch_of_deletes_by_the_same_handle" "does not do a batch that consists of deletes",
    LosesEmptyValues Deed::Loses, |on| on.any(|write| put_len(write) == Some(0)) => "visible::put_of_nothing_by_the_same_handle" "does not store an empty value over another one",
    LosesTheLastOf65537 Deed::LosesTheLast, |on| on.len() > 65_536 => "batch::each_of_65537_mixed_writes" "does the first 65,536 writes of a batch",
    DelaysDeletes Deed::Delays, |on| on.any(is_delete) => "durable::delete_when_killed" "acknowledges a delete before it is in the log",
    DelaysEachBatches Deed::Delays, |on| on.is_each() && on.len() > 1 => "durable::each_batch_of_deletes_when_killed" "acknowledges independent writes before they are in the log",
    DelaysLongValues Deed::Delays, |on| on.any(|write| put_len(write) > Some(65_536)) => "durable::put_of_a_long_value_when_killed" "acknowledges a value of more than 64 KiB before it is in the log",
    DelaysNamedSpaces Deed::Delays, |on| !on.space.is_default() => "visible::put_over_nothing_by_an_earlier_handle" "shows other handles a write in a space only when it is closed",
    DelaysForOtherProcesses Deed::Delays, |on| on.any(is_delete) => "visible::delete_by_another_process" "shows another process a delete only when it is closed",
    ForgetsDeletesOnClose Deed::DelaysForEver, |on| on.any(is_delete) => "durable::delete_when_reopened" "loses the last deletes when it is closed",
    ForgetsEachBatchesOnClose Deed::DelaysForEver, |on| on.is_each() && on.len() > 1 => "durable::each_batch_of_deletes_when_reopened" "loses the last independent writes when it is closed",
    MisplacesOver500 Deed::Misplaces(500), ALWAYS => "multi_get::positions_of_501_keys" "reads more than 500 keys in two parts, the second first",
    MisplacesOver32766 Deed::Misplaces(32_766), ALWAYS => "multi_get::positions_of_32767_keys" "reads more than 32,766 keys in two parts, the second first",
    ReadsOnceOver1000 Deed::ReadsOnce(1_000), ALWAYS => "multi_get::1001_keys_with_some_twice" "reads a key once in a read of more than 1,000",
    ReadsOnly65536 Deed::ReadsOnly(65_536), ALWAYS => "multi_get::positions_of_65537_keys" "reads the first 65,536 keys",
    CachesInItsHandle Deed::CachesRecords(SharedBy::Handle), ALWAYS => "visible::put_over_another_value_by_an_earlier_handle" "caches records in each handle",
    CachesInItsProcess Deed::CachesRecords(SharedBy::Process), ALWAYS => "visible::put_over_another_value_from_another_process" "caches records in each process",
    CachesAbsenceInItsHandle Deed::CachesAbsence, ALWAYS => "visible::create_by_an_earlier_handle" "caches in each handle that a record is absent",
    CachesScansInItsHandle Deed::CachesScans, ALWAYS => "visible::put_over_nothing_by_an_earlier_handle" "caches the pages of scans in each handle",
    Cuts64KiB Deed::Cuts(65_536), ALWAYS => "bytes::values_of_65537" "keeps 64 KiB of a value",
    Cuts1MiB Deed::Cuts(1 << 20), ALWAYS => "bytes::values_of_1048577" "keeps 1 MiB of a value",
    DigestsThe4KiB Deed::DigestsTheFirst(4_096), ALWAYS => "revisions::each_byte_of_4097" "derives the revision from the length and the first 4 KiB",
    DigestsThe64KiB Deed::DigestsTheFirst(65_536), ALWAYS => "revisions::each_byte_of_65537" "derives the revision from the length and the first 64 KiB",
    DigestsThe1MiB Deed::DigestsTheFirst(1 << 20), ALWAYS => "revisions::each_byte_of_1048577" "derives the revision from the length and the first MiB",
    DigestsThe10Bytes Deed::DigestsTheFirst(10), ALWAYS => "revisions::of_every_key_and_space_by_one_handle" "derives the revision from the length and the first 10 bytes",
    DigestOf20Bits Deed::DigestBits(20), ALWAYS => "revisions::thousands_of_changes" "keeps 20 bits of a digest as the revision",
    EndsAfter1000 Deed::EndsPages(1_000), ALWAYS => "scan::1001_records" "returns at most 1,000 records of a scan",
    EndsAfter65536 Deed::EndsPages(65_536), ALWAYS => "scan::65537_records" "returns at most 65,536 records of a scan",
    SkipsAfter100 Deed::SkipsAfterPages(100), ALWAYS => "scan::501_records" "skips a record after each page of 100",
    RaisesPrefixes Deed::RaisesTheLastCharacter, ALWAYS => "names::every_prefix" "finds the end of a prefix by raising its last character",
    ExpectsPrefixes Deed::ExpectsTheKeyInThePrefix, ALWAYS => "names::every_position" "finds nothing after a key that has not the prefix",
    Lists100 Deed::Lists(100), ALWAYS => "spaces::101_in_use" "lists at most 100 spaces",
    Lists1000 Deed::Lists(1_000), ALWAYS => "spaces::1001_in_use" "lists at most 1,000 spaces",
    ListsFromItsHandle Deed::ListsFromMemory(SharedBy::Handle), ALWAYS => "listed::first_record_of_a_space_by_an_earlier_handle" "lists the spaces that it has written to, and those when it was opened",
    ListsFromItsProcess Deed::ListsFromMemory(SharedBy::Process), ALWAYS => "listed::first_record_of_a_space_from_another_process" "lists the spaces that its process knows",
    ListsFromItsProcessInARace Deed::ListsFromMemory(SharedBy::Process), ALWAYS => "race::first_records_of_many_spaces_by_two_processes" "lists the spaces that its process knows",
    KeepsListingAfterEachBatches Deed::KeepsListing, |on| on.is_each() && on.len() > 1 => "listed::delete_of_the_last_records_in_an_each_batch_by_the_same_handle" "lists a space that independent deletes have emptied",
    KeepsListingAfterAtomicBatches Deed::KeepsListing, |on| !on.is_each() && on.len() > 1 => "listed::delete_of_the_last_records_in_an_atomic_batch_by_the_same_handle" "lists a space that an atomic batch has emptied",
    ListsAfterConflicts Deed::KeepsListing, |on| on.any(|write| matches!(write.expect, Expect::Revision(_))) => "listed::conflict_in_an_empty_space_by_the_same_handle" "lists a space in which a write had a conflict",
    ListsAfterDeletes Deed::KeepsListing, |on| on.any(is_delete) => "listed::delete_in_an_empty_space_by_the_same_handle" "lists a space in which nothing was deleted",
    ForgetsCreatedSpaces Deed::ForgetsToList, |on| on.any(|write| write.expect == Expect::Absent) => "listed::first_record_of_a_space_by_creation_by_the_same_handle" "does not list a space whose first record was created",
    ForgetsSpacesOfBatches Deed::ForgetsToList, |on| !on.is_each() && on.len() > 1 => "listed::first_records_of_a_space_in_an_atomic_batch_by_the_same_handle" "does not list a space whose first record came in an atomic batch",
    Cuts63BytesOfSpaces Deed::CutsSpaces(63), ALWAYS => "names::last_byte_of_a_space" "cuts the names of spaces at 63 bytes",
    Cuts511BytesOfIds Deed::CutsIds(511), ALWAYS => "names::last_byte_of_a_key" "cuts ids at 511 bytes",
    Counts4Types Deed::CountsTypes(4), ALWAYS => "counted::5_types" "counts the versions of four types",
    Counts64Types Deed::CountsTypes(64), ALWAYS => "counted::65_types" "counts the versions of 64 types",
    CountsVersionsIn16Bits Deed::CountsIn16Bits, ALWAYS => "counted::101_documents" "keeps versions in 16 bits",
    CountsWithoutDeletesInBatches Deed::CountsFromMemory, |on| on.len() > 1 && on.any(is_delete) => "counted::each_batch_of_deletes_by_the_same_handle" "does not count the deletes of a batch",
    CountsWithoutSwaps Deed::CountsFromMemory, |on| on.any(|write| matches!(write.expect, Expect::Revision(_))) => "counted::swap_by_the_same_handle" "does not count swaps",
    CountsItsOwnWrites Deed::CountsFromMemory, |_| false => "counted::put_over_nothing_by_an_earlier_handle" "counts the writes of its own handle",
    CountsFromOpening Deed::CountsFromOpening, ALWAYS => "counted::put_over_nothing_when_reopened" "counts what was written since it was opened",
    HidesEachBatches Deed::Hides, |on| on.is_each() && on.len() > 1 => "reported::each_batch_by_the_same_handle" "does not report independent writes in a batch",
    HidesAtomicBatches Deed::Hides, |on| !on.is_each() && on.len() > 1 => "reported::atomic_batch_by_the_same_handle" "does not report atomic batches",
    HidesBesideConflicts Deed::Hides, |on| on.len() > 1 && on.any(|write| matches!(write.expect, Expect::Revision(_))) => "reported::each_batch_with_a_conflict_by_the_same_handle" "reports nothing of a batch in which a write has a conflict",
    HidesDeletesOfARevision Deed::Hides, |on| on.any(|write| is_delete(write) && matches!(write.expect, Expect::Revision(_))) => "reported::delete_of_a_revision_by_the_same_handle" "does not report the delete of a revision",
    HidesLongValues Deed::Hides, |on| on.any(|write| put_len(write) > Some(65_536)) => "reported::put_of_a_long_value_by_the_same_handle" "does not report values of more than 64 KiB",
    HidesCreations Deed::Hides, |on| on.any(|write| write.expect == Expect::Absent) => "reported::create_by_an_earlier_handle" "does not report creations",
    Reports1000 Deed::Reports(1_000), ALWAYS => "reported::1001_changes_between_two_calls" "keeps the last 1,000 changes",
    Reports32766 Deed::Reports(32_766), ALWAYS => "batch::each_of_32767_mixed_writes" "keeps the last 32,766 changes",
    ReportsItsProcess Deed::ReportsOwnProcess, ALWAYS => "reported::put_over_nothing_from_another_process" "reports the writes of its own process",
    EndsReportsWithAHandle Deed::EndsWithAHandle, ALWAYS => "closed::another_handle_stays_open" "reports nothing once a handle was closed",
    WritesNothingAfterClose Deed::WorksAfterClose(Call::EmptyBatch), ALWAYS => "closed::empty_batch" "accepts an empty batch after it is closed",
    ReadsNothingAfterClose Deed::WorksAfterClose(Call::ReadOfNothing), ALWAYS => "closed::multi_get_of_nothing" "accepts a read of no keys after it is closed",
    FlushesAfterClose Deed::WorksAfterClose(Call::Flush), ALWAYS => "closed::flush" "flushes after it is closed",
    CountsAfterClose Deed::WorksAfterClose(Call::CountVersions), ALWAYS => "closed::count_versions" "counts versions after it is closed",
    SubscribesAfterClose Deed::WorksAfterClose(Call::Subscribe), ALWAYS => "closed::subscribe" "begins to report changes after it is closed",
    ClosesAllHandles Deed::ClosesAll, ALWAYS => "closed::another_handle_stays_open" "closes every handle when one is closed",
}
