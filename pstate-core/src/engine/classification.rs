//! What a stored document is to the schema, for jobs that look at every document.

use std::cmp::Ordering;

use crate::document::Document;
use crate::model::json::validate;
use crate::model::{Error, Key, Record, Space};
use crate::schema::{Entity, migrate};

/// A stored document beside the version that the schema declares.
pub(crate) enum Classification {
    /// At the declared version.
    Current,
    /// Newer than the declared version: of this one.
    Newer(u32),
    /// Older, of this version, and what a migration makes of it.
    Old { stored: Record, version: u32, migrated: Document },
    /// Of this older version, and it cannot be migrated.
    Failed(u32, Error),
    /// It cannot be read.
    Unreadable(Error),
}

/// Classifies what is stored under a key. A document is migrated as a read would migrate it,
/// whatever the schema's options say about failures.
pub(crate) fn classify(
    entity: &Entity,
    space: &Space,
    key: &Key,
    record: Record,
) -> Classification {
    let located = |error: Error| error.at_key(key).in_space(space);
    let version = match validate(&record.bytes) {
        Ok(version) => version.unwrap_or(0),
        Err(error) => return Classification::Unreadable(located(error)),
    };
    let current = entity.version();
    match version.cmp(&current) {
        Ordering::Greater => return Classification::Newer(version),
        Ordering::Equal => return Classification::Current,
        Ordering::Less => {}
    }
    let text = std::str::from_utf8(&record.bytes).unwrap_or_default();
    match migrate::upgrade(entity, text, version) {
        Ok(text) => {
            let revision = record.revision;
            let migrated = Record { bytes: text.into_bytes().into(), revision };
            let migrated = Document::from_valid(key.clone(), migrated, Some(current));
            Classification::Old { stored: record, version, migrated }
        }
        Err(error) => Classification::Failed(version, located(error)),
    }
}
