//! What the files are called.
//!
//! Source: `persistence.Util`; storage.md §1.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use proto::Zxid;

use crate::disk::{Disk, DiskError};
use crate::snapshot::Compression;

/// `log.<zxid of the first entry>`.
#[must_use]
pub fn log_name(first: Zxid) -> String {
    format!("log.{:x}", first.0)
}

/// `snapshot.<zxid>`, and how it is compressed.
#[must_use]
pub fn snapshot_name(zxid: Zxid, compression: Compression) -> String {
    format!("snapshot.{:x}{}", zxid.0, compression.extension())
}

/// The zxid in a name whose first part is `prefix`; `None` where Java finds -1.
fn zxid_of(name: &str, prefix: &str) -> Option<Zxid> {
    let mut parts = name.split('.');
    if parts.next() != Some(prefix) {
        return None;
    }
    // Java parses a signed number, so what has the upper bit set is no zxid to it.
    i64::from_str_radix(parts.next()?, 16).ok().filter(|&zxid| zxid >= 0).map(Zxid)
}

/// The zxid in the name of a log file, or `None` if it is not one.
#[must_use]
pub fn log_zxid(name: &str) -> Option<Zxid> {
    zxid_of(name, "log")
}

/// The zxid in the name of a snapshot, or `None` if it is not one. Parts behind it do not matter.
#[must_use]
pub fn snapshot_zxid(name: &str) -> Option<Zxid> {
    zxid_of(name, "snapshot")
}

/// What a file is called until it is whole.
pub(crate) fn temporary(path: &str) -> String {
    format!("{path}.tmp")
}

/// Whether a snapshot of this name was never finished.
#[must_use]
pub fn is_unfinished(name: &str) -> bool {
    name.ends_with(".tmp")
}

/// A file and the zxid in its name.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Named {
    /// Log: of its first entry. Snapshot: replay starts behind it.
    pub zxid: Zxid,
    /// Without the directory.
    pub name: String,
}

fn named(names: Vec<String>, zxid: fn(&str) -> Option<Zxid>) -> Vec<Named> {
    let mut all: Vec<Named> =
        names.into_iter().filter_map(|name| Some(Named { zxid: zxid(&name)?, name })).collect();
    all.sort_unstable();
    all
}

/// The log files of a directory, oldest first.
///
/// # Errors
/// As the disk gives them.
pub fn list_logs<D: Disk>(disk: &D, dir: &str) -> Result<Vec<Named>, DiskError> {
    Ok(named(disk.list(dir)?, log_zxid))
}

/// The snapshots of a directory, oldest first, without those never finished.
///
/// # Errors
/// As the disk gives them.
pub fn list_snapshots<D: Disk>(disk: &D, dir: &str) -> Result<Vec<Named>, DiskError> {
    let mut all = named(disk.list(dir)?, snapshot_zxid);
    all.retain(|file| !is_unfinished(&file.name));
    Ok(all)
}

/// The part of `logs` (oldest first) that can hold entries with a zxid of `from` or more.
#[must_use]
pub fn logs_from(logs: &[Named], from: Zxid) -> &[Named] {
    let behind = logs.partition_point(|log| log.zxid <= from);
    &logs[behind.saturating_sub(1)..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn names_carry_the_zxid_as_java_writes_it() {
        assert_eq!(log_name(Zxid(0x2_0000_000a)), "log.20000000a");
        assert_eq!(snapshot_name(Zxid(0xf), Compression::Gzip), "snapshot.f.gz");
        assert_eq!(log_zxid("log.20000000a"), Some(Zxid(0x2_0000_000a)));
        assert_eq!(snapshot_zxid("snapshot.f.snappy"), Some(Zxid(0xf)));
        for other in ["log", "log.", "log.xyz", "snapshot.1", "xlog.1", "log.ffffffffffffffff", "log.-1"] {
            assert_eq!(log_zxid(other), None, "{other}");
        }
    }

    #[test]
    fn the_logs_from_a_zxid_start_with_the_file_that_holds_it() {
        let logs: Vec<Named> =
            [1, 5, 9].iter().map(|&z| Named { zxid: Zxid(z), name: z.to_string() }).collect();
        let first = |from| logs_from(&logs, Zxid(from)).first().map(|log| log.zxid.0);
        assert_eq!(
            [first(0), first(1), first(4), first(5), first(100)],
            [Some(1), Some(1), Some(1), Some(5), Some(9)]
        );
    }
}
