//! The log of L3 and L4: what has come since the last sync goes to disk with one write and one fdatasync.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result};

/// The log starts over at its beginning; a log of this size is what the original preallocates.
const LOG_BYTES: u64 = 64 * 1024 * 1024;

/// See the module.
pub(super) struct Log {
    file: File,
    at: u64,
    /// What the next sync puts on disk.
    pub(super) batch: Vec<u8>,
}

impl Log {
    /// A zero-filled file, so that a sync never waits for the allocation of blocks.
    pub(super) fn create(dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        let path = dir.join("log-echo");
        let file = OpenOptions::new().create(true).truncate(true).read(true).write(true).open(&path);
        let file = file.with_context(|| format!("creating {}", path.display()))?;
        let zeros = vec![0; 1024 * 1024];
        for at in (0..LOG_BYTES).step_by(zeros.len()) {
            file.write_all_at(&zeros, at)?;
        }
        file.sync_all()?;
        Ok(Self { file, at: 0, batch: Vec::new() })
    }

    /// Returns when the batch is on disk.
    pub(super) fn sync(&mut self) -> Result<()> {
        if self.at + u64::try_from(self.batch.len())? > LOG_BYTES {
            self.at = 0;
        }
        self.file.write_all_at(&self.batch, self.at)?;
        self.file.sync_data()?;
        self.at += u64::try_from(self.batch.len())?;
        self.batch.clear();
        Ok(())
    }
}
