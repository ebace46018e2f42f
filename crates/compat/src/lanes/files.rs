//! One data directory under two servers in turn: Apache, the target, Apache, the target.
//!
//! Each server loads znodes of every kind on top of what is there, then it is stopped or killed, and the next one has to show the very same
//! tree: paths, data, stats, ACLs. Where both record digests for a zxid, those are equal too, and nobody counts a mismatch.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Case;
use super::mapping::difference;
use super::process::run as run_program;
use crate::harness::{APACHE_NEWEST, APACHE_OLDER, Server, Spec, Target, script, venv_program};

/// One run of a Python script.
const SCRIPT_TIME_MAX: Duration = Duration::from_secs(120);

/// How a server leaves its directory.
#[derive(Clone, Copy, Debug)]
enum End {
    Stop,
    Kill9,
}

/// How snapshots are written (`zookeeper.snapshot.compression.method`; empty for plain) and how each server ends.
const WAYS: [(&str, End); 4] = [("", End::Kill9), ("", End::Stop), ("gz", End::Kill9), ("snappy", End::Stop)];

/// Every release with every way.
pub(crate) fn run(target: &Target) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for release in [APACHE_NEWEST, APACHE_OLDER] {
        for (compression, end) in WAYS {
            Chain { release, compression, end, target }.run(&mut cases)?;
        }
    }
    Ok(cases)
}

/// One directory and who works on it.
struct Chain<'a> {
    release: &'static str,
    /// `zookeeper.snapshot.compression.method`; empty for none.
    compression: &'static str,
    end: End,
    target: &'a Target,
}

/// What a server showed before it ended.
struct Shown {
    /// The whole tree as text, one znode a line.
    tree: String,
    /// Digests by zxid, both as `hash` prints them.
    digests: BTreeMap<String, String>,
}

impl Chain<'_> {
    /// Lets four servers work on the directory one after the other. A chain that breaks is one failing case: what comes after it
    /// would only repeat that.
    fn run(&self, cases: &mut Vec<Case>) -> Result<()> {
        let dir = tempfile::Builder::new().prefix("compat-files-").tempdir()?;
        let apache = Target::Apache { version: self.release.to_owned() };
        let mut before: Option<Shown> = None;
        for (number, server) in [&apache, self.target, &apache, self.target].into_iter().enumerate() {
            let method = if self.compression.is_empty() { "plain" } else { self.compression };
            let name = format!("{} {method} {:?}: {} {server}", self.release, self.end, number + 1);
            match self.turn(server, dir.path(), number, before.as_ref()) {
                Ok(shown) => {
                    cases.push(Case::of(name, Ok(())));
                    before = Some(shown);
                }
                Err(error) => {
                    cases.push(Case::of(name, Err(error)));
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Starts one server, compares, loads more, and ends it.
    fn turn(&self, target: &Target, dir: &Path, number: usize, before: Option<&Shown>) -> Result<Shown> {
        // Snapshots fall into the load; sessions with ephemerals outlive the change of servers.
        let spec = Spec::new(target.clone()).dir(dir).cfg("maxSessionTimeout", 600_000).cfg("snapCount", 500);
        let spec =
            spec.property("zookeeper.extendedTypesEnabled", "true").property("zookeeper.snapCount", 500);
        let spec = match self.compression {
            "" => spec,
            method => spec.property("zookeeper.snapshot.compression.method", method),
        };
        let mut server = spec.start()?;
        if let Some(before) = before {
            compare(before, &show(&server)?)?;
        }
        python("load.py", &server, &[&format!("/stage{number}")])?;
        let shown = show(&server)?;
        let mismatches = metric(&server, "zk_digest_mismatches_count")?;
        ensure!(mismatches == "0", "{mismatches} digests did not match");
        match self.end {
            End::Stop => drop(server.stop()?),
            End::Kill9 => server.kill9()?,
        }
        Ok(shown)
    }
}

/// Holds what is there now to what was there before.
fn compare(before: &Shown, now: &Shown) -> Result<()> {
    if let Some(difference) = difference(&before.tree, &now.tree) {
        anyhow::bail!("the tree has changed (first as the server before showed it):\n{difference}");
    }
    for (zxid, digest) in &before.digests {
        if let Some(other) = now.digests.get(zxid) {
            ensure!(digest == other, "digest of {zxid}: {digest} before, {other} now");
        }
    }
    Ok(())
}

/// The whole tree and the recorded digests.
fn show(server: &Server) -> Result<Shown> {
    let tree = python("dump.py", server, &[])?;
    let hash = server.word("hash")?;
    let digests = hash.lines().filter_map(|line| line.split_once(": "));
    let digests = digests.map(|(zxid, digest)| (zxid.to_owned(), digest.to_owned())).collect();
    Ok(Shown { tree, digests })
}

/// One metric of `mntr`.
fn metric(server: &Server, name: &str) -> Result<String> {
    let answer = server.word("mntr")?;
    let value = answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('\t'));
    Ok(value.with_context(|| format!("mntr has no {name}"))?.to_owned())
}

/// Runs one of our Python scripts against a server and gives what it printed.
fn python(name: &str, server: &Server, arguments: &[&str]) -> Result<String> {
    let mut python = Command::new(venv_program("python")?);
    python.env("PYTHONDONTWRITEBYTECODE", "1").arg(script(name)).arg(server.address()).args(arguments);
    let output = run_program(&mut python, "", SCRIPT_TIME_MAX)?;
    ensure!(output.code == 0, "{name} ended with {}\n{}", output.code, output.stderr);
    Ok(output.stdout)
}
