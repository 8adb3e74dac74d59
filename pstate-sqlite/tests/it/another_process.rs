//! A second process, made of this test binary: within one process, SQLite knows its own locks.

use std::env;
use std::path::Path;
use std::process::Command;

use rusqlite::Connection;

const DATABASE: &str = "PSTATE_SQLITE_TEST_DATABASE";
const STATEMENTS: &str = "PSTATE_SQLITE_TEST_STATEMENTS";

/// Runs the statements in a process of their own, and returns what it printed: an error, or `done`.
pub(crate) fn execute(database: &Path, statements: &str) -> String {
    let child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "another_process::child", "--nocapture"])
        .env(DATABASE, database)
        .env(STATEMENTS, statements)
        .output()
        .unwrap();
    String::from_utf8(child.stdout).unwrap()
}

/// Does nothing, except in the child.
#[test]
fn child() {
    let (Some(database), Ok(statements)) = (env::var_os(DATABASE), env::var(STATEMENTS)) else {
        return;
    };
    match Connection::open(database).and_then(|database| database.execute_batch(&statements)) {
        Ok(()) => println!("done"),
        Err(error) => println!("{error}"),
    }
}
