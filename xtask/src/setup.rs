//! `cargo xtask setup`: what the compatibility lanes need, installed once and found again.
//!
//! Programs come from the system's package manager; class paths and the Python environment go to `target/compat`. Each step looks
//! first whether its result is there, so a second run does nothing.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::run::{repository, run, say, succeeds, tools_dir};

/// The releases the lanes compare with: the newest, and the older line whose files and shell have to work too.
pub(crate) const APACHE_RELEASES: [&str; 2] = ["3.9.5", "3.8.6"];

/// A Debian package, and how to see that it is there already.
struct Package {
    name: &'static str,
    /// A program and arguments that end with 0 when the package is usable.
    probe: (&'static str, &'static [&'static str]),
}

/// What comes from the system. Names with a version in them are what Debian 12 has.
const PACKAGES: [Package; 6] = [
    Package { name: "openjdk-17-jre-headless", probe: ("java", &["-version"]) },
    Package { name: "maven", probe: ("mvn", &["-version"]) },
    Package { name: "zookeeper-bin", probe: ("test", &["-x", "/usr/lib/zookeeper/bin/cli_mt"]) },
    Package { name: "python3-venv", probe: ("python3", &["-c", "import venv, ensurepip"]) },
    // Network namespaces of the `faults` lane.
    Package { name: "iproute2", probe: ("ip", &["-V"]) },
    // One of kazoo's test dependencies has no built package and is compiled.
    Package { name: "gcc", probe: ("gcc", &["--version"]) },
];

/// Installs what is missing.
///
/// # Errors
/// When a package, a class path or the Python environment cannot be had.
pub(crate) fn setup() -> Result<()> {
    fs::create_dir_all(tools_dir())?;
    packages()?;
    for release in APACHE_RELEASES {
        class_path(release)?;
    }
    python()?;
    say(&format!("setup is complete in {}", tools_dir().display()));
    Ok(())
}

/// Installs missing Debian packages in one go.
fn packages() -> Result<()> {
    let missing: Vec<&str> = PACKAGES
        .iter()
        .filter(|package| !succeeds(package.probe.0, package.probe.1))
        .map(|package| package.name)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    ensure!(
        succeeds("apt-get", &["--version"]),
        "please install {} by hand: this system has no apt-get",
        missing.join(", ")
    );
    run(Command::new("apt-get").args(["update", "-qq"]))?;
    let mut install = Command::new("apt-get");
    install.env("DEBIAN_FRONTEND", "noninteractive");
    install.args(["install", "--yes", "-qq", "--no-install-recommends"]).args(&missing);
    run(&mut install)?;
    for package in &PACKAGES {
        let (program, arguments) = package.probe;
        ensure!(succeeds(program, arguments), "{} is installed but does not work", package.name);
    }
    Ok(())
}

/// Resolves one Apache release and writes its class path as one line.
fn class_path(release: &str) -> Result<()> {
    let file = tools_dir().join(format!("apache-{release}.classpath"));
    if fs::read_to_string(&file).is_ok_and(|text| every_jar_exists(&text)) {
        return Ok(());
    }
    let pom = repository().join("crates/compat/apache/pom.xml");
    let fresh = file.with_extension("new");
    let mut maven = Command::new("mvn");
    maven.args(["-q", "-B", "-f"]).arg(pom).arg("dependency:build-classpath");
    maven.arg(format!("-Dzk.version={release}"));
    maven.arg(format!("-Dmdep.outputFile={}", fresh.display()));
    run(&mut maven)?;
    fs::rename(&fresh, &file).with_context(|| format!("maven did not write {}", fresh.display()))
}

/// Whether a class path is worth keeping: someone may have cleaned maven's store since.
fn every_jar_exists(class_path: &str) -> bool {
    let class_path = class_path.trim();
    !class_path.is_empty() && class_path.split(':').all(|jar| Path::new(jar).is_file())
}

/// Makes the Python environment of `requirements.txt`, kazoo from its source package: that one has the tests.
fn python() -> Result<()> {
    let requirements = repository().join("crates/compat/scripts/requirements.txt");
    let wanted = fs::read_to_string(&requirements)?;
    let venv = tools_dir().join("venv");
    // A copy of what was installed, written last.
    let installed = venv.join("installed-requirements.txt");
    if fs::read_to_string(&installed).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
    let mut pip = Command::new(venv.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check", "--no-binary", "kazoo"]);
    run(pip.arg("--requirement").arg(&requirements))?;
    fs::write(&installed, wanted)?;
    Ok(())
}
