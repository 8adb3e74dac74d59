//! Digests of what is stored.

use xxhash_rust::xxh3::Xxh3;

use super::report::SpaceDigest;
use crate::model::Key;

/// Makes a digest of documents that come one after the other.
#[derive(Default)]
pub(super) struct Digest {
    hash: Xxh3,
    documents: u64,
    bytes: u64,
}

impl Digest {
    pub(super) fn add(&mut self, key: &Key, bytes: &[u8]) {
        // With their lengths, so that no two sequences run together to the same bytes.
        for part in [key.as_str().as_bytes(), bytes] {
            self.hash.update(&(part.len() as u64).to_le_bytes());
            self.hash.update(part);
        }
        self.documents += 1;
        self.bytes += bytes.len() as u64;
    }

    pub(super) fn finish(&self) -> SpaceDigest {
        SpaceDigest { documents: self.documents, bytes: self.bytes, digest: self.hash.digest128() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(documents: &[(&str, &str)]) -> u128 {
        let mut digest = Digest::default();
        for (key, bytes) in documents {
            digest.add(&key.parse().unwrap(), bytes.as_bytes());
        }
        digest.finish().digest
    }

    #[test]
    fn nothing_runs_together_and_the_order_counts() {
        let all = [
            digest(&[]),
            digest(&[("card:1", "")]),
            digest(&[("card:1", ""), ("card:2", "")]),
            digest(&[("card:2", ""), ("card:1", "")]),
            digest(&[("card:1", "card:2")]),
            digest(&[("card:1card:2", "")]),
            digest(&[("card:1c", "ard:2")]),
            digest(&[("card:1", "a"), ("card:2", "b")]),
            digest(&[("card:1", "b"), ("card:2", "a")]),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[..at].contains(one), "number {at}");
        }
    }

    #[test]
    fn it_is_the_same_for_ever() {
        // A digest that was written down is compared with that of another release.
        let digest = digest(&[("card:1", "{}"), ("card:2", r#"{"a":1}"#)]);
        assert_eq!(format!("{digest:032x}"), "b4962a06ddd742eb0037921b6313b02e");
    }
}
