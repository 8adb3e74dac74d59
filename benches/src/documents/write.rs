//! Writes to an adapter, without PState.

use pstate::{Adapter, Batch, Key, Outcome, Space, Write};

use crate::Result;

/// How many documents one write stores where it is not measured.
const AT_ONCE: usize = 1_000;

/// Stores texts as they are.
///
/// # Errors
/// What the store reports.
pub(crate) async fn store(adapter: &dyn Adapter, texts: &[(Key, String)]) -> Result<()> {
    for texts in texts.chunks(AT_ONCE) {
        let puts = texts.iter().map(|(key, text)| Write::put(key.clone(), text.as_bytes()));
        write(adapter, Batch::each(puts.collect())).await?;
    }
    Ok(())
}

/// Removes documents.
///
/// # Errors
/// What the store reports.
pub(crate) async fn remove(adapter: &dyn Adapter, keys: &[Key]) -> Result<()> {
    write(adapter, Batch::each(keys.iter().cloned().map(Write::delete).collect())).await
}

async fn write(adapter: &dyn Adapter, batch: Batch) -> Result<()> {
    for outcome in adapter.write(&Space::default(), &batch).await? {
        if !matches!(outcome, Outcome::Stored(_) | Outcome::Deleted) {
            return Err(format!("a write failed: {outcome:?}").into());
        }
    }
    Ok(())
}
