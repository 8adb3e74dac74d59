//! Values as they are stored, and their revisions.

use pstate_core::{Record, Revision};
use sha1::{Digest, Sha1};

/// The revision of these bytes: the first 16 bytes of their SHA-1 digest.
///
/// The scripts compute the same with `redis.sha1hex`. So no revision is stored, any program may
/// change values, and compare-and-swap notices.
pub(crate) fn revision(bytes: &[u8]) -> Revision {
    let digest = Sha1::digest(bytes);
    let mut first = [0; 16];
    first.copy_from_slice(&digest[..16]);
    Revision::from_number(u128::from_be_bytes(first))
}

/// A revision, as the scripts compare it.
pub(crate) fn in_hex(revision: Revision) -> String {
    format!("{:032x}", revision.as_number())
}

pub(crate) fn record(bytes: Vec<u8>) -> Record {
    let revision = revision(&bytes);
    Record { bytes: bytes.into(), revision }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_in_hex_is_the_beginning_of_the_digest() {
        // What `redis.sha1hex("")` gives.
        assert_eq!(in_hex(revision(b"")), "da39a3ee5e6b4b0d3255bfef95601890");
    }
}
