//! Starting the suite `hits`, which is a binary of its own beside this one.

use std::env;
use std::process::Command;

use clap::Args;
use pstate_benches::Result;

// Every argument goes to that binary: `--help` as well.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Arguments {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let binary = env::current_exe()?.with_file_name("hits");
    let status = Command::new(&binary).args(&arguments.arguments).status();
    let status = status.map_err(|error| format!("{}: {error}", binary.display()))?;
    if status.success() { Ok(()) } else { Err(format!("{}: {status}", binary.display()).into()) }
}
