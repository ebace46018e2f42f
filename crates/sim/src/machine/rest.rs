//! What becomes of a disk at rest.

use proto::Zxid;
use store::log::{MARK_NAME, Mark};
use store::mem::MemDisk;

use super::Machine;
use crate::rng::Rng;

/// What the name of a log file begins with.
const LOG: &str = "log.";
/// The same for a snapshot.
const SNAPSHOT: &str = "snapshot.";

fn zxid_of(path: &str, front: &str) -> Option<Zxid> {
    let name = path.rsplit('/').next()?.strip_prefix(front)?;
    i64::from_str_radix(name, 16).ok().map(Zxid)
}

impl Machine {
    /// The path of its newest log file, or its newest snapshot.
    #[must_use]
    pub fn newest(&self, front: &str) -> Option<String> {
        let named = |path: String| Some((zxid_of(&path, front)?, path));
        self.disk.paths().into_iter().filter_map(named).max().map(|(_, path)| path)
    }

    /// Turns over a bit of a log file or a snapshot, and says where. Of the log only what the disk itself knows to be durable:
    /// behind that, a broken entry is a torn one.
    pub fn rot(&mut self, rng: &mut Rng) -> Option<String> {
        let mark = self.durable_mark();
        let upto = |path: &String| -> Option<u64> {
            let bytes = self.disk.durable(path)?.len() as u64;
            if zxid_of(path, SNAPSHOT).is_some() {
                return Some(bytes);
            }
            let (zxid, mark) = (zxid_of(path, LOG)?, mark?);
            match zxid.cmp(&mark.log) {
                core::cmp::Ordering::Less => Some(bytes),
                core::cmp::Ordering::Equal => Some(mark.offset),
                core::cmp::Ordering::Greater => None,
            }
        };
        let files: Vec<(String, u64)> = self
            .disk
            .paths()
            .into_iter()
            .filter_map(|path| Some((upto(&path)?, path)))
            .map(|(bytes, path)| (path, bytes))
            .filter(|(_, bytes)| *bytes > 0)
            .collect();
        let (path, bytes) = files.get(rng.index(files.len()))?;
        let at = usize::try_from(rng.below(*bytes)).ok()?;
        self.disk.flip(path, at, u8::try_from(rng.below(8)).unwrap_or(0));
        self.is_damaged = true;
        Some(format!("byte {at} of {path}"))
    }

    /// How far the log is durable, by what is on the disk, not in the system's memory.
    fn durable_mark(&self) -> Option<Mark> {
        let path = format!("{}/{MARK_NAME}", self.dirs.log);
        let disk = MemDisk::new();
        disk.put(&path, &self.disk.durable(&path)?);
        Mark::load(&disk, &self.dirs.log).ok().flatten()
    }
}
