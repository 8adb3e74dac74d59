//! Looking after a store as a whole.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{env, fs, process};

use pstate_core::{Durability, Error, ErrorKind, Key, Maintenance, Record};

use crate::conformance::case::cases;
use crate::conformance::case_error::{CaseError, CaseResult};
use crate::conformance::check::{ensure, ensure_eq};
use crate::conformance::context::Context;
use crate::conformance::store::Store;

cases! { "maintenance";
    records [Maintenance Simple]: "Maintenance changes no record, and finds nothing wrong with a sound store.",
    backup [Maintenance Simple]: "A backup appears at its path, and overwrites nothing.",
    closed [Closing Simple]: "A closed store refuses maintenance.",
}

/// Where a backup is written. Dropping it removes that.
struct Target(PathBuf);

impl Target {
    fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(env::temp_dir().join(format!("pstate-backup-{}-{count}", process::id())))
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // A file of some stores, a directory of others.
        let _ = fs::remove_file(&self.0).or_else(|_| fs::remove_dir_all(&self.0));
    }
}

fn offered(store: &Store) -> CaseResult<&dyn Maintenance> {
    let maintenance = store.adapter.extensions().maintenance;
    maintenance.ok_or_else(|| CaseError::ignored("it has no maintenance"))
}

/// `None` for what the store cannot do.
fn if_supported<T>(result: Result<T, Error>) -> CaseResult<Option<T>> {
    match result {
        Ok(done) => Ok(Some(done)),
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn all(store: &Store) -> CaseResult<Vec<(Key, Record)>> {
    store.scan("", 100).await
}

async fn records(context: &Context) -> CaseResult {
    let store = context.open().await?;
    offered(&store)?;
    for n in 0..60 {
        store.put(&format!("card:{n:02}"), &"x".repeat(5_000 + n)).await?;
    }
    for n in (0..60).step_by(2) {
        store.delete(&format!("card:{n:02}")).await?;
    }
    let before = all(&store).await?;
    if_supported(offered(&store)?.compact().await)?;
    if_supported(offered(&store)?.checkpoint().await)?;
    let problems = if_supported(offered(&store)?.verify().await)?.unwrap_or_default();
    ensure_eq("the problems of a sound store", &Vec::<String>::new(), &problems)?;
    ensure(all(&store).await? == before, "the records of before", "others")?;
    store.put("card:late", "{}").await?;
    if context.capabilities().durability == Durability::None {
        return Ok(());
    }
    store.close().await?;
    let reopened = context.open().await?;
    ensure_eq("how many records there are", &31, &all(&reopened).await?.len())
}

async fn backup(context: &Context) -> CaseResult {
    let store = context.open().await?;
    offered(&store)?;
    store.put("card:1", "{}").await?;
    let target = Target::new();
    if if_supported(offered(&store)?.backup(&target.0).await)?.is_none() {
        return Err(CaseError::ignored("it has no backups"));
    }
    ensure(target.0.exists(), "a backup at its path", "nothing there")?;
    let again = offered(&store)?.backup(&target.0).await;
    let kind = again.err().map(|error| error.kind());
    ensure_eq("the error of a backup to a path that exists", &Some(ErrorKind::Config), &kind)?;
    ensure_eq("the records of the store", &1, &all(&store).await?.len())
}

async fn closed(context: &Context) -> CaseResult {
    let store = context.open().await?;
    offered(&store)?;
    store.put("card:1", "{}").await?;
    let adapter = store.adapter.clone();
    store.close().await?;
    let store = Store::new(adapter);
    let target = Target::new();
    let refusals = [
        offered(&store)?.compact().await,
        offered(&store)?.checkpoint().await,
        offered(&store)?.backup(&target.0).await,
        offered(&store)?.verify().await.map(drop),
    ];
    for refusal in refusals {
        let kind = refusal.err().map(|error| error.kind());
        ensure(
            matches!(kind, Some(ErrorKind::Unavailable | ErrorKind::Unsupported)),
            "Unavailable",
            format_args!("{kind:?}"),
        )?;
    }
    Ok(())
}
