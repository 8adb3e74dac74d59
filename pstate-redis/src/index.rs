//! The index of keys, for scans, and why it never lacks a record.
//!
//! Redis keeps keys in no order, so the ids of each type stand in a sorted set, all with the same
//! score, which Redis orders by their bytes.
//!
//! # Records that are placed with their space
//!
//! Index and record change in one step, so the index is exact, unless another program deletes
//! records, or the server drops them (`maxmemory-policy`). A scan that finds no record for an entry
//! removes the entry, in a step that checks again.
//!
//! # Records that are placed by key
//!
//! Index and record lie in different slots, so no step changes both. The index may have entries
//! without a record, but must never lack one. A new record is written in three steps:
//!
//! 1. `ADD` puts the id into the index, and into the list of recent additions with the time `s`;
//! 2. `WRITE_ONE` writes the record, unless it is later than `s` + grace/2 by its server's clock.
//!    Then the write starts again;
//! 3. `ADD` puts the id into the index again if it is missing. If the index was lost after the
//!    first step, a rebuild may have missed the record, which was not there yet. If it is lost
//!    after this one, a rebuild finds the record.
//!
//! An overwrite needs the second step only: `SET XX`, or an expected revision, does nothing where
//! there is no record. A delete removes the record alone. A scan removes entries in passing: it
//! asks for the time and then reads the index, at `r`; it reads the records, at `m`, and calls
//! `FORGET` for those that are missing, at `d`. `FORGET` does nothing if `d` > `r` + grace/4.
//! Otherwise it removes an id that the list does not have, or has with a time before `r` - grace.
//! `ADD` drops from the list what is older than the grace.
//!
//! Suppose that a record is there and `FORGET` has removed its entry. All records were missing at
//! `m`, so some first write of it, of an `ADD` at `s`, took effect at `w` > `m` (later writes
//! overwrite it).
//!
//! - If `s` > `d`, the `ADD` has put the entry back.
//! - If `s` < `d`, the list had the id with a time of `s` or later, unless it was dropped from it
//!   before `d`. If it was dropped, or had a time before `r` - grace, then `s` < `d` - grace, which
//!   is at most `r` - ¾ grace. So `w` is at most `s` + grace/2 < `r` - grace/4 by the record's
//!   server, and `m` is at least `r` by the index's. With clocks that differ by less than grace/4,
//!   `w` < `m`: a contradiction.
//!
//! A failover can still lose entries: a Cluster's server that fails may take the last entries with
//! it that its replica does not have, while records on other servers stay. An overwrite without an
//! expectation adds the entry again, and so does
//! [`RedisAdapter::reindex`](crate::RedisAdapter::reindex) for all records.

mod additions;
mod complete;
mod entries;
mod reindex;

pub(crate) use additions::Additions;
pub(crate) use entries::Entries;
