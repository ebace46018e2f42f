//! The small files an operator puts beside the data: `myid` and `initialize`.

use std::fs;
use std::path::Path;

use super::error::ConfigError;

/// The id in `<data_dir>/myid`, or `None` if there is no such file, which a standalone server does not need.
///
/// Only the first line counts, a decimal `long` without any blank.
///
/// # Errors
/// [`ConfigError::MyIdNotANumber`], [`ConfigError::FileUnreadable`].
///
/// Source: `QuorumPeerConfig#setupMyId`.
pub fn read_my_id(data_dir: &Path) -> Result<Option<i64>, ConfigError> {
    let path = data_dir.join("myid");
    if !path.is_file() {
        return Ok(None);
    }
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(source) => return Err(ConfigError::FileUnreadable { path, source }),
    };
    let text = String::from_utf8_lossy(&bytes);
    // An empty file has no first line; Java's reader gives null.
    let line = if text.is_empty() { "null" } else { text.split(['\n', '\r']).next().unwrap_or_default() };
    let text = line.to_owned();
    line.parse().map(Some).map_err(|_| ConfigError::MyIdNotANumber { path, text })
}

/// Where the marker is looked up that lets an empty database vote: beside the **log**'s `version-2`, not beside `myid`.
///
/// Whoever restores the database removes it, needed or not. Source: `FileTxnSnapLog#restore`.
pub fn initialize_marker(data_log_dir: &Path) -> std::path::PathBuf {
    data_log_dir.join("initialize")
}
