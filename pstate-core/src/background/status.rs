//! How far a migration has come: how many documents of which version are stored.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::sweep::{SweepCheckpoint, last_sweep};
use crate::engine::{Engine, stranded};
use crate::model::{Result, Space, VersionCounts};
use crate::schema::Schema;

/// How many documents of which type and version a space holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MigrationStatus {
    /// By entity type: those that are stored, and those that are declared.
    pub types: BTreeMap<String, TypeStatus>,
    /// Records that cannot be read.
    pub unreadable: u64,
    /// The key or the place of the first of them.
    pub first_unreadable: Option<String>,
    /// How far the last sweep of this space has come, if there was one.
    pub sweep: Option<SweepCheckpoint>,
}

/// How many documents of which version there are of one type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TypeStatus {
    /// The version that the schema declares; `None` for a type that it doesn't name.
    pub declared: Option<u32>,
    /// The number of documents by version; version 0 is a document without `$v`.
    pub versions: BTreeMap<u32, u64>,
    /// Documents older than the oldest kept step, which cannot be read.
    pub stranded: u64,
}

impl TypeStatus {
    /// All documents of the type.
    pub fn total(&self) -> u64 {
        self.versions.values().sum()
    }

    /// Documents that are older than the schema: those that a read migrates.
    pub fn older(&self) -> u64 {
        self.declared.map_or(0, |declared| self.versions.range(..declared).map(|(_, n)| n).sum())
    }

    /// Documents that are newer than the schema.
    pub fn newer(&self) -> u64 {
        let newer = |declared: u32| {
            self.versions.range(declared..).skip_while(move |(v, _)| **v == declared)
        };
        self.declared.map_or(0, |declared| newer(declared).map(|(_, n)| n).sum())
    }
}

impl MigrationStatus {
    /// All documents.
    pub fn total(&self) -> u64 {
        self.types.values().map(TypeStatus::total).sum()
    }

    /// Documents that are older than the schema. 0 says that a migration is done.
    pub fn older(&self) -> u64 {
        self.types.values().map(TypeStatus::older).sum()
    }

    /// Documents that are newer than the schema: another release of the program has written them.
    pub fn newer(&self) -> u64 {
        self.types.values().map(TypeStatus::newer).sum()
    }

    /// Documents older than the oldest kept step, which cannot be read.
    pub fn stranded(&self) -> u64 {
        self.types.values().map(|of_type| of_type.stranded).sum()
    }
}

impl fmt::Display for MigrationStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.types.keys().map(String::len).max().unwrap_or_default();
        for (name, of_type) in &self.types {
            write!(f, "{name:width$}  ")?;
            let versions: Vec<_> =
                of_type.versions.iter().map(|(version, n)| format!("{n} at {version}")).collect();
            write!(f, "{}", if versions.is_empty() { "none".into() } else { versions.join(", ") })?;
            match of_type.declared {
                None => write!(f, "; not declared")?,
                Some(declared) => write!(f, "; declared {declared}, {} older", of_type.older())?,
            }
            if of_type.stranded > 0 {
                write!(f, ", {} of them older than the oldest kept step", of_type.stranded)?;
            }
            writeln!(f)?;
        }
        if self.unreadable > 0 {
            let first = self.first_unreadable.as_deref().unwrap_or_default();
            writeln!(f, "{} cannot be read, the first is {first}", self.unreadable)?;
        }
        Ok(())
    }
}

/// Counts the documents of a space by type and version.
pub(crate) async fn migration_status(
    engine: &Arc<Engine>,
    space: &Space,
) -> Result<MigrationStatus> {
    engine.check_open()?;
    let counts = engine.count_versions(space).await?;
    let sweep = last_sweep(engine, space).await?;
    Ok(status(engine.schema(), &counts, sweep))
}

fn status(
    schema: Option<&Schema>,
    counts: &VersionCounts,
    sweep: Option<SweepCheckpoint>,
) -> MigrationStatus {
    let mut types: BTreeMap<String, TypeStatus> = BTreeMap::new();
    for entity in schema.iter().flat_map(|schema| schema.entities()) {
        let declared = Some(entity.version());
        types.insert(entity.name().to_owned(), TypeStatus { declared, ..TypeStatus::default() });
    }
    for (name, versions) in counts.by_type() {
        let of_type = types.entry(name.to_owned()).or_default();
        of_type.versions.clone_from(versions);
        if let Some(entity) = schema.and_then(|schema| schema.entity(name)) {
            of_type.stranded = stranded(entity, versions).map(|(_, n)| n).sum();
        }
    }
    MigrationStatus {
        types,
        unreadable: counts.unreadable(),
        first_unreadable: counts.first_unreadable().map(str::to_owned),
        sweep,
    }
}
