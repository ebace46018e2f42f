//! A small file system of our own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// A `tmpfs` in a temporary directory; dropping it takes it away.
#[derive(Debug)]
pub(crate) struct Mount {
    dir: TempDir,
}

impl Mount {
    /// Mounts one of `size` (as mount(8) takes it).
    ///
    /// # Errors
    /// When that is not permitted: the lane has to run as root.
    pub(crate) fn tmpfs(size: &str) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("compat-mount-").tempdir()?;
        mount(&["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"], dir.path())?;
        Ok(Self { dir })
    }

    /// Nothing may be written from now on.
    pub(crate) fn make_read_only(&self) -> Result<()> {
        mount(&["-o", "remount,ro"], self.dir.path())
    }

    /// Where it is.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().to_path_buf()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: whatever still has a file open there is about to end. Without this the directory could not be removed.
        let _ = Command::new("umount").arg("-l").arg(self.dir.path()).status();
    }
}

/// Runs mount(8).
fn mount(arguments: &[&str], path: &Path) -> Result<()> {
    let output = Command::new("mount").args(arguments).arg(path).output().context("starting mount")?;
    ensure!(
        output.status.success(),
        "a file system for this check cannot be mounted, which takes root: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
