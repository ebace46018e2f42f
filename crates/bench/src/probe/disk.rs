//! L2, what one forced write costs, and L6, what reading a snapshot costs at least.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::engine::{as_ns, latencies};
use crate::wire;

/// L2's result.
#[derive(Debug, Serialize)]
pub(crate) struct Syncs {
    pub(crate) size_bytes: usize,
    pub(crate) per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

/// Overwrites a zero-filled file of 16 MiB in `dir`, with an fdatasync after each `size` bytes.
pub(crate) fn fdatasync_loop(dir: &Path, size: usize, run: Duration) -> Result<Syncs> {
    const FILE_BYTES: usize = 16 * 1024 * 1024;
    fs::create_dir_all(dir)?;
    let path = dir.join("fdatasync-loop");
    fs::write(&path, vec![0; FILE_BYTES.max(size)])?;
    let file = File::options().write(true).open(&path)?;
    file.sync_all()?;
    let record = wire::data(size);
    let mut times = latencies();
    let mut at = 0;
    let start = Instant::now();
    while start.elapsed() < run {
        let begun = Instant::now();
        file.write_all_at(&record, u64::try_from(at)?)?;
        file.sync_data()?;
        times.saturating_record(as_ns(begun.elapsed()));
        at = if at + 2 * size > FILE_BYTES { 0 } else { at + size };
    }
    let elapsed = start.elapsed();
    fs::remove_file(&path)?;
    let us = |quantile| times.value_at_quantile(quantile) as f64 / 1e3;
    let per_second = times.len() as f64 / elapsed.as_secs_f64();
    Ok(Syncs { size_bytes: size, per_second, p50_us: us(0.5), p99_us: us(0.99) })
}

/// L6's result.
#[derive(Debug, Serialize)]
pub(crate) struct Copied {
    pub(crate) file: PathBuf,
    pub(crate) nodes: u64,
    pub(crate) seconds: f64,
}

/// Reads the newest plain snapshot below `dir` and copies path and data of each znode into one arena.
pub(crate) fn snapshot_copy(dir: &Path) -> Result<Copied> {
    let file = newest_snapshot(dir)?.with_context(|| format!("no snapshot below {}", dir.display()))?;
    let start = Instant::now();
    let bytes = fs::read(&file)?;
    let mut arena = Vec::with_capacity(bytes.len());
    let nodes = copy_nodes(&bytes, &mut arena).context("the snapshot ends early or is compressed")?;
    let seconds = start.elapsed().as_secs_f64();
    // The copy must not be optimised away.
    std::hint::black_box(&arena);
    Ok(Copied { file, nodes, seconds })
}

/// The snapshot with the highest zxid in `dir/version-2` or `dir`.
pub(crate) fn newest_snapshot(dir: &Path) -> Result<Option<PathBuf>> {
    let inner = dir.join("version-2");
    let dir = if inner.is_dir() { inner } else { dir.to_owned() };
    let mut newest = None;
    for entry in fs::read_dir(&dir)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let zxid = name.strip_prefix("snapshot.").and_then(|zxid| u64::from_str_radix(zxid, 16).ok());
        newest = newest.max(zxid.map(|zxid| (zxid, path)));
    }
    Ok(newest.map(|(_, path)| path))
}

/// Walks the snapshot's records. Source: `FileSnap#deserialize`, `SerializeUtils`, `DataTree#deserialize`.
fn copy_nodes(bytes: &[u8], arena: &mut Vec<u8>) -> Option<u64> {
    const PERSISTED_STAT: usize = 60;
    let mut rest = bytes.get(16..)?;
    for _ in 0..take_int(&mut rest)? {
        take(&mut rest, 12)?;
    }
    for _ in 0..take_int(&mut rest)? {
        take(&mut rest, 8)?;
        for _ in 0..take_int(&mut rest)? {
            take(&mut rest, 4)?;
            take_buffer(&mut rest)?;
            take_buffer(&mut rest)?;
        }
    }
    let mut nodes = 0;
    loop {
        let path = take_buffer(&mut rest)?;
        if path == b"/" {
            return Some(nodes);
        }
        arena.extend_from_slice(path);
        arena.extend_from_slice(take_buffer(&mut rest)?);
        arena.extend_from_slice(take(&mut rest, 8 + PERSISTED_STAT)?);
        nodes += 1;
    }
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

fn take_int(rest: &mut &[u8]) -> Option<i32> {
    Some(wire::int_at(take(rest, 4)?, 0))
}

/// A buffer or string; null (-1) counts as empty.
fn take_buffer<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take_int(rest)?;
    take(rest, usize::try_from(length.max(0)).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Frame;

    #[test]
    fn the_walk_counts_znodes_up_to_the_end_mark() {
        // One session, one ACL list, two znodes, the mark.
        let body = Frame::bare().long(0).long(0).int(1).long(5).int(30_000).int(1).long(1).open_acl();
        let body = body.string("").buffer(b"x").long(1);
        let body = (0..15).fold(body, |body, field| body.int(field));
        let body = body.string("/a").int(-1).long(1);
        let body = (0..15).fold(body, |body, field| body.int(field)).string("/");
        let bytes = body.finish().split_off(4);
        let mut arena = Vec::new();
        assert_eq!(copy_nodes(&bytes, &mut arena), Some(2));
        assert_eq!(arena.len(), 1 + 2 + 2 * 68);
        assert_eq!(copy_nodes(&bytes[..bytes.len() - 1], &mut arena), None);
    }
}
