//! Where the finished programs lie that the lanes drive.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// The top of the repository this crate was built in.
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("the crate lies two folders below the top").to_path_buf()
}

/// Where `cargo xtask setup` puts what it installs: `OXKEEPER_COMPAT_DIR`, or `target/compat` of the repository.
pub fn tools_dir() -> PathBuf {
    env::var_os("OXKEEPER_COMPAT_DIR").map_or_else(|| repository().join("target/compat"), PathBuf::from)
}

/// The class path of one Apache release, as one line for `java -cp`.
///
/// # Errors
/// When the file is missing; the message names the command that makes it.
pub fn class_path(version: &str) -> Result<String> {
    let file = tools_dir().join(format!("apache-{version}.classpath"));
    let text = std::fs::read_to_string(&file)
        .with_context(|| format!("{} is missing; run `cargo xtask setup`", file.display()))?;
    Ok(text.trim().to_owned())
}

/// Our server's program: `OXKEEPER_BIN`, or `release/oxkeeper` in cargo's target directory.
///
/// # Errors
/// When there is no such file; the message names the command that builds it.
pub fn oxkeeper_binary() -> Result<PathBuf> {
    let binary = match env::var_os("OXKEEPER_BIN") {
        Some(named) => PathBuf::from(named),
        None => env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| repository().join("target"), PathBuf::from)
            .join("release/oxkeeper"),
    };
    ensure!(binary.is_file(), "{} is missing; run `cargo build --release`", binary.display());
    // A lane starts it with another working directory.
    std::path::absolute(&binary).with_context(|| format!("no absolute path for {}", binary.display()))
}

/// The program behind the file scripts, which is built beside the server's.
///
/// # Errors
/// When there is no such file; the message names the command that builds it.
pub fn tools_binary() -> Result<PathBuf> {
    let binary = oxkeeper_binary()?.with_file_name("oxkeeper-tools");
    ensure!(binary.is_file(), "{} is missing; run `cargo build --release -p tools`", binary.display());
    Ok(binary)
}

/// The shell's program: `OXKEEPER_CLI_BIN`, or the one built beside the server's.
///
/// # Errors
/// When there is no such file; the message names the command that builds it.
pub fn cli_binary() -> Result<PathBuf> {
    let binary = match env::var_os("OXKEEPER_CLI_BIN") {
        Some(named) => PathBuf::from(named),
        None => oxkeeper_binary()?.with_file_name("oxkeeper-cli"),
    };
    ensure!(binary.is_file(), "{} is missing; run `cargo build --release -p cli`", binary.display());
    std::path::absolute(&binary).with_context(|| format!("no absolute path for {}", binary.display()))
}

/// A file of `crates/compat/scripts`.
pub fn script(name: &str) -> PathBuf {
    repository().join("crates/compat/scripts").join(name)
}

/// A file of `crates/compat/apache`: the `pom.xml`, the logging configuration.
pub fn apache_file(name: &str) -> PathBuf {
    repository().join("crates/compat/apache").join(name)
}

/// A program of the Python environment `cargo xtask setup` made, for example `python`.
///
/// # Errors
/// When it is missing; the message names the command that installs it.
pub fn venv_program(name: &str) -> Result<PathBuf> {
    let program = tools_dir().join("venv/bin").join(name);
    ensure!(program.exists(), "{} is missing; run `cargo xtask setup`", program.display());
    Ok(program)
}
