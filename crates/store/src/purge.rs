//! Removing what no recovery needs any more.
//!
//! Source: `PurgeTxnLog`, `DatadirCleanupManager`; storage.md §12. Stricter than Java: the two newest snapshots
//! that are kept are read to their last byte first, and without two such nothing is removed.

use alloc::string::String;
use alloc::vec::Vec;

use mutants::mutant;
use proto::Zxid;

use crate::dirs::Dirs;
use crate::disk::{self, Disk, DiskError};
use crate::names::{self, Named};
use crate::snapshot::{SnapshotError, looks_valid, verify_snapshot};

/// Fewer than this are never kept. Source: `autopurge.snapRetainCount`.
pub const RETAIN_MIN: usize = 3;
/// So many of the kept snapshots are read in full.
const VERIFIED: usize = 2;

/// Removes snapshots and logs that the `retain` newest sound snapshots do not need.
///
/// Returns the paths removed, oldest snapshots first. Counts below [`RETAIN_MIN`] are taken for it.
///
/// # Errors
/// As the disk gives them; some files may be gone by then, in an order that leaves every kept snapshot its log.
pub fn purge<D: Disk>(disk: &D, dirs: &Dirs, retain: usize) -> Result<Vec<String>, DiskError> {
    let snapshots = names::list_snapshots(disk, &dirs.snap)?;
    let Some(oldest) = oldest_kept(disk, dirs, &snapshots, retain.max(RETAIN_MIN))? else {
        return Ok(Vec::new());
    };
    let logs = names::list_logs(disk, &dirs.log)?;
    let kept = if mutant!(PurgeTakesLog) {
        logs.iter().filter(|file| file.zxid >= oldest).count()
    } else {
        names::logs_from(&logs, oldest).len()
    };
    let mut removed = Vec::new();
    // First the snapshots: one without its log would be a trap for recovery.
    for file in snapshots.iter().filter(|file| file.zxid < oldest) {
        remove(disk, &dirs.snap, &file.name, &mut removed)?;
    }
    disk.sync_dir(&dirs.snap)?;
    for file in logs[..logs.len() - kept].iter().filter(|file| file.zxid < oldest) {
        remove(disk, &dirs.log, &file.name, &mut removed)?;
    }
    disk.sync_dir(&dirs.log)?;
    Ok(removed)
}

/// The zxid of the oldest snapshot to keep; `None` if nothing may be removed.
fn oldest_kept<D: Disk>(
    disk: &D,
    dirs: &Dirs,
    snapshots: &[Named],
    retain: usize,
) -> Result<Option<Zxid>, DiskError> {
    let mut kept = Vec::new();
    for file in snapshots.iter().rev() {
        let sound = looks_valid(disk, &dirs.snap, &file.name)?
            && (kept.len() >= VERIFIED
                || match verify_snapshot(disk, &dirs.snap, &file.name) {
                    Ok(_) => true,
                    Err(SnapshotError::Disk(error)) => return Err(error),
                    Err(SnapshotError::Damaged { .. } | SnapshotError::Sink { .. }) => false,
                });
        if sound {
            kept.push(file.zxid);
        }
        if kept.len() == retain {
            break;
        }
    }
    Ok(kept.last().copied().filter(|_| kept.len() >= VERIFIED))
}

fn remove<D: Disk>(disk: &D, dir: &str, name: &str, removed: &mut Vec<String>) -> Result<(), DiskError> {
    let path = disk::join(dir, name);
    disk.remove(&path)?;
    removed.push(path);
    Ok(())
}
