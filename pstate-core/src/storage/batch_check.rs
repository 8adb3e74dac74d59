//! What an adapter refuses before it writes: the checks that follow from its capabilities.

use super::capabilities::{Atomicity, Capabilities};
use crate::model::{Batch, BatchMode, Error, ErrorKind, Key, Result, Write};

impl Batch {
    /// Refuses a batch that an adapter with these capabilities does not take, before anything is
    /// written. Adapters call this first in [`write`](crate::Adapter::write).
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) for a duplicate key, and for a value of an atomic
    /// batch that is longer than [`max_value_len`](Capabilities::max_value_len).
    /// [`Unsupported`](ErrorKind::Unsupported) for more writes than
    /// [`max_batch`](Capabilities::max_batch), and for an atomic batch of several writes with
    /// [`Atomicity::Key`].
    pub fn check(&self, capabilities: &Capabilities) -> Result<()> {
        self.check_distinct()?;
        self.check_number(capabilities, capabilities.max_batch.is_some())?;
        if self.mode == BatchMode::Atomic {
            self.writes.iter().try_for_each(|write| write.check_len(capabilities))?;
        }
        Ok(())
    }

    /// [`check`](Self::check) without the lengths of values, for a batch that may be sent in parts
    /// unless it is atomic.
    pub(crate) fn check_as_whole(&self, capabilities: &Capabilities) -> Result<()> {
        self.check_distinct()?;
        self.check_number(capabilities, self.mode == BatchMode::Atomic)
    }

    /// Refuses a duplicate key: the part of [`check`](Self::check) that needs no capabilities.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput), with the key.
    pub fn check_distinct(&self) -> Result<()> {
        // Loads and sweeps come in order.
        if self.writes.is_sorted_by(|one, next| one.key < next.key) {
            return Ok(());
        }
        let mut keys: Vec<&Key> = self.writes.iter().map(|write| &write.key).collect();
        keys.sort_unstable();
        match keys.windows(2).find(|pair| pair[0] == pair[1]) {
            None => Ok(()),
            Some(pair) => Err(Error::invalid_input("duplicate key in batch").at_key(pair[0])),
        }
    }

    /// Refuses more writes than can be made at once.
    fn check_number(&self, capabilities: &Capabilities, at_once: bool) -> Result<()> {
        let count = self.writes.len();
        let refuse = |why| Err(Error::new(ErrorKind::Unsupported, why));
        let atomic = self.mode == BatchMode::Atomic && count > 1;
        if atomic && capabilities.atomicity == Atomicity::Key {
            return refuse(format!(
                "{count} writes in an atomic batch; this store writes single keys atomically"
            ));
        }
        match capabilities.max_batch {
            Some(max) if at_once && count > max.get() => {
                let kind = if atomic { "an atomic batch" } else { "a batch" };
                refuse(format!("{count} writes in {kind}; this store takes at most {max}"))
            }
            _ => Ok(()),
        }
    }

    /// How many bytes the values have together.
    pub fn value_bytes(&self) -> usize {
        self.writes.iter().map(Write::value_len).sum()
    }
}

impl Write {
    /// Refuses a value that is longer than an adapter with these capabilities takes. Adapters
    /// report it as [`Failed`](crate::Outcome::Failed) for one of several writes that stand for
    /// themselves.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput), with the key.
    pub fn check_len(&self, capabilities: &Capabilities) -> Result<()> {
        capabilities.check_len(&self.key, self.value_len())
    }
}
