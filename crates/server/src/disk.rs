//! The real disk: `store`'s [`Disk`] on the file system.
//!
//! Files are made with mode 0600 and directories with 0700 (reliability.md S10).

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::UNIX_EPOCH;

use rustix::fs::{Access, FlockOperation};
use store::{Disk, DiskError, DiskFile};

/// The file system of this machine.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FileDisk;

/// An open file, with its path for the errors.
#[derive(Debug)]
pub struct OpenFile {
    file: File,
    path: String,
}

/// An exclusive `flock`, given up when dropped and at the end of the process, however that comes.
#[derive(Debug)]
pub struct FileLock {
    _file: File,
}

/// Puts the system's error into ours.
fn explain(path: &str, doing: &'static str, error: &io::Error) -> DiskError {
    let path = path.to_owned();
    #[expect(clippy::wildcard_enum_match_arm, reason = "the system may add kinds at any time")]
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => DiskError::NoSpace { path },
        io::ErrorKind::NotFound => DiskError::NotFound { path },
        io::ErrorKind::AlreadyExists => DiskError::Exists { path },
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => DiskError::ReadOnly { path },
        _ => DiskError::Io { path, doing, code: error.raw_os_error(), text: error.to_string() },
    }
}

fn named(path: &str, doing: &'static str, file: io::Result<File>) -> Result<OpenFile, DiskError> {
    match file {
        Ok(file) => Ok(OpenFile { file, path: path.to_owned() }),
        Err(error) => Err(explain(path, doing, &error)),
    }
}

impl Disk for FileDisk {
    type File = OpenFile;
    type Lock = FileLock;

    fn create(&self, path: &str) -> Result<OpenFile, DiskError> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path);
        named(path, "creating", file)
    }

    fn open(&self, path: &str) -> Result<OpenFile, DiskError> {
        named(path, "opening", File::open(path))
    }

    fn open_to_write(&self, path: &str) -> Result<OpenFile, DiskError> {
        named(path, "opening", OpenOptions::new().read(true).write(true).open(path))
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        fs::rename(from, to).map_err(|error| explain(from, "renaming", &error))
    }

    fn remove(&self, path: &str) -> Result<(), DiskError> {
        fs::remove_file(path).map_err(|error| explain(path, "removing", &error))
    }

    fn create_dir(&self, path: &str) -> Result<(), DiskError> {
        let missing: Vec<&Path> = Path::new(path).ancestors().take_while(|dir| !dir.exists()).collect();
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|error| explain(path, "creating", &error))?;
        for dir in missing {
            let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
            let synced = File::open(parent.unwrap_or(Path::new("."))).and_then(|parent| parent.sync_all());
            synced.map_err(|error| explain(path, "syncing", &error))?;
        }
        Ok(())
    }

    fn sync_dir(&self, path: &str) -> Result<(), DiskError> {
        let dir = File::open(path).map_err(|error| explain(path, "opening", &error))?;
        dir.sync_all().map_err(|error| explain(path, "syncing", &error))
    }

    fn list(&self, path: &str) -> Result<Vec<String>, DiskError> {
        let fail = |error: io::Error| explain(path, "listing", &error);
        let mut names = Vec::new();
        for entry in fs::read_dir(path).map_err(fail)? {
            // A name that is not UTF-8 is none of ours.
            if let Ok(name) = entry.map_err(fail)?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn exists(&self, path: &str) -> Result<bool, DiskError> {
        fs::exists(path).map_err(|error| explain(path, "looking for", &error))
    }

    fn is_writable(&self, path: &str) -> Result<bool, DiskError> {
        match rustix::fs::access(path, Access::WRITE_OK) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::ACCESS | rustix::io::Errno::ROFS | rustix::io::Errno::PERM) => Ok(false),
            Err(errno) => Err(explain(path, "looking for", &errno.into())),
        }
    }

    fn free_bytes(&self, path: &str) -> Result<u64, DiskError> {
        let stat = rustix::fs::statvfs(path).map_err(|errno| explain(path, "asking for", &errno.into()))?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    fn modified_ms(&self, path: &str) -> Result<i64, DiskError> {
        let modified = fs::metadata(path)
            .and_then(|metadata| metadata.modified())
            .map_err(|error| explain(path, "asking for", &error))?;
        let since = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn lock(&self, path: &str) -> Result<FileLock, DiskError> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(|error| explain(path, "opening", &error))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(FileLock { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(DiskError::Locked { path: path.to_owned() }),
            Err(errno) => Err(explain(path, "locking", &errno.into())),
        }
    }
}

impl DiskFile for OpenFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize, DiskError> {
        loop {
            match self.file.read_at(buf, offset) {
                Ok(n) => return Ok(n),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(explain(&self.path, "reading", &error)),
            }
        }
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<(), DiskError> {
        self.file.write_all_at(bytes, offset).map_err(|error| explain(&self.path, "writing", &error))
    }

    fn set_length(&self, length: u64) -> Result<(), DiskError> {
        self.file.set_len(length).map_err(|error| explain(&self.path, "cutting", &error))
    }

    fn length(&self) -> Result<u64, DiskError> {
        let metadata = self.file.metadata().map_err(|error| explain(&self.path, "asking for", &error))?;
        Ok(metadata.len())
    }

    fn datasync(&self) -> Result<(), DiskError> {
        self.file.sync_data().map_err(|error| explain(&self.path, "syncing", &error))
    }

    fn sync(&self) -> Result<(), DiskError> {
        self.file.sync_all().map_err(|error| explain(&self.path, "syncing", &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use store::disk;

    fn dir() -> (tempfile::TempDir, String) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_str().unwrap().to_owned();
        (dir, path)
    }

    #[test]
    fn files_and_directories_are_private() {
        let (_keep, dir) = dir();
        let below = disk::join(&dir, "data/version-2");
        FileDisk.create_dir(&below).unwrap();
        let path = disk::join(&below, "log.1");
        let file = FileDisk.create(&path).unwrap();
        file.write_at(b"abc", 2).unwrap();
        file.datasync().unwrap();
        let mode = |path: &str| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&below)), (0o600, 0o700));
        assert_eq!(FileDisk.create(&path).unwrap_err(), DiskError::Exists { path: path.clone() });
        assert_eq!(disk::read_small(&FileDisk, &path, 9).unwrap(), b"\0\0abc");
        assert_eq!(FileDisk.list(&below).unwrap(), ["log.1"]);
        FileDisk.sync_dir(&below).unwrap();
        assert!(FileDisk.free_bytes(&below).unwrap() > 0);
        assert!(FileDisk.modified_ms(&path).unwrap() > 1_600_000_000_000);
        FileDisk.remove(&path).unwrap();
        assert_eq!(FileDisk.open(&path).unwrap_err(), DiskError::NotFound { path });
    }

    #[test]
    fn a_lock_has_one_holder() {
        let (_keep, dir) = dir();
        let path = disk::join(&dir, store::LOCK_NAME);
        let held = FileDisk.lock(&path).unwrap();
        assert_eq!(FileDisk.lock(&path).unwrap_err(), DiskError::Locked { path: path.clone() });
        drop(held);
        FileDisk.lock(&path).unwrap();
    }

    #[test]
    fn a_full_device_is_told_apart() {
        let full = FileDisk.open_to_write("/dev/full").unwrap();
        assert_eq!(full.write_at(b"x", 0).unwrap_err(), DiskError::NoSpace { path: "/dev/full".into() });
    }
}
