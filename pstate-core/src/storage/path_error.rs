//! Why a path cannot be used.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::model::{Error, ErrorKind};

/// The numbers of "too many open files" in the process and in the system.
const TOO_MANY_FILES: &[i32] = if cfg!(windows) { &[4] } else { &[24, 23] };

/// How much of a long path a message shows, in bytes.
const SHOWN: usize = 200;

/// Finds out why a store's files cannot be opened or created at `path`: for adapters, after their
/// storage engine has failed without saying why. `longest_suffix` is the longest that the engine
/// appends to the name.
///
/// Never opens the file itself: for some engines, closing it again would release the locks that
/// they hold on it. To see whether the directory can be written to, it creates a file there and
/// removes it.
///
/// `None` if the path looks usable, as far as it can be seen.
///
/// ```
/// use std::path::Path;
///
/// let error = pstate_core::path_error(Path::new("/does/not/exist"), "-wal").unwrap();
/// assert_eq!(error.message(), "the directory /does/not does not exist; create it first");
/// ```
pub fn path_error(path: &Path, longest_suffix: &str) -> Option<Error> {
    let at = shortened(path);
    match with_suffix(path, longest_suffix).symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::InvalidFilename => {
            return Some(too_long(path, longest_suffix));
        }
        _ => {}
    }
    if path.is_symlink()
        && let Err(error) = path.metadata()
    {
        let target = path.read_link().unwrap_or_default();
        let target = shortened(&target);
        return Some(config(match error.kind() {
            io::ErrorKind::NotFound => format!(
                "{at} is a link to {target}, which does not exist; create that, or remove the link"
            ),
            _ => format!("{at} is a link to {target}, which cannot be followed: {error}"),
        }));
    }
    let directory = match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    };
    let shown = shortened(directory);
    match directory.metadata() {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => {
            let message = format!("{shown} is not a directory; choose a path in a directory");
            return Some(config(message));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let message = format!("the directory {shown} does not exist; create it first");
            return Some(config(message));
        }
        Err(error) => return Some(cannot_create(&shown, &error)),
    }
    create_and_remove(directory).err().map(|error| cannot_create(&shown, &error))
}

/// What an error of the operating system says about the directory `shown`.
fn cannot_create(shown: &str, error: &io::Error) -> Error {
    if error.raw_os_error().is_some_and(|code| TOO_MANY_FILES.contains(&code)) {
        return Error::new(
            ErrorKind::Unavailable,
            "too many open files: raise the limit (`ulimit -n`), or open fewer stores and \
             connections",
        )
        .retryable();
    }
    match error.kind() {
        io::ErrorKind::PermissionDenied => config(format!(
            "the directory {shown} is not writable for this user; change its permissions, or choose \
             another path"
        )),
        io::ErrorKind::ReadOnlyFilesystem => config(format!(
            "the directory {shown} is on a read-only file system; choose another path"
        )),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            let message = format!("the disk of the directory {shown} is full; free some of it");
            Error::new(ErrorKind::Unavailable, message).retryable()
        }
        _ => config(format!("no file can be created in the directory {shown}: {error}")),
    }
}

fn create_and_remove(directory: &Path) -> io::Result<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = directory.join(format!(".pstate-{}-{count}", process::id()));
    File::options().write(true).create_new(true).open(&path)?;
    fs::remove_file(path)
}

fn too_long(path: &Path, longest_suffix: &str) -> Error {
    let name = path.file_name().map_or(0, std::ffi::OsStr::len);
    config(format!(
        "the path {} is longer than the system allows: {} bytes, of which the last name has {name}, \
         and {} more are needed; shorten it",
        shortened(path),
        path.as_os_str().len(),
        longest_suffix.len()
    ))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// A path as a message shows it.
fn shortened(path: &Path) -> String {
    let text = path.display().to_string();
    match text.char_indices().find(|(at, _)| *at >= SHOWN) {
        Some((at, _)) => format!("{}..", &text[..at]),
        None => text,
    }
}

fn config(message: String) -> Error {
    Error::new(ErrorKind::Config, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(error: impl Into<io::Error>) -> Error {
        cannot_create("/data", &error.into())
    }

    #[test]
    fn each_reason_says_what_to_do() {
        assert_eq!(
            denied(io::ErrorKind::PermissionDenied).message(),
            "the directory /data is not writable for this user; change its permissions, or choose \
             another path"
        );
        let read_only = denied(io::ErrorKind::ReadOnlyFilesystem);
        assert!(
            read_only.message().ends_with("is on a read-only file system; choose another path")
        );
        assert_eq!(read_only.kind(), ErrorKind::Config);
        for &code in TOO_MANY_FILES {
            let error = denied(io::Error::from_raw_os_error(code));
            assert!(error.message().starts_with("too many open files: raise"), "{error}");
            assert!(error.is_retryable());
        }
        assert!(denied(io::ErrorKind::StorageFull).is_retryable());
    }

    #[test]
    fn a_usable_path_has_no_error_and_leaves_no_file() {
        let directory = std::env::temp_dir().join(format!("pstate-path-{}", process::id()));
        fs::create_dir_all(&directory).expect("a directory");
        assert!(path_error(&directory.join("app.db"), "-wal").is_none());
        assert_eq!(directory.read_dir().expect("readable").count(), 0);
        fs::remove_dir(directory).expect("empty");
    }
}
