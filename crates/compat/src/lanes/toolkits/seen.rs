//! What a run of a tool has shown and left behind, as one text to be compared.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::layout::script_command;
use super::originals::PROPERTIES;
use super::plan::Run;
use crate::harness::tools_binary;
use crate::lanes::mapping::{mask_after, sort_runs};
use crate::lanes::process::run as run_program;

/// One run of one tool.
const TOOL_TIME_MAX: Duration = Duration::from_secs(20);

/// Everything that can be seen of a run.
pub(super) struct Seen {
    pub(super) text: String,
}

impl Seen {
    /// What `Toolkits.java` noted down.
    pub(super) fn of_original(dir: &Path) -> Result<Self> {
        let read = |name: &str| -> Result<String> {
            let bytes = fs::read(dir.join(name)).with_context(|| format!("{name} of {}", dir.display()))?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        Self::new(&read("stdout")?, &read("stderr")?, read("code")?.parse()?, dir)
    }

    /// Runs our script.
    pub(super) fn of_script(run: &Run) -> Result<Self> {
        let mut script = match run.tool.script() {
            Some(script) => script_command(script)?,
            None => {
                let mut purge = Command::new(tools_binary()?);
                purge.args([PROPERTIES, "purge"]).env("TZ", "UTC");
                purge
            }
        };
        script.args(&run.arguments).current_dir(&run.dir).env("JVMFLAGS", PROPERTIES);
        let output = run_program(&mut script, &run.input, TOOL_TIME_MAX)?;
        Self::new(&output.stdout, &output.stderr, output.code, &run.dir)
    }

    fn new(stdout: &str, stderr: &str, code: i32, dir: &Path) -> Result<Self> {
        let stdout = mask_after(&stdout.replace('\u{202f}', " "), "\"timestamp\":", &['}']);
        // Deleted in the order of the directory.
        let stdout = sort_runs(&stdout, |line| line.starts_with("Removing file: "));
        let mut text = String::new();
        for line in stdout.split('\n') {
            // How long something took.
            let took = ["Deserialized snapshot in ", "Processed data tree in "];
            let timed = took.iter().any(|start| line.starts_with(start));
            text.push_str(if timed { line.rsplit_once(" in ").map_or(line, |(what, _)| what) } else { line });
            text.push('\n');
        }
        text.push_str("---- stderr\n");
        for line in stderr.lines().filter(|line| !is_stack_frame(line)) {
            // The virtual machine explains what was null, in the words of its source.
            let known = line.find("NullPointerException").unwrap_or(line.len());
            text.push_str(&line[..known]);
            text.push('\n');
        }
        write!(text, "---- exit code {code}\n---- files\n")?;
        put_files(&mut text, &dir.join("work"), "")?;
        Ok(Self { text })
    }
}

fn is_stack_frame(line: &str) -> bool {
    ["\tat ", "\t... ", "Caused by: "].iter().any(|start| line.starts_with(start))
}

/// Appends the names, lengths and checksums of all files.
fn put_files(text: &mut String, dir: &Path, prefix: &str) -> Result<()> {
    let mut entries = fs::read_dir(dir)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            put_files(text, &entry.path(), &format!("{name}/"))?;
        } else {
            let bytes = fs::read(entry.path())?;
            writeln!(text, "{name}: {} bytes, {:016x}", bytes.len(), checksum(&bytes))?;
        }
    }
    Ok(())
}

/// FNV-1a: enough to tell two files apart.
fn checksum(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum, &byte| (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
