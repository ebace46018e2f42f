//! `cargo xtask bench --against apache`: hands over to the load generator's own comparison.

use std::process::Command;

use anyhow::{Result, ensure};

use crate::compat::build;
use crate::run::{release_program, repository, run, tools_dir};
use crate::setup::{APACHE_RELEASES, setup};

/// Builds everything as it is shipped and compares both servers in one run.
///
/// # Errors
/// When a step breaks; the words after `--against apache` are handed on to `oxkeeper-bench compare`.
pub(crate) fn bench(words: &[String]) -> Result<()> {
    let (against, rest) = words.split_at_checked(2).unwrap_or((words, &[]));
    ensure!(against == ["--against", "apache"], "say `cargo xtask bench --against apache`");
    setup()?;
    build()?;
    let [newest, ..] = APACHE_RELEASES;
    let mut compare = Command::new(release_program("oxkeeper-bench"));
    compare.current_dir(repository()).arg("compare");
    compare.arg("--apache-classpath").arg(tools_dir().join(format!("apache-{newest}.classpath")));
    compare.arg("--server").arg(release_program("oxkeeper"));
    compare.args(rest);
    run(&mut compare)
}
