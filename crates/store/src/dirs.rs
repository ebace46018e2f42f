//! The two directories of a server, their checks, their lock, and the `initialize` file.
//!
//! Source: `FileTxnSnapLog`; storage.md §1.1, §9.4.

use alloc::string::String;

use crate::disk::{self, Disk, DiskError};

/// Where a server keeps its files: `version-2` below `dataLogDir` and below `dataDir`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Dirs {
    /// Logs.
    pub log: String,
    /// Snapshots and epochs.
    pub snap: String,
    /// `dataLogDir` itself, where `initialize` is looked up.
    pub log_parent: String,
}

/// In the snapshot directory; Java passes it over.
pub const LOCK_NAME: &str = ".oxkeeper.lock";

/// Why the directories cannot be used. The messages start as Java's do; Java exits with 3.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DirError {
    /// The directory is missing and may not be made.
    #[error(
        "Missing {kind} directory {path}, automatic data directory creation is disabled \
             (zookeeper.datadir.autocreate is false). Please create this directory manually."
    )]
    Missing {
        /// `data` or `snap`.
        kind: &'static str,
        /// The directory.
        path: String,
    },
    /// The directory could not be made.
    #[error("Unable to create {kind} directory {path}: {error}")]
    NotCreated {
        /// `data` or `snap`.
        kind: &'static str,
        /// The directory.
        path: String,
        /// Why.
        error: DiskError,
    },
    /// The directory does not belong to this user.
    #[error("Cannot write to {kind} directory {path}; give it to the user that runs the server")]
    NotWritable {
        /// `data` or `snap`.
        kind: &'static str,
        /// The directory.
        path: String,
    },
    /// Snapshots lie where logs belong.
    #[error(
        "Log directory has snapshot files. Check if dataLogDir and dataDir configuration is correct. \
             ({path} holds {name})"
    )]
    SnapshotsAmongLogs {
        /// The log directory.
        path: String,
        /// One of them.
        name: String,
    },
    /// Logs lie where snapshots belong.
    #[error(
        "Snapshot directory has log files. Check if dataLogDir and dataDir configuration is correct. \
             ({path} holds {name})"
    )]
    LogsAmongSnapshots {
        /// The snapshot directory.
        path: String,
        /// One of them.
        name: String,
    },
    /// As the disk gives it.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl Dirs {
    /// The directories for `dataDir` and `dataLogDir`, which are the same unless configured.
    #[must_use]
    pub fn new(data_dir: &str, data_log_dir: &str) -> Self {
        let version = "version-2";
        Self {
            log: disk::join(data_log_dir, version),
            snap: disk::join(data_dir, version),
            log_parent: data_log_dir.into(),
        }
    }

    /// Makes what is missing and checks the rest, in Java's order.
    ///
    /// * `autocreate`: `zookeeper.datadir.autocreate`.
    ///
    /// # Errors
    /// [`DirError`]
    pub fn prepare<D: Disk>(&self, disk: &D, autocreate: bool) -> Result<(), DirError> {
        prepare_one(disk, "data", &self.log, autocreate)?;
        prepare_one(disk, "snap", &self.snap, autocreate)?;
        if self.log == self.snap {
            return Ok(());
        }
        if let Some(name) = find(disk, &self.log, "snapshot.")? {
            return Err(DirError::SnapshotsAmongLogs { path: self.log.clone(), name });
        }
        if let Some(name) = find(disk, &self.snap, "log.")? {
            return Err(DirError::LogsAmongSnapshots { path: self.snap.clone(), name });
        }
        Ok(())
    }

    /// Takes the directories for this server alone, until what is returned is dropped.
    ///
    /// # Errors
    /// [`DiskError::Locked`] if another server has one of them.
    pub fn lock<D: Disk>(&self, disk: &D) -> Result<DirsLock<D>, DiskError> {
        let snap = disk.lock(&disk::join(&self.snap, LOCK_NAME))?;
        let apart = self.log != self.snap;
        let log = apart.then(|| disk.lock(&disk::join(&self.log, LOCK_NAME))).transpose()?;
        Ok(DirsLock { _snap: snap, _log: log })
    }

    /// Removes the `initialize` file and returns its path, if there is one.
    ///
    /// # Errors
    /// As the disk gives them.
    pub(crate) fn take_initialize<D: Disk>(&self, disk: &D) -> Result<Option<String>, DiskError> {
        let path = disk::join(&self.log_parent, "initialize");
        if !disk::remove_if_there(disk, &path)? {
            return Ok(None);
        }
        disk.sync_dir(&self.log_parent)?;
        Ok(Some(path))
    }
}

/// Both directories are this server's.
#[derive(Debug)]
pub struct DirsLock<D: Disk> {
    _snap: D::Lock,
    _log: Option<D::Lock>,
}

fn prepare_one<D: Disk>(disk: &D, kind: &'static str, path: &str, autocreate: bool) -> Result<(), DirError> {
    if !disk.exists(path)? {
        if !autocreate {
            return Err(DirError::Missing { kind, path: path.into() });
        }
        disk.create_dir(path).map_err(|error| DirError::NotCreated { kind, path: path.into(), error })?;
    }
    if disk.is_writable(path)? { Ok(()) } else { Err(DirError::NotWritable { kind, path: path.into() }) }
}

fn find<D: Disk>(disk: &D, dir: &str, prefix: &str) -> Result<Option<String>, DiskError> {
    Ok(disk.list(dir)?.into_iter().find(|name| name.starts_with(prefix)))
}
