//! The files that the tools are given: written by both servers, whole.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::harness::{Server, Spec, Target, script, venv_program};
use crate::lanes::process::run as run_program;

/// One load.
const LOAD_TIME_MAX: Duration = Duration::from_secs(120);
/// How snapshots are written in each of a history's loads. What the last start leaves is plain.
const COMPRESSIONS: [&str; 3] = ["gz", "snappy", ""];

/// One server's files.
#[derive(Debug)]
pub(super) struct History {
    /// Who wrote them.
    pub(super) writer: String,
    /// `version-2`.
    pub(super) dir: PathBuf,
}

/// The files of both servers.
#[derive(Debug)]
pub(super) struct Histories {
    pub(super) all: Vec<History>,
}

impl Histories {
    /// Lets Apache and the target write a directory each, at the same time: a virtual machine starts slowly.
    pub(super) fn write(target: &Target, dir: &Path) -> Result<Self> {
        let apache = Target::apache();
        let (apaches, targets) = thread::scope(|scope| {
            let apaches = scope.spawn(|| History::write(&apache, &dir.join("apache")));
            let targets = (*target != apache).then(|| History::write(target, &dir.join("target")));
            (apaches.join().expect("writing does not panic"), targets.transpose())
        });
        let mut all = vec![apaches?];
        all.extend(targets?);
        Ok(Self { all })
    }
}

impl History {
    fn write(target: &Target, dir: &Path) -> Result<Self> {
        for (number, compression) in COMPRESSIONS.iter().enumerate() {
            let spec = Spec::new(target.clone()).dir(dir).cfg("maxSessionTimeout", 600_000);
            let mut spec = spec
                .property("zookeeper.extendedTypesEnabled", "true")
                .property("zookeeper.preAllocSize", 64)
                .property("zookeeper.snapCount", 600);
            if !compression.is_empty() {
                spec = spec.property("zookeeper.snapshot.compression.method", compression);
            }
            let mut server = spec.start()?;
            load(&server, &format!("/load{number}"))?;
            // The sessions that own ephemerals stay in what the next start writes.
            server.kill9()?;
        }
        Ok(Self { writer: target.to_string(), dir: dir.join("data/version-2") })
    }

    /// The files whose names start and end so, oldest first.
    pub(super) fn files(&self, start: &str, end: &str) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(zxid) = name.strip_prefix(start).and_then(|rest| rest.strip_suffix(end)) else {
                continue;
            };
            if let Ok(zxid) = u64::from_str_radix(zxid, 16) {
                found.push((zxid, entry.path()));
            }
        }
        found.sort_unstable();
        Ok(found.into_iter().map(|(_, path)| path).collect())
    }

    /// The newest of them.
    pub(super) fn newest(&self, start: &str, end: &str) -> Result<PathBuf> {
        let newest = self.files(start, end)?.pop();
        newest.with_context(|| format!("{} wrote no {start}*{end} in {}", self.writer, self.dir.display()))
    }
}

fn load(server: &Server, root: &str) -> Result<()> {
    let mut python = Command::new(venv_program("python")?);
    python.env("PYTHONDONTWRITEBYTECODE", "1").arg(script("load.py")).args([&server.address(), root]);
    let output = run_program(&mut python, "", LOAD_TIME_MAX)?;
    ensure!(output.code == 0, "load.py ended with {}\n{}", output.code, output.stderr);
    Ok(())
}
