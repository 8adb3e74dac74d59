//! What every connection gets before it is used.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use pstate_core::{Error, ErrorKind, Result};
use rusqlite::{Connection, Result as SqlResult};

use crate::config::SqliteConfig;
use crate::error::{Phase, from_sqlite, is_busy};

/// Makes a path absolute, so that connections opened later find the same file although the working
/// directory has changed.
pub(crate) fn checked_path(path: &Path) -> Result<PathBuf> {
    let refuse = |why: String| Err(Error::new(ErrorKind::Config, why));
    let text = path.to_string_lossy();
    if text.is_empty() {
        return refuse("no path: name a file, as in `sqlite:app.db`".to_owned());
    }
    if text.starts_with(":memory:") {
        return refuse(format!(
            "{text}: each connection would have a database of its own; use the memory adapter"
        ));
    }
    if text.starts_with("file:") {
        return refuse(format!("{text} is a URI; give the path of the file"));
    }
    std::path::absolute(path)
        .map_err(|error| Error::new(ErrorKind::Config, format!("the path {text}")).caused_by(error))
}

/// Applies the settings that all connections share.
pub(super) fn tune(connection: &Connection, config: &SqliteConfig, path: &Path) -> Result<()> {
    let fail = |error| from_sqlite(error, path, config.busy_timeout, Phase::Open);
    // A negative number is an amount of KiB, a positive one of pages.
    let cache_size = format!("-{}", config.cache_size.div_ceil(1024));
    set_pragma(connection, "cache_size", &cache_size).map_err(fail)?;
    set_pragma(connection, "mmap_size", &config.mmap_size.to_string()).map_err(fail)?;
    for (name, value) in &config.pragmas {
        let known: bool = connection
            .query_row(
                "SELECT count(*) > 0 FROM pragma_pragma_list WHERE name = lower(?1)",
                [name],
                |row| row.get(0),
            )
            .map_err(fail)?;
        if !known {
            let message = format!("PRAGMA {name}: SQLite does not know it");
            return Err(Error::new(ErrorKind::Config, message));
        }
        set_pragma(connection, name, value).map_err(|error| {
            Error::new(ErrorKind::Config, format!("PRAGMA {name}")).caused_by(error)
        })?;
    }
    Ok(())
}

pub(super) fn set_pragma(connection: &Connection, name: &str, value: &str) -> SqlResult<()> {
    let quoted = value.replace('\'', "''");
    let mut statement = connection.prepare(&format!("PRAGMA {name} = '{quoted}'"))?;
    // Some answer with rows, and take effect only when all are read.
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}

pub(super) fn enter_wal_mode(
    connection: &Connection,
    config: &SqliteConfig,
    path: &Path,
) -> Result<()> {
    let fail = |error| from_sqlite(error, path, config.busy_timeout, Phase::Open);
    let mode: String = retry_busy(connection, config.busy_timeout, || {
        connection.query_row("PRAGMA journal_mode = wal", [], |row| row.get(0))
    })
    .map_err(fail)?;
    if mode.eq_ignore_ascii_case("wal") {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Config,
        format!(
            "{} cannot be used in WAL mode (journal_mode stayed {mode:?}); it has to be on a local \
             file system",
            path.display()
        ),
    ))
}

/// Where two connections want to turn their read lock into a write lock, SQLite fails one of them
/// at once, whatever the busy timeout is. All attempts together wait for no longer than that.
fn retry_busy<T>(
    connection: &Connection,
    timeout: Duration,
    mut step: impl FnMut() -> SqlResult<T>,
) -> SqlResult<T> {
    let begin = Instant::now();
    let done = loop {
        match step() {
            Err(error) if is_busy(&error) && begin.elapsed() < timeout => {
                thread::sleep(Duration::from_millis(2));
                connection.busy_timeout(timeout.saturating_sub(begin.elapsed()))?;
            }
            done => break done,
        }
    };
    connection.busy_timeout(timeout)?;
    done
}
