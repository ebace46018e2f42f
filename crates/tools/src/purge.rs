//! `zkCleanup.sh`: removes the snapshots and logs that the newest snapshots do not need.
//!
//! Source: `server.PurgeTxnLog`. Stricter than that, as the server is when it purges: of the snapshots that stay the two
//! newest are read to their last byte first, and without two such nothing is removed; and names that say no zxid are
//! somebody else's files.

use std::fs;
use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

use proto::Zxid;
use store::names::{self, Named};

use crate::failure::{Failure, Thrown, reason};
use crate::java::date::Date;
use crate::java::path;
use crate::out::Out;
use crate::properties::Properties;
use crate::snapshot::{is_sound, looks_valid};

const USAGE: &str = "\
Usage:
PurgeTxnLog dataLogDir [snapDir] -n count
\tdataLogDir -- path to the txn log directory
\tsnapDir -- path to the snapshot directory
\tcount -- the number of old snaps/logs you want to keep, value should be greater than or equal to 3
";

/// Fewer snapshots are never kept.
const COUNT_MIN: i32 = 3;
/// So many of the kept ones are read in full.
const VERIFIED: usize = 2;
/// The folder in a data directory that holds the files.
const VERSION_DIR: &str = "version-2";

/// Runs the tool and gives its exit code.
pub(crate) fn run(words: &[String], properties: &Properties, out: &mut Out) -> Result<u8, Failure> {
    let usage = |out: &mut Out, complaint: &str| {
        out.text(USAGE);
        Failure::told(1, complaint)
    };
    let (log_dir, snap_dir, option, count) = match words {
        [dir, option, count] => (dir, dir, option, count),
        [log_dir, snap_dir, option, count] => (log_dir, snap_dir, option, count),
        _ => return Err(usage(out, "")),
    };
    for dir in [log_dir, snap_dir] {
        if !Path::new(dir).exists() {
            let shown = path::absolute(&path::normalized(dir));
            return Err(usage(out, &format!("Path '{shown}' does not exist. ")));
        }
    }
    let count = match count.parse::<i32>() {
        Ok(count) if count >= COUNT_MIN => usize::try_from(count).expect("not negative"),
        Ok(_) => return Err(usage(out, "count should be greater than or equal to 3")),
        Err(_) => return Err(usage(out, &format!("'{count}' can not be parsed to integer."))),
    };
    if option != "-n" {
        return Err(usage(out, ""));
    }
    purge(&Dirs::open(log_dir, snap_dir)?, count, properties, out)?;
    Ok(0)
}

/// Where the files are.
struct Dirs {
    log: String,
    snap: String,
}

impl Dirs {
    /// Makes what is missing, and sees whether the two were taken for one another.
    ///
    /// Source: `FileTxnSnapLog`.
    fn open(log_dir: &str, snap_dir: &str) -> Result<Self, Failure> {
        let below = |dir: &str| path::normalized(&format!("{dir}/{VERSION_DIR}"));
        let dirs = Self { log: below(log_dir), snap: below(snap_dir) };
        for (dir, what) in [(&dirs.log, "data"), (&dirs.snap, "snap")] {
            fs::create_dir_all(dir)
                .map_err(|_| data_dir(format!("Unable to create {what} directory {dir}")))?;
            let read_only = fs::metadata(dir).is_ok_and(|metadata| metadata.permissions().readonly());
            if read_only {
                return Err(data_dir(format!("Cannot write to {what} directory {dir}")).into());
            }
        }
        if dirs.log != dirs.snap {
            let holds = |dir, start: &str| -> Result<bool, Failure> {
                Ok(list(dir)?.iter().any(|name| name.starts_with(start)))
            };
            let confused = "Check if dataLogDir and dataDir configuration is correct.";
            if holds(&dirs.log, "snapshot.")? {
                let class =
                    "org.apache.zookeeper.server.persistence.FileTxnSnapLog$LogDirContentCheckException";
                return Err(
                    Thrown::new(class, format!("Log directory has snapshot files. {confused}")).into()
                );
            }
            if holds(&dirs.snap, "log.")? {
                let class =
                    "org.apache.zookeeper.server.persistence.FileTxnSnapLog$SnapDirContentCheckException";
                return Err(
                    Thrown::new(class, format!("Snapshot directory has log files. {confused}")).into()
                );
            }
        }
        Ok(dirs)
    }
}

fn data_dir(message: String) -> Thrown {
    let class = "org.apache.zookeeper.server.persistence.FileTxnSnapLog$DatadirException";
    Thrown::new(class, message)
}

fn purge(dirs: &Dirs, count: usize, properties: &Properties, out: &mut Out) -> Result<(), Failure> {
    let snapshots = named(&dirs.snap, names::snapshot_zxid)?;
    let Some(oldest) = oldest_kept(&dirs.snap, &snapshots, count)? else { return Ok(()) };
    let logs = named(&dirs.log, names::log_zxid)?;
    let needed = names::logs_from(&logs, oldest).len();
    let (unneeded, _) = logs.split_at(logs.len() - needed);
    // First the snapshots: one without its log would be a trap for recovery.
    for (dir, files) in [(&dirs.snap, snapshots.as_slice()), (&dirs.log, unneeded)] {
        for file in files.iter().filter(|file| file.zxid < oldest) {
            remove(&format!("{dir}/{}", file.name), properties, out);
        }
    }
    Ok(())
}

/// The zxid of the oldest snapshot to keep; `None` if nothing may be removed.
fn oldest_kept(dir: &str, snapshots: &[Named], count: usize) -> Result<Option<Zxid>, Failure> {
    let mut kept = Vec::new();
    for file in snapshots.iter().rev().filter(|file| !names::is_unfinished(&file.name)) {
        let path = format!("{dir}/{}", file.name);
        let looks_valid = looks_valid(&path).map_err(|error| failed(&path, &error))?;
        if looks_valid && (kept.len() >= VERIFIED || is_sound(&path)) {
            kept.push(file.zxid);
        }
        if kept.len() == count {
            break;
        }
    }
    Ok(kept.last().copied().filter(|_| kept.len() >= VERIFIED))
}

#[expect(clippy::print_stderr, reason = "one file that stays does not keep the others")]
fn remove(file: &str, properties: &Properties, out: &mut Out) {
    let modified = fs::metadata(file).and_then(|metadata| metadata.modified()).unwrap_or(UNIX_EPOCH);
    let modified = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
    let modified = i64::try_from(modified.as_millis()).unwrap_or_default();
    let date = Date::new(modified, &properties.time_zone);
    out.line(format_args!("Removing file: {}\t{file}", date.medium()));
    if fs::remove_file(file).is_err() {
        out.show();
        eprintln!("Failed to remove {file}");
    }
}

/// The files of a directory that have a zxid in their names, oldest first.
fn named(dir: &str, zxid: fn(&str) -> Option<Zxid>) -> Result<Vec<Named>, Failure> {
    let names = list(dir)?.into_iter();
    let mut all: Vec<Named> = names.filter_map(|name| Some(Named { zxid: zxid(&name)?, name })).collect();
    all.sort_unstable();
    Ok(all)
}

fn list(dir: &str) -> Result<Vec<String>, Failure> {
    let names = fs::read_dir(dir).and_then(|entries| {
        let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names.collect::<io::Result<Vec<_>>>()
    });
    names.map_err(|error| failed(dir, &error))
}

fn failed(path: &str, error: &io::Error) -> Failure {
    Thrown::io(reason(error)).at(|| path.to_owned()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::written;
    use store::snapshot::Compression;

    /// Makes a directory, lets `damage` at it, and gives the zxid of the oldest snapshot that a purge keeps of three.
    fn oldest(zxids: &[i64], damage: impl Fn(&Path)) -> Option<i64> {
        let dir = tempfile::tempdir().unwrap();
        for zxid in zxids {
            fs::write(dir.path().join(format!("snapshot.{zxid:x}")), written(Compression::Plain, true, true))
                .unwrap();
        }
        damage(dir.path());
        let dir = dir.path().to_str().unwrap();
        let snapshots = named(dir, names::snapshot_zxid).unwrap();
        oldest_kept(dir, &snapshots, 3).unwrap().map(|zxid| zxid.0)
    }

    fn flip(file: &Path) {
        let mut bytes = fs::read(file).unwrap();
        bytes[100] ^= 1;
        fs::write(file, bytes).unwrap();
    }

    #[test]
    fn three_sound_snapshots_are_kept() {
        assert_eq!(oldest(&[1, 2, 3, 4], |_| {}), Some(2));
        assert_eq!(oldest(&[1, 2], |_| {}), Some(1), "all there are");
    }

    #[test]
    fn a_snapshot_that_only_looks_sound_does_not_count() {
        assert_eq!(oldest(&[1, 2, 3, 4], |dir| flip(&dir.join("snapshot.4"))), Some(1));
    }

    #[test]
    fn nothing_goes_without_two_sound_snapshots() {
        assert_eq!(oldest(&[], |_| {}), None);
        assert_eq!(oldest(&[1], |_| {}), None);
        let damage = |dir: &Path| ["snapshot.2", "snapshot.3"].iter().for_each(|name| flip(&dir.join(name)));
        assert_eq!(oldest(&[1, 2, 3], damage), None);
    }

    #[test]
    fn one_that_was_never_finished_does_not_count() {
        let unfinished = |dir: &Path| drop(fs::rename(dir.join("snapshot.4"), dir.join("snapshot.4.tmp")));
        assert_eq!(oldest(&[1, 2, 3, 4], unfinished), Some(1));
    }
}
