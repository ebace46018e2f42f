//! Apache's tools, all runs in one virtual machine.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::harness::{APACHE_NEWEST, apache_file, class_path};
use crate::lanes::process::run as run_program;

/// All runs together.
const TIME_MAX: Duration = Duration::from_secs(120);

/// The properties of the runs, for both sides: recovered logs grow by 64 KiB instead of 64 MiB.
pub(super) const PROPERTIES: &str = "-Dzookeeper.preAllocSize=64";

/// Runs what is laid out in `dir`, and leaves the results beside it.
pub(super) fn run_originals(dir: &Path) -> Result<()> {
    let mut java = Command::new("java");
    java.arg(format!("-Dlogback.configurationFile={}", apache_file("logback.xml").display()));
    java.args(["-Dcompat.log.level=OFF", PROPERTIES, "-XX:TieredStopAtLevel=1", "-cp"]);
    java.arg(class_path(APACHE_NEWEST)?).arg(apache_file("Toolkits.java")).arg(dir).current_dir(dir);
    // Times are shown in it, and lines of text in this form.
    java.env("TZ", "UTC").env("LC_ALL", "C.UTF-8");
    let output = run_program(&mut java, "", TIME_MAX)?;
    ensure!(output.code == 0, "Toolkits.java ended with {}\n{}", output.code, output.stderr);
    Ok(())
}
