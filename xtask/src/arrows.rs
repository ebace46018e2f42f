//! The crate arrows: who of our crates may use whom, and who must be able to live without `std`.
//!
//! A crate earns its place by what it cannot name. This is the table of ARCHITECTURE.md as a check over `cargo metadata`.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::run::{cargo, repository};

/// A crate and all of our crates it may use. One that is not listed may not be in the workspace.
const ARROWS: [(&str, &[&str]); 16] = [
    ("mutants", &[]),
    ("proto", &[]),
    ("tree", &["mutants", "proto"]),
    ("zab", &["mutants", "proto"]),
    ("store", &["mutants", "proto"]),
    ("member", &["mutants", "proto", "tree", "zab", "store"]),
    ("admin", &["member", "proto"]),
    ("server", &["proto", "tree", "zab", "store", "member", "admin"]),
    ("tools", &["proto", "store"]),
    ("client", &["proto"]),
    ("cli", &["client", "proto"]),
    ("bench", &["client", "proto"]),
    ("sim", &["mutants", "proto", "tree", "zab", "store", "member", "client"]),
    ("compat", &[]),
    ("xtask", &[]),
    ("fuzz", &["proto", "tree", "zab", "store", "member", "admin", "server"]),
];

/// The crates that cannot reach a clock, a socket, a file or a thread; `client` can with its feature `driver` alone.
const NO_STD: [&str; 8] = ["mutants", "proto", "tree", "zab", "store", "member", "admin", "client"];

/// `cargo metadata` of the workspace with all its dependencies.
pub(crate) fn metadata() -> Result<Value> {
    let mut command = cargo();
    command.args(["metadata", "--format-version", "1", "--locked"]).stderr(Stdio::inherit());
    let output = command.output().context("starting cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata ended with {}", output.status);
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The packages of the answer.
pub(crate) fn packages(metadata: &Value) -> Result<&Vec<Value>> {
    metadata.get("packages").and_then(Value::as_array).context("cargo metadata has no packages")
}

/// A text field of a package.
pub(crate) fn text<'a>(package: &'a Value, field: &str) -> Option<&'a str> {
    package.get(field).and_then(Value::as_str)
}

/// Holds every crate of ours to its arrows.
///
/// # Errors
/// When one uses what it may not, is in no row of the table, or has lost its `#![no_std]`.
pub(crate) fn check(metadata: &Value) -> Result<()> {
    // Packages without a source lie in this repository.
    let ours: Vec<&Value> =
        packages(metadata)?.iter().filter(|package| text(package, "source").is_none()).collect();
    let names: BTreeSet<&str> = ours.iter().filter_map(|package| text(package, "name")).collect();
    for package in &ours {
        let name = text(package, "name").context("a package without a name")?;
        let used = package.get("dependencies").and_then(Value::as_array).context("no dependencies")?;
        let used = used.iter().filter_map(|dependency| text(dependency, "name"));
        hold(name, used.filter(|used| names.contains(used)))?;
    }
    for name in NO_STD {
        let file = repository().join("crates").join(name).join("src/lib.rs");
        let source = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        ensure!(
            source.lines().any(|line| line.trim() == "#![no_std]"),
            "{} has lost its #![no_std]: what a crate cannot name it cannot use",
            file.display()
        );
    }
    Ok(())
}

/// Holds one crate to its row of the table, tests included: a test that needs more belongs to a crate further out.
fn hold<'a>(name: &str, used: impl Iterator<Item = &'a str>) -> Result<()> {
    let Some((_, allowed)) = ARROWS.iter().find(|(row, _)| *row == name) else {
        bail!(
            "crate {name} has no row in xtask/src/arrows.rs; say there and in ARCHITECTURE.md what it may use"
        );
    };
    for used in used {
        ensure!(
            allowed.contains(&used),
            "{name} uses {used}, but it may use only {}",
            if allowed.is_empty() { "nothing of ours".to_owned() } else { allowed.join(", ") }
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_holds_its_arrows_and_licences() {
        let metadata = metadata().unwrap();
        check(&metadata).unwrap();
        crate::licences::check(&metadata).unwrap();
    }

    #[test]
    fn a_forbidden_arrow_and_an_unknown_crate_are_told() {
        assert!(hold("tree", ["proto"].into_iter()).is_ok());
        let error = hold("tree", ["proto", "store"].into_iter()).unwrap_err().to_string();
        assert!(error.contains("tree uses store"), "{error}");
        assert!(hold("server", ["client"].into_iter()).is_err());
        assert!(hold("util", [].into_iter()).is_err());
    }
}
