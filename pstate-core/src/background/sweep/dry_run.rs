//! A sweep that writes nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;

use serde_json::Value;

use super::losses::lost_members;
use super::settings::{Settings, page_of};
use crate::background::rate_limiter::RateLimiter;
use crate::document::Document;
use crate::engine::{Classification, Engine, classify};
use crate::model::diff::{Difference, differences};
use crate::model::{Error, Key, Result, Space, VERSION_MEMBER};
use crate::runtime::{Instant, sleep_until};
use crate::schema::{Entity, Schema, migrate};

/// How many documents are migrated, twice each, before other tasks get a turn.
const DOCUMENTS_PER_YIELD: usize = 16;

/// How many documents are read at once, if the program does not say.
const PAGE_SIZE: NonZeroUsize = NonZeroUsize::new(256).unwrap();

/// What a sweep would do.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct DryRun {
    /// Documents looked at.
    pub done: u64,
    /// What would become of them, by type and stored version.
    pub counts: BTreeMap<(String, u32), DryRunCounts>,
    /// Some documents of each type and version before and after.
    pub samples: Vec<Sample>,
    /// What is wrong with the migrations: the first ones. All are counted in `counts`.
    pub problems: Vec<Problem>,
    /// Documents, or places in the store, that cannot be read at all.
    pub unreadable: u64,
}

/// What would become of the documents of one type and version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DryRunCounts {
    /// How many there are.
    pub documents: u64,
    /// How many would be migrated and stored.
    pub would_change: u64,
    /// How many are newer than the schema, and would be left alone.
    pub newer: u64,
    /// How many could not be migrated.
    pub failed: u64,
    /// For how many a field's migration is not idempotent.
    pub not_idempotent: u64,
    /// How many would lose members.
    pub lose_members: u64,
    /// The top-level members that would go, come and change, and in how many documents.
    pub removed: BTreeMap<String, u64>,
    /// Members that would come.
    pub added: BTreeMap<String, u64>,
    /// Members that would get another value.
    pub changed: BTreeMap<String, u64>,
}

/// A document before and after.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Sample {
    /// Its key.
    pub key: Key,
    /// The version that is stored.
    pub from: u32,
    /// The version that it would get.
    pub to: u32,
    /// What would change.
    pub differences: Vec<Difference>,
}

/// Something wrong with the migration of a document.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Problem {
    /// Its key; `None` for a place in the store that has none.
    pub key: Option<Key>,
    /// What is wrong.
    pub kind: ProblemKind,
    /// The reason, without the document's contents.
    pub reason: String,
}

/// What is wrong with a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProblemKind {
    /// It fails, or what comes out does not fit the declared types.
    Fails,
    /// A field's migration changes its own result, or fails on it. Steps run once and need not be
    /// idempotent; a field's migration runs again at every later version, unless its field fits.
    NotIdempotent,
    /// A member is gone, and some of what it held is nowhere in the members that have come or
    /// changed; or a number with more digits than a double has was rounded.
    LosesMembers,
    /// It cannot be read.
    Unreadable,
}

impl fmt::Display for ProblemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fails => "fails",
            Self::NotIdempotent => "not idempotent",
            Self::LosesMembers => "loses members",
            Self::Unreadable => "cannot be read",
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        write!(f, "{}: {}", self.kind, self.reason)
    }
}

impl fmt::Display for DryRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((name, version), counts) in &self.counts {
            let DryRunCounts { documents, would_change, failed, .. } = counts;
            writeln!(
                f,
                "{name} version {version}: {documents}, of which {would_change} would change and \
                 {failed} fail"
            )?;
            for (what, members) in [
                ("without", &counts.removed),
                ("with new", &counts.added),
                ("other", &counts.changed),
            ] {
                let shown: Vec<_> =
                    members.iter().map(|(name, n)| format!("{name} ({n})")).collect();
                if !shown.is_empty() {
                    writeln!(f, "  {what} {}", shown.join(", "))?;
                }
            }
        }
        for sample in &self.samples {
            writeln!(f, "{} from version {} to {}", sample.key, sample.from, sample.to)?;
            for difference in &sample.differences {
                writeln!(f, "  {difference}")?;
            }
        }
        for problem in &self.problems {
            writeln!(f, "{problem}")?;
        }
        Ok(())
    }
}

pub(super) async fn run(
    engine: &Engine,
    schema: &Schema,
    space: &Space,
    settings: &Settings,
) -> Result<DryRun> {
    let mut report = DryRun::default();
    let mut limiter = RateLimiter::default();
    let limit = settings.page_size.unwrap_or(PAGE_SIZE);
    for entity in schema.entities() {
        let fields = entity.without_steps();
        let mut after = None;
        loop {
            sleep_until(limiter.due(settings.rate, Instant::now())).await;
            limiter.begin_page(Instant::now());
            let scan = page_of(entity.name(), after.as_ref(), limit);
            let found = engine.adapter().scan(space, &scan).await?;
            let len = found.records.len();
            for (number, (key, record)) in found.records.into_iter().enumerate() {
                if number % DOCUMENTS_PER_YIELD == DOCUMENTS_PER_YIELD - 1 {
                    tokio::task::yield_now().await;
                }
                let found = classify(entity, space, &key, record);
                report.add_document((entity, &fields), found, &key, settings);
            }
            for error in found.unreadable {
                report.unreadable(&error, settings);
            }
            limiter.end_page(Instant::now(), len);
            match found.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
    }
    Ok(report)
}

impl DryRun {
    fn add_document(
        &mut self,
        (entity, fields): (&Entity, &Entity),
        found: Classification,
        key: &Key,
        settings: &Settings,
    ) {
        match found {
            Classification::Unreadable(error) => self.unreadable(&error, settings),
            Classification::Current => _ = self.counted(entity.name(), entity.version()),
            Classification::Newer(version) => self.counted(entity.name(), version).newer += 1,
            Classification::Failed(version, error) => {
                self.counted(entity.name(), version).failed += 1;
                let reason = error.message().to_owned();
                self.add_problem(Some(key.clone()), ProblemKind::Fails, reason, settings);
            }
            Classification::Old { stored, version, migrated } => {
                let stored = Document::from_valid(key.clone(), stored, Some(version));
                self.compare((entity, fields), &stored, &migrated, settings);
            }
        }
    }

    fn compare(
        &mut self,
        (entity, fields): (&Entity, &Entity),
        stored: &Document,
        migrated: &Document,
        settings: &Settings,
    ) {
        let (key, version) = (stored.key(), stored.version());
        let again = migrate::upgrade(fields, migrated.as_str(), version);
        let not_idempotent = match again {
            Ok(again) if again == migrated.as_str() => None,
            Ok(_) => Some("a field's migration, run again, changes its own result".to_owned()),
            Err(error) => Some(format!("run again on its own result, {}", error.message())),
        };
        let (before, after) = match (stored.value(), migrated.value()) {
            (Ok(before), Ok(after)) => (before, after),
            (Err(error), _) | (_, Err(error)) => return self.unreadable(&error, settings),
        };
        let lost = if settings.lossless {
            lost_members(stored.as_str(), migrated.as_str())
        } else {
            Ok(Vec::new())
        };
        let lost = match lost {
            Ok(lost) => lost,
            Err(error) => return self.unreadable(&error.at_key(key), settings),
        };
        let shown = self
            .samples
            .iter()
            .filter(|sample| sample.key.entity_type() == entity.name() && sample.from == version);
        if shown.count() < settings.samples {
            self.samples.push(Sample {
                key: key.clone(),
                from: version,
                to: entity.version(),
                differences: differences(before, after),
            });
        }
        let counts = self.counted(entity.name(), version);
        counts.would_change += 1;
        counts.not_idempotent += u64::from(not_idempotent.is_some());
        counts.lose_members += u64::from(!lost.is_empty());
        counts.count_members(before, after);
        if let Some(reason) = not_idempotent {
            self.add_problem(Some(key.clone()), ProblemKind::NotIdempotent, reason, settings);
        }
        if !lost.is_empty() {
            let reason = lost.join(", ");
            self.add_problem(Some(key.clone()), ProblemKind::LosesMembers, reason, settings);
        }
    }

    fn counted(&mut self, entity_type: &str, version: u32) -> &mut DryRunCounts {
        self.done += 1;
        let counts = self.counts.entry((entity_type.to_owned(), version)).or_default();
        counts.documents += 1;
        counts
    }

    fn unreadable(&mut self, error: &Error, settings: &Settings) {
        self.done += 1;
        self.unreadable += 1;
        let reason = error.message().to_owned();
        self.add_problem(error.key().cloned(), ProblemKind::Unreadable, reason, settings);
    }

    fn add_problem(
        &mut self,
        key: Option<Key>,
        kind: ProblemKind,
        reason: String,
        settings: &Settings,
    ) {
        if self.problems.len() < settings.keep_failures {
            self.problems.push(Problem { key, kind, reason });
        }
    }
}

impl DryRunCounts {
    fn count_members(&mut self, before: &Value, after: &Value) {
        for (members, counted) in [
            (gone(before, after), &mut self.removed),
            (gone(after, before), &mut self.added),
            (changed(before, after), &mut self.changed),
        ] {
            for member in members {
                match counted.get_mut(member) {
                    Some(count) => *count += 1,
                    None => _ = counted.insert(member.to_owned(), 1),
                }
            }
        }
    }
}

/// The members of one document, without its version.
fn members(document: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let members = document.as_object().into_iter().flatten();
    members.map(|(name, value)| (name.as_str(), value)).filter(|(name, _)| *name != VERSION_MEMBER)
}

/// The members of one document that another doesn't have.
fn gone<'a>(document: &'a Value, other: &Value) -> Vec<&'a str> {
    let gone = members(document).filter(|(name, _)| other.get(name).is_none());
    gone.map(|(name, _)| name).collect()
}

/// The members that have another value in another document.
fn changed<'a>(document: &'a Value, other: &Value) -> Vec<&'a str> {
    let changed = members(document)
        .filter(|(name, value)| other.get(name).is_some_and(|other| other != *value));
    changed.map(|(name, _)| name).collect()
}
