//! Running other programs and telling what runs.

use std::env;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

/// The top of the repository.
pub(crate) fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("xtask lies one folder below the top").to_path_buf()
}

/// Where the lanes' programs are installed. The `compat` crate finds them by the same rule.
pub(crate) fn tools_dir() -> PathBuf {
    env::var_os("OXKEEPER_COMPAT_DIR").map_or_else(|| repository().join("target/compat"), PathBuf::from)
}

/// Where cargo builds.
pub(crate) fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from)
}

/// A program of the release build.
pub(crate) fn release_program(name: &str) -> PathBuf {
    target_dir().join("release").join(name)
}

/// The cargo that runs this program, at the top of the repository.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(repository());
    command
}

/// Prints one line of progress, at once.
#[expect(clippy::print_stdout, reason = "a command line program tells its progress here")]
pub(crate) fn say(line: &str) {
    println!("{line}");
    // Whoever reads a pipe wants to see how far it is; nothing is lost when nobody reads.
    let _ = std::io::stdout().flush();
}

/// Runs a command with its output on this program's own, and says how long it took.
///
/// # Errors
/// When it cannot be started or does not end with 0.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = show(command);
    say(&format!("$ {shown}"));
    let began = Instant::now();
    let status = command.status().with_context(|| format!("starting {shown}"))?;
    ensure!(status.success(), "{shown} ended with {status}");
    say(&format!("  {:.1} s", began.elapsed().as_secs_f64()));
    Ok(())
}

/// As [`run`], but stdout goes line by line to `each` as well, and the end status is the answer instead of an error.
///
/// # Errors
/// When it cannot be started.
pub(crate) fn run_and_read(command: &mut Command, mut each: impl FnMut(&str)) -> Result<bool> {
    let shown = show(command);
    say(&format!("$ {shown}"));
    let began = Instant::now();
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("starting {shown}"))?;
    let stdout = child.stdout.take().expect("asked for a pipe");
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        say(&line);
        each(&line);
    }
    let status = child.wait()?;
    say(&format!("  {:.1} s", began.elapsed().as_secs_f64()));
    Ok(status.success())
}

/// Whether a command can be started and ends with 0, silently.
pub(crate) fn succeeds(program: impl AsRef<OsStr>, arguments: &[&str]) -> bool {
    let quiet = || Stdio::null();
    let status =
        Command::new(program).args(arguments).stdin(quiet()).stdout(quiet()).stderr(quiet()).status();
    status.is_ok_and(|status| status.success())
}

/// The command line as a person would type it, long arguments cut.
fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words = words.map(|word| {
        let word = word.to_string_lossy();
        match word.char_indices().nth(100) {
            Some((at, _)) => format!("{}...", word.get(..at).unwrap_or_default()),
            None => word.into_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}
