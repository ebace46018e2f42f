//! A log file made ahead of need: its zeroes are on disk before the first entry comes.

use alloc::string::String;

use mutants::mutant;
use proto::Zxid;

use crate::disk::{self, Disk, DiskError, DiskFile};
use crate::entry::log_header;
use crate::names;

/// What a spare is called until it is used. Java passes it over.
pub const SPARE_NAME: &str = ".oxkeeper.spare";
/// What a log file is called while the appending thread itself makes it.
pub(crate) const MAKING_NAME: &str = ".oxkeeper.making";

/// The order to make a spare; a background thread runs it while the log goes on.
#[derive(Clone, Debug)]
pub struct SpareJob<D> {
    pub(crate) disk: D,
    pub(crate) dir: String,
    pub(crate) bytes: u64,
}

impl<D: Disk> SpareJob<D> {
    /// Writes header and zeroes and makes them durable. 64 MiB take some 50 ms of disk.
    ///
    /// # Errors
    /// As the disk gives them; what was begun is removed. The log goes on without a spare, so this may be told
    /// as a warning and tried again later.
    pub fn run(self) -> Result<Spare<D>, DiskError> {
        make(&self.disk, &self.dir, SPARE_NAME, self.bytes)
    }
}

/// A log file without name and entries.
#[derive(Debug)]
pub struct Spare<D: Disk> {
    pub(crate) file: D::File,
    pub(crate) path: String,
    /// Up to here the file is zeroes behind the header.
    pub(crate) bytes: u64,
}

/// Makes a file that reads as a log without entries.
pub(crate) fn make<D: Disk>(disk: &D, dir: &str, name: &str, bytes: u64) -> Result<Spare<D>, DiskError> {
    let path = disk::join(dir, name);
    disk::remove_if_there(disk, &path)?;
    match fill(disk, &path, bytes) {
        Ok(file) => Ok(Spare { file, path, bytes }),
        Err(error) => {
            // What matters is the first error; a file left under this name is removed at the next try.
            let _ = disk.remove(&path);
            Err(error)
        }
    }
}

fn fill<D: Disk>(disk: &D, path: &str, bytes: u64) -> Result<D::File, DiskError> {
    let file = disk.create(path)?;
    let header = log_header();
    file.write_at(&header, 0)?;
    disk::write_zeroes(&file, header.len() as u64, bytes)?;
    if !mutant!(HalfHeader) {
        file.sync()?;
    }
    Ok(file)
}

impl<D: Disk> Spare<D> {
    /// Gives it its name. Entries may follow once this has succeeded.
    pub(crate) fn adopt(self, disk: &D, dir: &str, first: Zxid) -> Result<D::File, DiskError> {
        disk.rename(&self.path, &disk::join(dir, &names::log_name(first)))?;
        disk.sync_dir(dir)?;
        Ok(self.file)
    }
}
