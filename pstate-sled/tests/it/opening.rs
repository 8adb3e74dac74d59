//! Opening what can be opened, and refusing the rest in words that help.

use std::fs;
use std::path::Path;
use std::time::Duration;

use pstate_core::{Adapter, Error, ErrorKind, Space};
use pstate_sled::{Flush, SledAdapter, SledConfig};

use crate::child::{self, Child, say};
use crate::fixture::{Place, get, keys, put, same};

#[track_caller]
fn refusal(path: impl AsRef<Path>) -> String {
    let error = SledAdapter::open(path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(!error.is_retryable());
    assert_eq!(error.operation(), Some("open"));
    error.message().to_owned()
}

fn names(directory: impl AsRef<Path>) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn an_empty_directory_is_used() {
    let place = Place::new();
    fs::create_dir(place.path("app")).unwrap();
    put(&place.open(), "card:1", "{}").await;
}

#[test]
fn a_directory_of_another_program_is_refused_and_left_alone() {
    let place = Place::new();
    fs::create_dir(place.path("app")).unwrap();
    fs::write(place.path("app").join("notes.txt"), "mine").unwrap();
    let message = refusal(place.path("app"));
    assert!(
        message.ends_with(
            "app is no sled database (it holds notes.txt); choose an empty or a new directory"
        ),
        "{message}"
    );
    assert_eq!(names(place.path("app")), ["notes.txt"]);
}

#[test]
fn a_database_of_another_program_is_refused_and_left_alone() {
    let place = Place::new();
    let raw = place.raw();
    raw.open_tree("users").unwrap();
    drop(raw);
    let message = refusal(place.path("app"));
    assert!(
        message
            .ends_with("app belongs to another program (tree \"users\"); choose another directory"),
        "{message}"
    );
    assert_eq!(place.raw().tree_names().len(), 2);
}

#[test]
fn a_database_with_entries_of_another_program_is_refused() {
    let place = Place::new();
    place.raw().insert("a", "b").unwrap();
    let message = refusal(place.path("app"));
    assert!(message.ends_with("app belongs to another program; choose another directory"));
}

#[tokio::test]
async fn a_store_whose_creation_was_interrupted_is_completed() {
    let place = Place::new();
    drop(place.raw());
    put(&place.open(), "card:1", "{}").await;
    assert!(names(place.path("app")).contains(&"pstate.format".to_owned()));
}

#[tokio::test]
async fn a_newer_format_is_refused() {
    let place = Place::new();
    place.open().close().await.unwrap();
    fs::write(place.path("app").join("pstate.format"), "2\n").unwrap();
    let message = refusal(place.path("app"));
    assert!(
        message.ends_with(
            "app was written by a newer version (format 2, this program knows 1); update the program"
        ),
        "{message}"
    );
}

#[tokio::test]
async fn a_format_that_never_was_is_refused() {
    let place = Place::new();
    place.open().close().await.unwrap();
    fs::write(place.path("app").join("pstate.format"), "0\n").unwrap();
    assert!(refusal(place.path("app")).ends_with("has format 0, which never existed"));
    fs::write(place.path("app").join("pstate.format"), "one\n").unwrap();
    assert!(refusal(place.path("app")).ends_with("pstate.format holds no number"));
}

#[tokio::test]
async fn a_store_of_another_version_of_sled_is_refused() {
    let place = Place::new();
    place.open().close().await.unwrap();
    let conf = place.path("app").join("conf");
    let mut bytes = fs::read(&conf).unwrap();
    let version = bytes.windows(4).position(|bytes| bytes == b"0.34").unwrap();
    bytes[version + 2..version + 4].copy_from_slice(b"99");
    // sled only warns of a wrong checksum here.
    fs::write(&conf, bytes).unwrap();
    let message = refusal(place.path("app"));
    assert!(message.ends_with("app cannot be opened by this version of sled"), "{message}");
}

#[test]
fn a_file_is_no_directory() {
    let place = Place::new();
    fs::write(place.path("app"), "a file").unwrap();
    let message = refusal(place.path("app"));
    assert!(
        message.ends_with(
            "app is no directory, and sled keeps several files in one; name a directory"
        ),
        "{message}"
    );
}

#[test]
fn a_missing_directory_above_is_named() {
    let place = Place::new();
    let message = refusal(place.path("missing").join("app"));
    assert!(message.ends_with("missing does not exist; create it first"), "{message}");
    assert!(!place.path("missing").exists());
}

#[test]
fn a_file_in_the_place_of_the_directory_above_is_named() {
    let place = Place::new();
    fs::write(place.path("file"), "").unwrap();
    let message = refusal(place.path("file").join("app"));
    assert!(
        message.ends_with("file is not a directory; choose a path in a directory"),
        "{message}"
    );
}

#[test]
fn a_path_that_is_too_long_says_what_is() {
    let place = Place::new();
    let name = "n".repeat(300);
    let message = refusal(place.path(&name));
    assert!(message.contains("of which the last name has 300"), "{message}");
    let message = refusal(place.path(&format!("{name}/").repeat(20)));
    assert!(message.contains("is longer than the system allows"), "{message}");
}

#[cfg(unix)]
#[test]
fn a_dangling_link_is_named_with_its_target() {
    let place = Place::new();
    std::os::unix::fs::symlink("/missing/target", place.path("app")).unwrap();
    let message = refusal(place.path("app"));
    assert!(
        message.ends_with(
            "app is a link to /missing/target, which does not exist; create that, or remove the link"
        ),
        "{message}"
    );
}

/// No user can create a file in these directories, not even root.
#[cfg(target_os = "linux")]
#[test]
fn a_directory_that_cannot_be_written_to_is_named() {
    let message = refusal("/sys/app");
    assert!(message.starts_with("the directory /sys is "), "{message}");
    assert!(message.ends_with("choose another path"), "{message}");
}

/// Runs the test of that name again, in a process that may have 64 files open.
#[cfg(target_os = "linux")]
fn with_few_files(test: &str) {
    let program = std::env::current_exe().unwrap();
    let status = std::process::Command::new("sh")
        .args(["-c", "ulimit -n 64 && exec \"$@\"", "sh"])
        .arg(program)
        .args([test, "--exact", "--quiet", "--test-threads=1"])
        .env("FEW_FILES", "1")
        .status()
        .unwrap();
    assert!(status.success());
}

#[cfg(target_os = "linux")]
#[test]
fn too_many_open_files_are_called_that() {
    if std::env::var_os("FEW_FILES").is_none() {
        return with_few_files("opening::too_many_open_files_are_called_that");
    }
    let place = Place::new();
    let files: Vec<_> = std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect();
    let error = SledAdapter::open(place.path("app")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().starts_with("too many open files: raise the limit"), "{error}");
    drop(files);
    drop(place.open());
}

/// A directory in its place keeps sled from opening its log, for any user.
#[test]
fn a_place_where_no_file_can_be_created_is_named() {
    let place = Place::new();
    fs::create_dir_all(place.path("app").join("db")).unwrap();
    let message = refusal(place.path("app"));
    assert!(message.ends_with("app cannot be opened or created; choose another directory"));
}

/// The process of the next test; the superuser may write everywhere.
#[cfg(unix)]
#[test]
#[ignore = "a process of its own, started by another test"]
fn child_that_may_not_write() {
    let message = refusal(child::store());
    say(&message);
}

#[cfg(unix)]
#[tokio::test]
async fn a_read_only_directory_is_named() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    let place = Place::new();
    let path = place.path("app");
    place.open().close().await.unwrap();
    let readable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(path.parent().unwrap(), readable).unwrap();
    let before = names(&path);
    for entry in fs::read_dir(&path).unwrap().map(Result::unwrap) {
        let mode = if entry.file_type().unwrap().is_dir() { 0o555 } else { 0o444 };
        fs::set_permissions(entry.path(), fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o555)).unwrap();
    let is_root = fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0);
    let user = is_root.then_some(65_534);
    let mut child = Child::start_as(user, "opening::child_that_may_not_write", &path);
    let message = child.hear().unwrap();
    assert!(message.contains("is not writable for this user; change its permissions"), "{message}");
    assert_eq!(names(&path), before);
}

/// The directory itself could be made, and sled's log in it; the snapshot of a later opening could
/// not.
#[cfg(target_os = "linux")]
#[test]
fn a_path_that_leaves_no_room_for_the_files_in_it_is_refused() {
    let place = Place::new();
    let longest = 4_095 - "/db".len();
    let mut path = place.path("app");
    while path.as_os_str().len() < longest - 110 {
        path.push("d".repeat(100));
    }
    fs::create_dir_all(&path).unwrap();
    let path = path.join("d".repeat(longest - path.as_os_str().len() - 1));
    let message = refusal(&path);
    assert!(message.contains("is longer than the system allows"), "{message}");
    assert!(!path.exists());
}

#[cfg(unix)]
#[test]
fn a_path_with_a_byte_0_is_refused() {
    assert_eq!(refusal("app\0app"), "the path contains a byte 0; choose one without");
}

#[test]
fn a_configuration_that_makes_no_sense_is_refused_before_anything_is_created() {
    let place = Place::new();
    let config = SledConfig::default().flush(Flush::Every(Duration::ZERO));
    let error = SledAdapter::open_with(place.path("app"), config).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(!place.path("app").exists());
}

/// A store with five hundred records, closed, whose log `change` makes something else of.
async fn changed_log(
    place: &Place,
    change: impl FnOnce(&mut Vec<u8>),
) -> Result<SledAdapter, Error> {
    let store = place.open();
    store.write(&Space::default(), &same(&keys(500), &"x".repeat(100))).await.unwrap();
    store.close().await.unwrap();
    let log = place.path("app").join("db");
    let mut bytes = fs::read(&log).unwrap();
    change(&mut bytes);
    fs::write(&log, bytes).unwrap();
    SledAdapter::open(place.path("app"))
}

#[tokio::test]
async fn a_log_of_garbage_is_damage_and_not_an_empty_store() {
    let place = Place::new();
    let error = changed_log(&place, |bytes| bytes.fill(0x5a)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(!error.is_retryable());
    assert!(error.message().contains("app is damaged"), "{error}");
}

#[tokio::test]
async fn a_log_that_is_gone_is_damage_and_not_an_empty_store() {
    let place = Place::new();
    let error = changed_log(&place, Vec::clear).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
}

/// sled takes it for the end of the log.
#[tokio::test]
async fn damage_within_the_log_is_told_and_not_taken_for_its_end() {
    for at in [0, 100, 1_000, 10_000, 50_000] {
        let place = Place::new();
        let opened = changed_log(&place, |bytes| bytes[at..at + 50].fill(0xff)).await;
        let error = opened.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
}

#[tokio::test]
async fn what_damage_has_left_can_be_used() {
    let place = Place::new();
    let error = changed_log(&place, |bytes| bytes[50_000..].fill(0)).await.unwrap_err();
    assert!(error.message().ends_with("or remove pstate.closed to continue with what is left"));
    fs::remove_file(place.path("app").join("pstate.closed")).unwrap();
    put(&place.open(), "card:1", "{}").await;
}

#[test]
fn an_empty_path_is_refused() {
    assert_eq!(refusal(""), "no path: name a directory, as in `sled:app`");
}

#[tokio::test]
async fn what_was_stored_is_there_when_opened_again() {
    let place = Place::new();
    let store = place.open();
    put(&store, "card:1", "{}").await;
    store.close().await.unwrap();
    assert_eq!(get(&place.open(), "card:1").await.unwrap(), b"{}");
}
