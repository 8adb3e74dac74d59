//! The gate at the start of a program: whether the schema can read what is stored.

use std::collections::BTreeMap;

use super::engine::Engine;
use crate::model::{Error, Result};
use crate::schema::Entity;

/// The versions that no kept step leads on from, and how many documents have them.
pub(crate) fn stranded(
    entity: &Entity,
    versions: &BTreeMap<u32, u64>,
) -> impl Iterator<Item = (u32, u64)> {
    let older = versions.range(..entity.version());
    older
        .map(|(version, n)| (*version, *n))
        .filter(|(version, _)| entity.steps_up(*version).is_none())
}

/// Refuses a store with documents that are older than the oldest kept step.
pub(crate) async fn check_readable(engine: &Engine) -> Result<()> {
    let Some(schema) = engine.schema() else { return Ok(()) };
    let mut found = Vec::new();
    for space in engine.spaces().await? {
        let counts = engine.count_versions(&space).await?;
        for (name, versions) in counts.by_type() {
            let Some(entity) = schema.entity(name) else { continue };
            for (version, n) in stranded(entity, versions) {
                let oldest = entity.oldest_kept();
                found.push(format!(
                    "{n} of `{name}` at version {version} in space {space} (the oldest kept step \
                     begins at version {oldest})"
                ));
            }
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    Err(Error::schema(format!(
        "documents are stored that are older than the oldest kept step: {}; let a release that has \
         the older steps migrate them (migrate_all), or keep the steps in this one",
        found.join(", ")
    )))
}
