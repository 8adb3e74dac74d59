//! The ways in which an adapter is wrong.

/// Defines the faults: name, what it does, and the case that is to find it.
macro_rules! faults {
    ($($name:ident $case:literal $what:literal,)*) => {
        /// One way in which an adapter is wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Fault {
            $($name,)*
        }

        impl Fault {
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)*];

            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// The case that names it.
            pub(crate) fn case(self) -> &'static str {
                match self { $(Self::$name => $case,)* }
            }

            /// What it does, as the documentation has it.
            pub(crate) fn what(self) -> &'static str {
                match self { $(Self::$name => $what,)* }
            }
        }
    };
}

faults! {
    SortsKeys "multi_get::positional" "answers in the order of the store, not of the question",
    AnswersOnce "multi_get::repeated" "answers a key that is asked for twice only once",
    FewVariables "multi_get::many" "takes 32,766 keys, SQLite's number of variables",
    AbsenceIsAnError "multi_get::absent" "reports a missing record as an error",
    ReadsFromAReplica "write::visible" "reads what was there one write ago",
    TearsBatches "write::atomic_conflict" "writes a batch up to the conflict in its middle",
    AbortsAll "write::each" "treats writes that stand for themselves as one transaction",
    AcceptsDuplicates "write::distinct_keys" "takes a key twice in one batch; the last one wins",
    DropsTheRest "write::beyond_max_batch" "writes as much of a long batch as fits, and drops the rest",
    PromisesTooMuch "write::beyond_atomicity" "takes an atomic batch without being atomic",
    CutsLongValues "write::too_long" "cuts a value at its limit",
    DeletesByHiding "expect::absent" "hides what is deleted, so that nothing can be put where nothing is",
    IgnoresExpect "expect::stale_revision" "writes whatever was expected",
    RevisionOfLength "expect::revision_changes" "derives the revision from the length",
    RevisionBefore "expect::revision_is_read_back" "returns the revision before the write",
    ReusesRevisions "expect::revision_is_not_reused" "counts versions from 1 again after a delete",
    OrdersByLocale "scan::order" "orders without regard to case",
    OrdersByUtf16 "scan::order" "orders by UTF-16, as Java and JavaScript do",
    PrefixByLike "scan::prefix" "finds prefixes with LIKE: `%` and `_` match anything",
    RepeatsTheBoundary "scan::after" "begins a page with the last record of the one before",
    SkipsTheBoundary "scan::pages" "skips the first record of the next page",
    DropsTheLastPage "scan::last_page" "ends when fewer records are left than a page takes",
    OverflowsTheLimit "scan::limit" "adds one to the limit without a check",
    PagesByOffset "scan::under_writes" "counts records to find the next page",
    SharesSpaces "spaces::apart" "has one space only",
    JoinsSpaceAndKey "spaces::names_that_run_together" "joins space and key without anything between",
    ListsEmptySpaces "spaces::listed" "lists spaces that hold nothing any more",
    CountsEverySpace "extensions::count_versions" "counts versions in all spaces together",
    TellsTooEarly "extensions::change_feed" "tells a change before it can be read",
    TellsNoDeletes "extensions::change_feed" "tells what was put, and not what was deleted",
    TellsNoSpace "extensions::change_feed" "tells all changes as those of the default space",
    TellsOne "extensions::change_feed" "tells a change to the first who asks, and to nobody else",
    TellsItsOwn "extensions::change_feed_beside" "tells what its own handle has written, and nothing else",
    ForgetsToldChanges "extensions::change_feed_cancelled" "forgets changes when the call that takes them is dropped",
    FoldsCase "keys::letter_case" "compares keys without regard to case",
    Normalises "keys::normal_forms" "brings keys into a Unicode normal form",
    Trims "keys::blanks" "trims blanks at the end of keys, like CHAR columns",
    CutsKeys "keys::longest" "cuts keys at 255 bytes, like file names",
    EmptyIsAbsent "bytes::empty" "takes an empty value for none",
    CutsAt16Bits "bytes::lengths" "keeps lengths in 16 bits",
    CutsAt31Bits "bytes::huge" "keeps lengths in 31 bits",
    NumbersAsDoubles "bytes::numbers" "sends numbers through doubles",
    ReplacesNonText "bytes::no_json" "replaces what is no UTF-8",
    IgnoresClose "lifecycle::closed" "goes on after being closed",
    FailureIsAbsence "lifecycle::failure_is_not_absence" "reports errors as missing records",
    CachesPerHandle "lifecycle::second_handle" "caches reads without hearing of other handles",
    ForgetsOnReopen "lifecycle::reopened" "forgets everything when it is opened again",
    RestartsRevisions "lifecycle::revisions_after_reopening" "counts revisions from 1 again when it is opened again",
    QuotesValues "errors::hold_no_values" "quotes the value in its errors",
    StopsAtDamage "errors::damage_is_local" "fails a scan because of one damaged record",
    HalvesWhenCancelled "cancel::write" "leaves half of a batch when the future is dropped",
    LosesWhenCancelled "cancel::write_beside_others" "loses what others wrote when a future is dropped",
    RetriesBlindly "concurrent::linearizable" "writes once more what has happened already",
    LosesUpdates "concurrent::lost_updates" "compares, and swaps a little later",
    LocksPerHandle "concurrent::two_handles" "compares and swaps under a lock that only its own handle knows",
    WaitsForTheUnpolled "concurrent::unpolled" "holds a lock while it waits to be polled",
    ReadsInPieces "concurrent::whole_batches" "reads many keys in several transactions",
    Deadlocks "concurrent::progress" "locks key by key in the order of the batch",
    DeletesByPrefix "model::sequences" "deletes what begins with the key, too",
    AcknowledgesEarly "durability::kill" "acknowledges before it has written",
    WritesInPieces "durability::kill" "writes a batch record by record",
}
