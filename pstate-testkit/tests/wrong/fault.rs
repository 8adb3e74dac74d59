//! The faults of the adapter under test.

/// Defines the faults: the name, the case that must find it, and what the adapter does wrong.
macro_rules! faults {
    ($($name:ident $case:literal $what:literal,)*) => {
        /// A fault of the adapter.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Fault {
            $($name,)*
        }

        impl Fault {
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)*];

            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// The case that must find it.
            pub(crate) fn case(self) -> &'static str {
                match self { $(Self::$name => $case,)* }
            }

            /// Whether the case finds it by waiting in vain.
            pub(crate) fn hangs(self) -> bool {
                self == Self::Deadlocks || self.case().starts_with("unpolled::")
            }

            /// What the adapter does wrong, as in the table of the README.
            pub(crate) fn what(self) -> &'static str {
                match self { $(Self::$name => $what,)* }
            }
        }
    };
}

faults! {
    SortsKeys "multi_get::positional" "returns records in the order of the store, not of the keys",
    AnswersOnce "multi_get::repeated" "returns a repeated key only once",
    FewVariables "multi_get::many" "accepts 32,766 keys, SQLite's limit of variables",
    AbsenceIsAnError "multi_get::absent" "reports a missing record as an error",
    ReadsFromAReplica "write::visible" "reads the state before the last write",
    TearsBatches "write::atomic_conflict" "writes a batch up to the conflict in its middle",
    AbortsAll "write::each" "treats independent writes as one transaction",
    AcceptsDuplicates "write::distinct_keys" "accepts duplicate keys in one batch; the last one wins",
    TruncatesBatches "write::beyond_max_batch" "truncates a batch that is too long",
    AcceptsAnyAtomicBatch "write::beyond_atomicity" "accepts an atomic batch without being atomic",
    CutsLongValues "write::too_long" "truncates a value at its limit",
    DeletesByHiding "expect::absent" "deletes by hiding, so that a put of an absent record fails",
    IgnoresExpect "expect::stale_revision" "ignores expectations",
    RevisionOfLength "expect::revision_changes" "derives the revision from the length",
    RevisionBefore "expect::revision_is_read_back" "returns the revision before the write",
    ReusesRevisions "expect::revision_is_not_reused" "restarts revisions from 1 after a delete",
    OrdersByLocale "scan::order" "ignores case in the order of keys",
    OrdersByUtf16 "scan::order" "orders by UTF-16, as Java and JavaScript do",
    PrefixByLike "scan::prefix" "finds prefixes with LIKE: `%` and `_` match anything",
    RepeatsTheBoundary "scan::after" "begins a page with the last record of the one before",
    SkipsTheBoundary "scan::pages" "skips the first record of the next page",
    DropsTheLastPage "scan::last_page" "ends when the rest is shorter than a page",
    OverflowsTheLimit "scan::limit" "adds one to the limit without a check",
    PagesByOffset "scan::under_writes" "finds the next page by counting records",
    SharesSpaces "spaces::apart" "has one space only",
    JoinsSpaceAndKey "spaces::names_that_run_together" "joins space and key without a separator",
    ListsEmptySpaces "spaces::listed" "lists empty spaces",
    CountsEverySpace "extensions::count_versions" "counts versions in all spaces together",
    CountsBeginnings "extensions::count_unreadable" "counts versions by the beginnings of values",
    ReportsTooEarly "extensions::change_feed" "reports a change before it can be read",
    OmitsDeletes "extensions::change_feed" "reports puts, but no deletes",
    OmitsTheSpace "extensions::change_feed" "reports all changes under the default space",
    ReportsOnce "extensions::change_feed" "reports a change only to the first subscription that asks",
    ReportsOwnWritesOnly "extensions::change_feed_beside" "reports only the writes of its own handle",
    LosesTakenChanges "extensions::change_feed_cancelled" "loses changes when the call that takes them is dropped",
    CompactsTooMuch "maintenance::records" "drops the last record when it is compacted",
    FoldsCase "keys::letter_case" "ignores case in keys",
    Normalises "keys::normal_forms" "normalises keys to a Unicode normal form",
    TrimsBlanks "keys::blanks" "trims blanks at the end of keys, like CHAR columns",
    CutsKeys "keys::longest" "truncates keys at 255 bytes, like file names",
    EmptyIsAbsent "bytes::empty" "treats an empty value as absent",
    CutsAt16Bits "bytes::lengths" "stores lengths in 16 bits",
    CutsAt31Bits "bytes::huge" "stores lengths in 31 bits",
    NumbersAsDoubles "bytes::numbers" "converts numbers to doubles",
    ReplacesNonText "bytes::no_json" "replaces invalid UTF-8",
    IgnoresClose "lifecycle::closed" "works after it is closed",
    FailureIsAbsence "lifecycle::failure_is_not_absence" "reports errors as missing records",
    CachesPerHandle "lifecycle::second_handle" "caches reads and ignores writes of other handles",
    ForgetsOnReopen "lifecycle::reopened" "loses everything when it is reopened",
    RestartsRevisions "lifecycle::revisions_after_reopening" "restarts revisions from 1 when it is reopened",
    QuotesValues "errors::hold_no_values" "quotes the value in its errors",
    StopsAtDamage "errors::damage_is_local" "fails a scan because of one damaged record",
    HalvesWhenCancelled "cancel::write" "leaves half of a batch when the future is dropped",
    LosesWhenCancelled "cancel::write_beside_others" "loses writes of other calls when a future is dropped",
    RetriesBlindly "concurrent::linearizable" "repeats a write that has already taken effect",
    LosesUpdates "concurrent::lost_updates" "compares, and swaps a moment later",
    LocksPerHandle "concurrent::two_handles" "compares and swaps under a lock of its own handle",
    ReadsInPieces "concurrent::whole_batches" "reads many keys in several transactions",
    Deadlocks "concurrent::progress" "locks keys one by one in the order of the batch",
    HoldsInReads "unpolled::multi_get" "holds a connection while a read is not polled",
    QueuesReads "unpolled::multi_get" "gives a connection to a read that waits for it and is not polled",
    LocksWhileUnpolled "unpolled::write" "holds a lock while a write is not polled",
    HoldsInScans "unpolled::scan" "holds a connection while a scan is not polled",
    HoldsInSpaces "unpolled::spaces" "holds a connection while the listing of spaces is not polled",
    HoldsInFlush "unpolled::flush" "holds a connection while a flush is not polled",
    HoldsInCounts "unpolled::count_versions" "holds a connection while the counting of versions is not polled",
    HoldsInSubscribe "unpolled::subscribe" "holds a connection while a new subscription is not polled",
    HoldsInChanges "unpolled::changes" "holds a connection while a call for the changes is not polled",
    HoldsInClose "unpolled::close" "holds a lock while closing is not polled",
    DeletesByPrefix "model::sequences" "deletes every key with the same prefix",
    AcknowledgesEarly "durability::kill" "acknowledges before it has written",
    WritesInPieces "durability::kill" "writes a batch record by record",
}
