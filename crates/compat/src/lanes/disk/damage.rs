//! Damaged, torn and missing files.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::history::History;
use crate::harness::Target;
use crate::lanes::Case;

/// A copy of the history for each kind of damage.
pub(super) fn run(target: &Target) -> Result<Vec<Case>> {
    let logs = History::with_logs(target).context("making a history of logs")?;
    let snapshots = History::with_snapshots(target).context("making a history with snapshots")?;
    let mut cases = vec![
        Case::of("an undamaged copy", logs.copy().and_then(|copy| copy.starts(0)).map(drop)),
        Case::of("a damaged byte in an older log", older_log(&logs)),
        Case::of("a damaged byte in the newest log", newest_log(&logs)),
        Case::of("a log missing in the middle", missing_log(&logs)),
        Case::of("a damaged header of a log", header(&logs)),
        Case::of("a damaged byte in the only snapshot", only_snapshot(&logs)),
        Case::of("a damaged byte in the newest snapshot", newest_snapshot(&snapshots)),
        Case::of("damaged bytes in every snapshot", every_snapshot(&snapshots)),
        Case::of("garbage behind the last entry", garbage_behind(&logs)),
        Case::of("an unfinished entry behind the last", unfinished_behind(&logs)),
        Case::of("the log cut inside its last entry", cut_inside(&logs)),
    ];
    cases.push(Case::of("the newest log missing", newest_log_missing(&logs)));
    Ok(cases)
}

fn older_log(history: &History) -> Result<()> {
    let copy = history.copy()?;
    let file = nth(&copy, "log.", 1)?;
    flip(&file, used(&file)? / 2)?;
    copy.refused(&[&name(&file), "offset"])
}

fn newest_log(history: &History) -> Result<()> {
    let copy = history.copy()?;
    let file = nth(&copy, "log.", 2)?;
    flip(&file, used(&file)? / 2)?;
    copy.refused(&[&name(&file), "offset"])
}

fn missing_log(history: &History) -> Result<()> {
    let copy = history.copy()?;
    fs::remove_file(nth(&copy, "log.", 1)?)?;
    // The gap shows in the file behind it.
    copy.refused(&[&name(&nth(&copy, "log.", 1)?), "missing", "put the missing log file back"])
}

fn newest_log_missing(history: &History) -> Result<()> {
    let copy = history.copy()?;
    fs::remove_file(nth(&copy, "log.", 2)?)?;
    copy.refused(&["were durable", "put the missing log back"])
}

fn header(history: &History) -> Result<()> {
    let copy = history.copy()?;
    let file = nth(&copy, "log.", 1)?;
    flip(&file, 1)?;
    copy.refused(&[&name(&file), "offset 0"])
}

fn only_snapshot(history: &History) -> Result<()> {
    let copy = history.copy()?;
    let file = nth(&copy, "snapshot.", 0)?;
    flip(&file, used(&file)? / 2)?;
    copy.refused(&[&name(&file), "offset"])
}

fn newest_snapshot(history: &History) -> Result<()> {
    let copy = history.copy()?;
    let file = copy.files("snapshot.").pop().context("no snapshot")?;
    flip(&file, used(&file)? / 2)?;
    let said = copy.starts(0)?;
    ensure!(said.contains("skipped snapshot") && said.contains(&name(&file)), "nobody was told:\n{said}");
    Ok(())
}

fn every_snapshot(history: &History) -> Result<()> {
    let copy = history.copy()?;
    let files = copy.files("snapshot.");
    for file in &files {
        flip(file, used(file)? / 2)?;
    }
    copy.refused(&[&name(files.last().context("no snapshot")?), "offset"])
}

fn garbage_behind(history: &History) -> Result<()> {
    let copy = history.copy()?;
    let file = nth(&copy, "log.", 2)?;
    let garbage: Vec<u8> = (0..300_u16).flat_map(|n| n.wrapping_mul(40_503).to_be_bytes()).collect();
    write_at(&file, &garbage, used(&file)?)?;
    let said = copy.starts(0)?;
    ensure!(said.contains(&name(&file)) && said.contains("was cut at offset"), "nobody was told:\n{said}");
    Ok(())
}

/// What a crash leaves in the middle of a write: the beginning of an entry that nobody was told of.
fn unfinished_behind(history: &History) -> Result<()> {
    let copy = history.copy()?;
    let file = nth(&copy, "log.", 2)?;
    let (end, bytes) = (used(&file)?, fs::read(&file)?);
    // An entry is a checksum of 8 bytes, a length of 4, and the payload: half of the first one.
    let first = bytes.get(16..16 + 40).context("the log is too short")?;
    write_at(&file, first, end)?;
    copy.starts(0).map(drop)
}

/// The last entry was acknowledged, which the mark of what was durable knows: cutting it off is no torn write.
fn cut_inside(history: &History) -> Result<()> {
    let copy = history.copy()?;
    let file = nth(&copy, "log.", 2)?;
    OpenOptions::new().write(true).open(&file)?.set_len(used(&file)? - 5)?;
    copy.refused(&[&name(&file)])?;
    // Without the mark it looks exactly like one, and everything before it is there.
    let mark = file.with_file_name(".oxkeeper.mark");
    fs::remove_file(&mark).with_context(|| format!("{}", mark.display()))?;
    copy.starts(1).map(drop)
}

/// One file of a kind, counted from the oldest.
fn nth(history: &History, prefix: &str, number: usize) -> Result<std::path::PathBuf> {
    let files = history.files(prefix);
    files.get(number).cloned().with_context(|| format!("there are {} files {prefix}", files.len()))
}

/// The name alone.
fn name(file: &Path) -> String {
    file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Where the zeroes at the end of a file begin.
fn used(file: &Path) -> Result<u64> {
    let bytes = fs::read(file)?;
    let Some(last) = bytes.iter().rposition(|byte| *byte != 0) else { bail!("{} is empty", file.display()) };
    Ok(u64::try_from(last + 1)?)
}

/// Turns the bits of one byte around.
fn flip(file: &Path, offset: u64) -> Result<()> {
    let open = OpenOptions::new().read(true).write(true).open(file)?;
    let mut byte = [0];
    open.read_exact_at(&mut byte, offset)?;
    open.write_all_at(&[!byte[0]], offset)?;
    Ok(())
}

/// Overwrites or appends.
fn write_at(file: &Path, bytes: &[u8], offset: u64) -> Result<()> {
    OpenOptions::new().write(true).open(file)?.write_all_at(bytes, offset)?;
    Ok(())
}
