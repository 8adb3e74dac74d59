//! What every connection gets before it is used.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use pstate_core::{Error, ErrorKind, Result};
use rusqlite::{Connection, Result as SqlResult};

use crate::config::SqliteConfig;
use crate::error::{Phase, from_sqlite, is_busy};
use crate::layout::bytes;

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
            "{text} names no file; write `memory:` as the whole URL for a store in memory"
        ));
    }
    if text.starts_with("file:") {
        return refuse(format!("{text} is a URI; give the path of the file"));
    }
    std::path::absolute(path)
        .map_err(|error| Error::new(ErrorKind::Config, format!("the path {text}")).caused_by(error))
}

/// PRAGMAs that change the file, for which a connection that reads is of no use.
const OF_THE_FILE: [&str; 5] =
    ["auto_vacuum", "incremental_vacuum", "optimize", "page_size", "wal_checkpoint"];

/// Applies the settings of one connection.
pub(super) fn tune(
    connection: &Connection,
    config: &SqliteConfig,
    path: &Path,
    writes: bool,
) -> Result<()> {
    let fail = |error| from_sqlite(error, path, config.busy_timeout, Phase::Open);
    // A negative number is an amount of KiB, a positive one of pages.
    let cache_size = format!("-{}", config.cache_size.div_ceil(1024));
    set_pragma(connection, "cache_size", &cache_size).map_err(fail)?;
    set_pragma(connection, "mmap_size", &config.mmap_size.to_string()).map_err(fail)?;
    let is_of_file =
        |name: &str| OF_THE_FILE.iter().any(|pragma| pragma.eq_ignore_ascii_case(name));
    for (name, value) in config.pragmas.iter().filter(|(name, _)| writes || !is_of_file(name)) {
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
        set_and_read_back(connection, name, value)?;
    }
    Ok(())
}

/// PRAGMAs that do something when they are read, or that answer with something else than what was
/// set.
const NOT_READ_BACK: [&str; 8] = [
    "cache_spill",
    "foreign_key_check",
    "incremental_vacuum",
    "integrity_check",
    "optimize",
    "quick_check",
    "shrink_memory",
    "wal_checkpoint",
];

/// SQLite takes a value that it does not know for another one, without an error.
fn set_and_read_back(connection: &Connection, name: &str, value: &str) -> Result<()> {
    let failed = |error| Error::new(ErrorKind::Config, format!("PRAGMA {name}")).caused_by(error);
    set_pragma(connection, name, value).map_err(failed)?;
    if NOT_READ_BACK.iter().any(|pragma| pragma.eq_ignore_ascii_case(name)) {
        return Ok(());
    }
    let mut statement = connection.prepare(&format!("PRAGMA {name}")).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    // One without an answer only does something.
    let Some(row) = rows.next().map_err(failed)? else { return Ok(()) };
    let present = String::from_utf8_lossy(&bytes(row.get_ref(0).map_err(failed)?)).into_owned();
    if is_same(name, value, &present) {
        return Ok(());
    }
    let message = format!("PRAGMA {name} = {value}: SQLite ignores it, and has {present}");
    Err(Error::new(ErrorKind::Config, message))
}

/// Whether a value that was set is one that was read back, which is a number where the value may be
/// a word.
fn is_same(name: &str, set: &str, present: &str) -> bool {
    let (name, set) = (name.to_ascii_lowercase(), set.trim().to_ascii_lowercase());
    let number = match (name.as_str(), set.as_str()) {
        ("auto_vacuum" | "temp_store", "file" | "full") | (_, "on" | "yes" | "true") => "1",
        ("auto_vacuum" | "temp_store" | "secure_delete", "memory" | "incremental" | "fast") => "2",
        ("auto_vacuum" | "temp_store", "none" | "default") | (_, "off" | "no" | "false") => "0",
        (_, other) => other,
    };
    let parsed = match number.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16),
        None => number.parse(),
    };
    match (parsed, present.parse::<i64>()) {
        (Ok(number), Ok(present)) => number == present,
        _ => number.eq_ignore_ascii_case(present),
    }
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
