//! Room for the few bytes that have to fit on a full disk: epochs, and the decision to truncate.
//!
//! A member on a full disk writes no transaction and yet has to keep its promises to a new leader (reliability.md R6).
//! So a file of zeroes lies beside the epochs and is removed when one of them finds no room; it is made again when
//! there is some. Java passes it over.

use crate::disk::{self, Disk, DiskError};

/// In the snapshot directory.
pub const RESERVE_NAME: &str = ".oxkeeper.reserve";
/// Many times what an epoch takes with its directory entry, on any file system.
const RESERVE_BYTES: u64 = 64 << 10;

/// Sees to it that `dir` has its reserve, and says whether it has: on a full disk it may not.
///
/// [`load_epochs`](crate::epoch::load_epochs) and [`epoch::save`](crate::epoch::save) do this; a server may do it again
/// when a full disk has room.
///
/// # Errors
/// As the disk gives them, never [`DiskError::NoSpace`].
pub fn keep_reserve<D: Disk>(disk: &D, dir: &str) -> Result<bool, DiskError> {
    let path = disk::join(dir, RESERVE_NAME);
    if disk.exists(&path)? {
        return Ok(true);
    }
    // Zeroes that were really written: a length alone takes no room.
    let made = disk.create(&path).and_then(|file| {
        disk::write_zeroes(&file, 0, RESERVE_BYTES)?;
        disk::DiskFile::sync(&file)?;
        disk.sync_dir(dir)
    });
    match made {
        Ok(()) => Ok(true),
        Err(error) => {
            // What there is of it helps nobody; the first error is the one to tell.
            let _ = disk.remove(&path);
            if matches!(error, DiskError::NoSpace { .. }) { Ok(false) } else { Err(error) }
        }
    }
}

/// [`disk::replace`], on a full disk with the help of the reserve of its directory.
pub(crate) fn replace<D: Disk>(disk: &D, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
    let dir = disk::parent(path);
    match disk::replace(disk, path, bytes) {
        Err(DiskError::NoSpace { .. }) if disk::remove_if_there(disk, &disk::join(dir, RESERVE_NAME))? => {
            // Some file systems free the room only with this.
            disk.sync_dir(dir)?;
            disk::replace(disk, path, bytes)
        }
        other => other,
    }
}
