//! The change feed: each write, of this adapter and of others, by key, as Redis notifies of it.
//!
//! Redis's client-side caching does this in broadcasting mode, over a connection of its own to each
//! primary. For what this adapter has written itself, the feed reports what is stored now, so that
//! it stays cached.
//!
//! # Nothing is missed
//!
//! A server that has changed a key puts the notification into the output of each follower, in the
//! same turn of its loop in which it has executed the command, and before it sends any answers of
//! that turn (`beforeSleep` in its source: first `trackingBroadcastInvalidationMessages`, then
//! `handleClientsWithPendingWrites`). So when a write is acknowledged, its notification stands in
//! the output. `changes` then sends a command on the same connection and waits for its answer,
//! which comes behind the notification. Only one such command is in flight at a time, so the server
//! never executes it in the turn of the write. This holds for transactions, scripts, eviction and
//! `FLUSHALL` as well. Any failure ends the subscription.
//!
//! A key that has expired is reported when the server removes it: when a client reads it, or when
//! the server comes across it in its search for such keys, some times a second. Until then a cache
//! may serve it at any staleness. PState sets no expiry.
//!
//! `SWAPDB` touches no key. Each question therefore also asks for the note of the data set, whose
//! id changes with it.
//!
//! The answer also says whether the server is still the one that is written to. In a Cluster the
//! feed follows every primary, also one that has no slot yet, because it gets writes while it takes
//! one over. It asks each whether it still takes the same servers for primaries, and whether it is
//! in touch with most of them. If not, the subscription ends.
//!
//! Redis 8 can leave sending to threads (`io-threads`). Then an acknowledgement may go out a turn
//! before the notification, which the next call but one reports.

mod inbox;
mod link;
mod report;
mod subscription;

pub(crate) use subscription::subscribe;
