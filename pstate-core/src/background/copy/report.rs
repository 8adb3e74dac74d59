//! What a copy reports when it has ended.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{Error, Key, Space};

/// A document that could not be copied, or compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CopyFailure {
    /// The name of its space.
    pub space: String,
    /// Its key; `None` for a place in the store that has none.
    pub key: Option<Key>,
    /// What is wrong with it.
    pub reason: String,
}

impl CopyFailure {
    pub(super) fn new(space: &Space, error: &Error) -> Self {
        Self {
            space: space.as_str().to_owned(),
            key: error.key().cloned(),
            reason: error.message().to_owned(),
        }
    }
}

impl fmt::Display for CopyFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.space)?;
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.reason)
    }
}

/// What a copy has done, the work of an interrupted part included.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "a report is not yet a success: see `is_complete`"]
pub struct CopyReport {
    /// Whether it has come to the end, and was not canceled before.
    pub finished: bool,
    /// Documents of the source that were looked at.
    pub documents: u64,
    /// Documents written. The others were there already.
    pub written: u64,
    /// How many bytes the documents have that were looked at.
    pub bytes: u64,
    /// The spaces that it has looked at.
    pub spaces: Vec<Space>,
    /// Documents that could not be read or written.
    pub failed: u64,
    /// The first of these: [`Copy::keep_failures`](crate::Copy::keep_failures).
    pub failures: Vec<CopyFailure>,
    /// How many documents the interrupted part had looked at.
    pub documents_before: u64,
    /// What the comparison in the end has found, unless it was
    /// [left out](crate::Copy::verify_afterwards) or the copy was canceled.
    pub verification: Option<CopyVerification>,
    /// How long it took, the interrupted part not included.
    pub duration: Duration,
}

impl CopyReport {
    /// Whether everything that the source holds is in the target, byte for byte, as far as this was
    /// verified. The target may hold more: [`CopyVerification::extra`].
    pub fn is_complete(&self) -> bool {
        let equal = self.verification.as_ref().is_none_or(CopyVerification::is_complete);
        self.finished && self.failed == 0 && equal
    }
}

impl fmt::Display for CopyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { documents, written, bytes, failed, .. } = self;
        let how = match (self.is_complete(), self.finished) {
            (true, _) => "complete",
            (false, true) => "not complete",
            (false, false) => "canceled",
        };
        write!(
            f,
            "{how}: {documents} documents of {bytes} bytes in {} spaces, {written} written, \
             {failed} failed, in {:.1} s",
            self.spaces.len(),
            self.duration.as_secs_f64()
        )?;
        match &self.verification {
            Some(verification) => write!(f, "; {verification}"),
            None => f.write_str("; not verified"),
        }
    }
}

/// What a comparison of two stores has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyVerification {
    /// What each space that one of them has holds.
    pub spaces: BTreeMap<Space, SpaceVerification>,
    /// Documents that only the source has.
    pub missing: u64,
    /// Documents that only the target has.
    pub extra: u64,
    /// Documents whose bytes differ.
    pub different: u64,
    /// The first of these: [`Copy::keep_failures`](crate::Copy::keep_failures).
    pub differences: Vec<CopyDifference>,
    /// Documents that could not be read.
    pub unreadable: u64,
    /// The first of these.
    pub failures: Vec<CopyFailure>,
    /// How long it took.
    pub duration: Duration,
}

impl CopyVerification {
    /// Whether the target holds everything that the source holds, byte for byte.
    pub fn is_complete(&self) -> bool {
        self.missing == 0 && self.different == 0 && self.unreadable == 0
    }

    /// Whether both hold the same, byte for byte, and nothing else.
    pub fn is_equal(&self) -> bool {
        self.is_complete() && self.extra == 0
    }

    pub(super) fn found(&mut self, difference: CopyDifference, keep: usize) {
        *match difference.kind {
            CopyDifferenceKind::Missing => &mut self.missing,
            CopyDifferenceKind::Extra => &mut self.extra,
            CopyDifferenceKind::Different => &mut self.different,
        } += 1;
        if self.differences.len() < keep {
            self.differences.push(difference);
        }
    }
}

impl fmt::Display for CopyVerification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_equal() {
            let documents: u64 = self.spaces.values().map(|space| space.from.documents).sum();
            return match documents {
                0 => f.write_str("verified: both stores are empty"),
                _ => write!(f, "verified: all {documents} documents equal"),
            };
        }
        let Self { missing, extra, different, unreadable, .. } = self;
        write!(
            f,
            "verified: {missing} missing, {extra} extra, {different} different, \
             {unreadable} unreadable"
        )
    }
}

/// What a space holds in both stores.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpaceVerification {
    /// In the source.
    pub from: SpaceDigest,
    /// In the target.
    pub to: SpaceDigest,
}

/// Count and digest of what a space holds.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpaceDigest {
    /// How many documents.
    pub documents: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// The 128-bit XXH3 digest of all keys and bytes, in the order of the keys and each with its
    /// length. Equal contents have equal digests in any store; it is not cryptographic.
    pub digest: u128,
}

impl fmt::Display for SpaceDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { documents, bytes, digest } = self;
        write!(f, "{documents} documents, {bytes} bytes, {digest:032x}")
    }
}

impl fmt::Debug for SpaceDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpaceDigest({self})")
    }
}

/// A document that is not the same in both stores.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyDifference {
    /// Its space.
    pub space: Space,
    /// Its key.
    pub key: Key,
    /// How it differs.
    pub kind: CopyDifferenceKind,
}

impl fmt::Display for CopyDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.space, self.key, self.kind)
    }
}

/// How a document differs between two stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CopyDifferenceKind {
    /// Only the source has it.
    Missing,
    /// Only the target has it.
    Extra,
    /// Both have it, with different bytes.
    Different,
}

impl fmt::Display for CopyDifferenceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "missing",
            Self::Extra => "extra",
            Self::Different => "different",
        })
    }
}
