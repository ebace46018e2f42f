//! kazoo's own test suite, from its source package, against a server that stands alone and against three members.
//!
//! kazoo's test harness starts the server itself, by a Java command line; [`stand_in`](super::stand_in) takes that call. The tests that
//! cannot pass are listed with their reasons in `data/kazoo.txt`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, iter, thread};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::Case;
use super::process::run as run_program;
use crate::harness::{APACHE_NEWEST, Target, free_ports, repository, script, tools_dir, venv_program};

/// Alone the whole suite takes three and a half minutes.
const SUITE_TIME_MAX: Duration = Duration::from_secs(20 * 60);
/// One test, as pytest-timeout counts it.
const TEST_SECONDS_MAX: &str = "120";
/// kazoo gives each member this many ports.
const PORTS_OF_A_MEMBER: u16 = 10;

/// How many servers kazoo starts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Size {
    Alone,
    Ensemble,
}

/// Runs the suite both ways, at once: kazoo's tests wait most of the time.
pub(crate) fn run(target: &Target) -> Result<Vec<Case>> {
    let list = read_list()?;
    let (alone, ensemble) = thread::scope(|scope| {
        let ensemble = scope.spawn(|| of_size(target, Size::Ensemble, &list));
        let alone = of_size(target, Size::Alone, &list);
        (alone, ensemble.join().expect("running a suite does not panic"))
    });
    let mut cases = alone?;
    cases.extend(ensemble.context("three members")?);
    Ok(cases)
}

/// Runs the suite and holds each test to what the list says of it. A test that fails is run once more: several of kazoo's tests race
/// with their own timers, and a fault of the server fails twice.
fn of_size(target: &Target, size: Size, list: &[Entry]) -> Result<Vec<Case>> {
    let left_out = |entry: &&Entry| entry.kind.is_left_out(target, size);
    let left_out: Vec<&str> = list.iter().filter(left_out).map(|entry| entry.test.as_str()).collect();
    let mut outcomes = suite(target, size, &Selection::AllBut(&left_out))?;
    ensure!(!outcomes.is_empty(), "pytest ran no test");
    let must_fail = |test: &str| list.iter().any(|entry| entry.test == test && entry.kind.must_fail(size));
    let failed: Vec<String> = outcomes
        .iter()
        .filter(|(test, outcome)| outcome.failed() && !must_fail(test))
        .map(|(test, _)| test.clone())
        .collect();
    if !failed.is_empty() {
        outcomes.extend(suite(target, size, &Selection::Only(&failed))?);
    }
    let ran = outcomes.iter().filter(|(_, outcome)| outcome.outcome != "skipped");
    Ok(ran.map(|(test, outcome)| outcome.case(test, size, must_fail(test))).collect())
}

/// Why a test cannot pass, or need not be run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// Needs several servers: fails against one that stands alone, whichever it is, and has to.
    Cluster,
    /// The same, and there it needs what our members leave to later work.
    ClusterLater,
    /// Needs what our server leaves to later work: not run against it.
    Later,
    /// Has nothing to do with how many servers there are: run against one.
    Alone,
}

impl Kind {
    /// Whether the test is not even tried.
    fn is_left_out(self, target: &Target, size: Size) -> bool {
        match self {
            Self::Cluster => false,
            Self::ClusterLater => *target == Target::Oxkeeper && size == Size::Ensemble,
            Self::Later => *target == Target::Oxkeeper,
            Self::Alone => size == Size::Ensemble,
        }
    }

    /// Whether the test cannot pass.
    fn must_fail(self, size: Size) -> bool {
        match self {
            Self::Cluster | Self::ClusterLater => size == Size::Alone,
            Self::Later | Self::Alone => false,
        }
    }
}

/// A line of `data/kazoo.txt`.
#[derive(Debug)]
struct Entry {
    kind: Kind,
    /// `file.py::Class::test`, or less of it for several.
    test: String,
}

/// Reads the list: the kind, the test, and the reason.
fn read_list() -> Result<Vec<Entry>> {
    let file = repository().join("crates/compat/data/kazoo.txt");
    let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let entries = lines.map(|line| {
        let mut words = line.splitn(3, ' ');
        let kind = match words.next() {
            Some("cluster") => Kind::Cluster,
            Some("cluster-later") => Kind::ClusterLater,
            Some("later") => Kind::Later,
            Some("alone") => Kind::Alone,
            _ => bail!("data/kazoo.txt: `{line}` begins with no kind of line"),
        };
        let test =
            words.next().with_context(|| format!("data/kazoo.txt: `{line}` names no test"))?.to_owned();
        ensure!(words.next().is_some(), "data/kazoo.txt: {test} has no reason");
        Ok(Entry { kind, test })
    });
    entries.collect()
}

/// What the pytest plugin writes for each test.
#[derive(Debug, Deserialize)]
struct Outcome {
    test: String,
    /// `passed`, `failed` or `skipped`.
    outcome: String,
    /// The end of the traceback.
    message: String,
}

impl Outcome {
    /// Whether it did not pass.
    fn failed(&self) -> bool {
        self.outcome == "failed"
    }

    /// The check this test is.
    fn case(&self, test: &str, size: Size, must_fail: bool) -> Case {
        let trouble = match (self.failed(), must_fail) {
            (true, false) => Some(self.message.clone()),
            (false, true) => Some("passes now: take it out of data/kazoo.txt".to_owned()),
            (true, true) | (false, false) => None,
        };
        let name = match size {
            Size::Alone => test.to_owned(),
            Size::Ensemble => format!("three members: {test}"),
        };
        Case { name, trouble }
    }
}

/// Which tests to run.
enum Selection<'a> {
    AllBut(&'a [&'a str]),
    Only(&'a [String]),
}

/// Runs pytest in a directory of its own and reads what its plugin wrote.
fn suite(target: &Target, size: Size, selection: &Selection<'_>) -> Result<BTreeMap<String, Outcome>> {
    let dir = tempfile::Builder::new().prefix("compat-kazoo-").tempdir()?;
    let results = dir.path().join("results.jsonl");
    let tests = tests_dir()?;
    let mut pytest = Command::new(venv_program("python")?);
    pytest.current_dir(&tests).args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "lane_results"]);
    pytest.arg("--timeout").arg(TEST_SECONDS_MAX).arg("--rootdir").arg(&tests);
    match selection {
        Selection::AllBut(tests) => pytest.args(tests.iter().flat_map(|test| ["--deselect", test])),
        Selection::Only(tests) => pytest.args(*tests),
    };
    let version = match target {
        Target::Apache { version } => version.as_str(),
        Target::Oxkeeper => APACHE_NEWEST,
    };
    pytest.env("PATH", path_with_stand_in(dir.path())?).env("PYTHONPATH", script(""));
    pytest.env("PYTHONDONTWRITEBYTECODE", "1").env("TMPDIR", dir.path());
    pytest.env("COMPAT_RESULTS", &results).env("COMPAT_TARGET", target.to_string());
    pytest.env("COMPAT_JAVA", which("java")?).env_remove("CI");
    pytest.env("OXKEEPER_COMPAT_DIR", tools_dir());
    pytest.env("ZOOKEEPER_VERSION", version).env("ZOOKEEPER_CLASSPATH", "chosen-by-the-stand-in");
    let members = match size {
        Size::Alone => 1,
        Size::Ensemble => 3,
    };
    let first_port = free_ports(members * PORTS_OF_A_MEMBER)?;
    pytest.env("ZOOKEEPER_CLUSTER_SIZE", members.to_string());
    pytest.env("ZOOKEEPER_PORT_OFFSET", first_port.to_string());
    let output = run_program(&mut pytest, "", SUITE_TIME_MAX)?;
    let written = fs::read_to_string(&results);
    let written =
        written.with_context(|| format!("pytest broke off:\n{}\n{}", output.stdout, output.stderr))?;
    let outcomes = written.lines().map(|line| {
        let outcome: Outcome = serde_json::from_str(line)?;
        Ok((outcome.test.clone(), outcome))
    });
    outcomes.collect()
}

/// Where the source package put its tests.
fn tests_dir() -> Result<PathBuf> {
    let lib = tools_dir().join("venv/lib");
    let pythons =
        fs::read_dir(&lib).with_context(|| format!("reading {}; run `cargo xtask setup`", lib.display()))?;
    for python in pythons {
        let tests = python?.path().join("site-packages/kazoo/tests");
        if tests.is_dir() {
            return Ok(tests);
        }
    }
    bail!("kazoo's tests are not below {}; run `cargo xtask setup`", lib.display())
}

/// Puts the stand-in first in the search path, under the name `java`.
fn path_with_stand_in(dir: &Path) -> Result<OsString> {
    let bin = dir.join("bin");
    fs::create_dir_all(&bin)?;
    let here = env::current_exe()?;
    let stand_in = here.with_file_name("java_stand_in");
    ensure!(stand_in.is_file(), "{} is missing; run `cargo build --release -p compat`", stand_in.display());
    symlink(&stand_in, bin.join("java"))?;
    let path = env::var_os("PATH").unwrap_or_default();
    Ok(env::join_paths(iter::once(bin).chain(env::split_paths(&path)))?)
}

/// Where a program lies in the search path.
fn which(name: &str) -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file());
    found.with_context(|| format!("{name} is not in the search path; run `cargo xtask setup`"))
}
