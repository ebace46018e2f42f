//! Ending a history earlier than it ends: what a leader asks for with TRUNC, and what has to go before a snapshot of
//! another history may be this member's ([`SnapshotWriter::install`](crate::snapshot::SnapshotWriter::install)).
//!
//! Several files change, so the decision is made durable first, in a file of its own; from then on it is carried out,
//! by whoever comes next if need be. A power failure therefore leaves the old history or the new one and nothing
//! between. Stricter than Java (storage.md §13): the transaction has to be here, and snapshots that hold later ones
//! go as well, which would bring back what was given up (ZOOKEEPER-1549).

use alloc::string::String;
use alloc::vec::Vec;
use core::convert::Infallible;

use proto::{Encode, Epoch, Reader, Zxid};

use crate::base;
use crate::dirs::Dirs;
use crate::disk::{self, Disk, DiskError, DiskFile};
use crate::entry::LOG_HEADER_LEN;
use crate::epoch::{self, EpochError, EpochKind};
use crate::log::scan::{self, FileEnd, ScanError, Step};
use crate::log::{LogEnd, LogRange, LogReadError, Mark, MarkFile, read_logs};
use crate::names::{self, Named};
use crate::recover::Note;
use crate::reserve;
use crate::snapshot::{Compression, SnapshotEnd, looks_valid, verify_snapshot};

/// In the snapshot directory while a truncation is carried out. Java passes it over.
pub const TRUNCATION_NAME: &str = ".oxkeeper.truncation";
/// `OXCT`.
const MAGIC: i32 = 0x4f58_4354;
/// Magic, four numbers, what for, checksum: less than a sector.
const LEN: usize = 4 + 4 * 8 + 4 + 4;

/// Why nothing was truncated. Apart from [`TruncateError::Disk`] all files are as they were.
#[derive(Debug, thiserror::Error)]
pub enum TruncateError {
    /// The disk failed. The process has to end (reliability.md R6); the next start carries out what was decided.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The caller knows more than that to be committed (reliability.md Z10).
    #[error(
        "the leader asks to truncate the log to {zxid}, but {committed} is committed; the leader's history is not \
             that of this ensemble, look at its data directory before anything else"
    )]
    Committed {
        /// What was asked for.
        zxid: Zxid,
        /// What the caller forbids to cross.
        committed: Zxid,
    },
    /// There is no such transaction.
    #[error(
        "Not able to truncate the log {zxid}: no such transaction is here, the one before it is {before}; \
             move the version-2 directories of this member aside and restart, it then copies the leader"
    )]
    NotHere {
        /// What was asked for.
        zxid: Zxid,
        /// The last transaction before it.
        before: Zxid,
    },
    /// No sound snapshot of before that transaction is left from which this log leads on, so that without the later ones
    /// there is no history.
    #[error(
        "Not able to truncate the log {zxid}: every sound snapshot here is newer; \
             move the version-2 directories of this member aside and restart, it then copies the leader"
    )]
    NoSnapshot {
        /// What was asked for.
        zxid: Zxid,
    },
    /// The log cannot be read up to there.
    #[error(transparent)]
    Log(LogReadError<Infallible>),
}

/// What a truncation did.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Truncated {
    /// The last transaction now. Less than what was asked for only if that was the mark that opens an epoch, which
    /// has counter 0 and no entry.
    pub last: Zxid,
    /// What was removed and cut.
    pub notes: Vec<Note>,
}

/// Ends the history behind `zxid`, durably: what the packet TRUNC asks for.
///
/// The directories are the caller's alone: no [`LogWriter`](crate::log::LogWriter), no
/// [`SnapshotWriter`](crate::snapshot::SnapshotWriter) and no purge is at work in them. Afterwards
/// [`recover`](crate::recover()) gives the state, and a new writer behind [`Truncated::last`] goes on in a new file; no
/// file of a later name is left that could be in its way.
///
/// * `committed`: nothing up to and with this is given up.
///
/// # Errors
/// [`TruncateError`]
///
/// Source: `FileTxnLog#truncate`, `Learner#syncWithLeader`.
pub fn truncate<D: Disk>(
    disk: &D,
    dirs: &Dirs,
    zxid: Zxid,
    committed: Zxid,
) -> Result<Truncated, TruncateError> {
    if zxid < committed {
        return Err(TruncateError::Committed { zxid, committed });
    }
    let Start { snapshot, dirty } = start(disk, dirs, zxid)?;
    let (last, next) = reach(disk, dirs, snapshot, zxid)?;
    // The mark that opens an epoch has no entry; the first one behind it tells that it was passed.
    let opens_epoch = zxid.counter() == 0 && next.is_none_or(|next| next.epoch() == zxid.epoch());
    if last != zxid && !opens_epoch {
        return Err(TruncateError::NotHere { zxid, before: last });
    }
    let decision = Truncation {
        snapshots_upto: if dirty { snapshot } else { zxid },
        log_upto: zxid,
        last,
        epoch: current_epoch(disk, dirs)?,
        install: None,
    };
    decision.decide(disk, dirs)?;
    Ok(Truncated { last, notes: decision.carry_out(disk, dirs)? })
}

/// Where the shorter history starts.
struct Start {
    /// The newest sound snapshot without effects of later transactions.
    snapshot: Zxid,
    /// Whether there are snapshots of an older name with such effects: Java's hold what was applied while they were
    /// written.
    dirty: bool,
}

fn start<D: Disk>(disk: &D, dirs: &Dirs, zxid: Zxid) -> Result<Start, TruncateError> {
    let mut dirty = false;
    let begins = base::load(disk, dirs)?;
    let mut snapshots = names::list_snapshots(disk, &dirs.snap)?;
    snapshots.retain(|file| (begins..=zxid).contains(&file.zxid));
    for Named { zxid: named, name } in snapshots.into_iter().rev() {
        if !looks_valid(disk, &dirs.snap, &name)? {
            continue;
        }
        // One that cannot be read is no base and no danger: recovery passes it over, too.
        let Ok(SnapshotEnd { digest, last, .. }) = verify_snapshot(disk, &dirs.snap, &name) else { continue };
        if digest.map(|digest| digest.zxid).max(last) <= Some(zxid) {
            return Ok(Start { snapshot: named, dirty });
        }
        dirty = true;
    }
    Err(TruncateError::NoSnapshot { zxid })
}

/// The last transaction up to `zxid` that the log leads to without a hole, and the first one behind.
fn reach<D: Disk>(
    disk: &D,
    dirs: &Dirs,
    from: Zxid,
    zxid: Zxid,
) -> Result<(Zxid, Option<Zxid>), TruncateError> {
    let mut last = from;
    let range = LogRange { after: from, upto: Some(zxid) };
    let read = read_logs(disk, &dirs.log, range, |at, _| {
        last = at;
        Ok(())
    });
    match read {
        Ok(LogEnd { next, .. }) => Ok((last, next)),
        Err(LogReadError::Disk(error)) => Err(error.into()),
        // What is wrong behind it goes with the rest.
        Err(_) if last == zxid => Ok((last, None)),
        Err(error) => Err(TruncateError::Log(error)),
    }
}

/// Only a failing disk is a failure: a file without a number is no epoch.
fn current_epoch<D: Disk>(disk: &D, dirs: &Dirs) -> Result<Option<Epoch>, DiskError> {
    match epoch::load(disk, &dirs.snap, EpochKind::Current) {
        Err(EpochError::Disk(error)) => Err(error),
        epoch => Ok(epoch.ok().flatten()),
    }
}

/// A decision that holds once it is on disk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Truncation {
    /// Snapshots of a later name go.
    pub(crate) snapshots_upto: Zxid,
    /// Entries behind this one go.
    pub(crate) log_upto: Zxid,
    /// The history afterwards ends here, or later.
    pub(crate) last: Zxid,
    /// What `currentEpoch` said. If it says something else, another program has taken this directory on since, and the
    /// decision is no longer about what is there.
    pub(crate) epoch: Option<Epoch>,
    /// Instead of what goes comes the snapshot `log_upto`, which waits under its temporary name.
    pub(crate) install: Option<Compression>,
}

impl Truncation {
    /// Before the snapshot `zxid` of another history, which waits under its temporary name, is this member's.
    pub(crate) fn before<D: Disk>(
        disk: &D,
        dirs: &Dirs,
        zxid: Zxid,
        compression: Compression,
    ) -> Result<Self, DiskError> {
        Ok(Self {
            snapshots_upto: zxid,
            log_upto: zxid,
            last: zxid,
            epoch: current_epoch(disk, dirs)?,
            install: Some(compression),
        })
    }

    /// Makes the decision durable: from here on it holds, and [`carry_out`](Self::carry_out) follows.
    pub(crate) fn decide<D: Disk>(&self, disk: &D, dirs: &Dirs) -> Result<(), DiskError> {
        let path = disk::join(&dirs.snap, TRUNCATION_NAME);
        reserve::replace(disk, &path, &self.encode()).inspect_err(|_| {
            // The first error is the one to tell. Nobody counts on a decision that may not be durable.
            let _ = disk.remove(&path);
        })
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(LEN);
        MAGIC.encode(&mut out);
        self.snapshots_upto.encode(&mut out);
        self.log_upto.encode(&mut out);
        self.last.encode(&mut out);
        self.epoch.map_or(-1, |epoch| i64::from(epoch.0)).encode(&mut out);
        let install: i32 = match self.install {
            None => 0,
            Some(Compression::Plain) => 1,
            Some(Compression::Gzip) => 2,
            Some(Compression::Snappy) => 3,
        };
        install.encode(&mut out);
        let checksum = simd_adler32::adler32(&out.as_slice());
        out.extend_from_slice(&checksum.to_be_bytes());
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, checksum) = bytes.split_at_checked(LEN - 4)?;
        let mut reader = Reader::new(body);
        let magic: i32 = reader.take().ok()?;
        let decision = Self {
            snapshots_upto: reader.take().ok()?,
            log_upto: reader.take().ok()?,
            last: reader.take().ok()?,
            epoch: u32::try_from(reader.take::<i64>().ok()?).ok().map(Epoch),
            install: match reader.take::<i32>().ok()? {
                0 => None,
                1 => Some(Compression::Plain),
                2 => Some(Compression::Gzip),
                3 => Some(Compression::Snappy),
                _ => return None,
            },
        };
        let intact = magic == MAGIC && checksum == simd_adler32::adler32(&body).to_be_bytes();
        intact.then_some(decision)
    }

    /// Every step may have been done before, in part or as a whole. Newest first, so that Java, too, finds a history
    /// if it is started in the middle of it.
    pub(crate) fn carry_out<D: Disk>(self, disk: &D, dirs: &Dirs) -> Result<Vec<Note>, DiskError> {
        let upto = self.log_upto;
        let mut notes = Vec::new();
        let mut remove = |dir: &str, file: &Named| {
            let path = disk::join(dir, &file.name);
            disk.remove(&path)?;
            notes.push(Note::NewerRemoved { file: path, upto });
            // One by one: a power failure between two may not leave a hole.
            disk.sync_dir(dir)
        };
        let logs = names::list_logs(disk, &dirs.log)?;
        let (kept, newer) = logs.split_at(logs.partition_point(|log| log.zxid <= upto));
        newer.iter().rev().try_for_each(|log| remove(&dirs.log, log))?;
        let waiting = self.waiting(disk, dirs)?;
        for snapshot in names::list_snapshots(disk, &dirs.snap)?.iter().rev() {
            let replaced = waiting.is_some() && snapshot.zxid == upto;
            if snapshot.zxid > self.snapshots_upto || replaced {
                remove(&dirs.snap, snapshot)?;
            }
        }
        let mut kept_upto = LOG_HEADER_LEN as u64;
        if let Some(log) = kept.last() {
            let path = disk::join(&dirs.log, &log.name);
            let end = cut_behind(disk, &path, upto)?;
            kept_upto = end.offset;
            notes.extend(end.cut.then_some(Note::NewerCut { file: path, offset: end.offset, upto }));
        }
        self.lower_mark(disk, dirs, kept.last().map_or(upto, |log| log.zxid), kept_upto)?;
        if let Some((from, to)) = waiting {
            base::save(disk, dirs, upto)?;
            disk.rename(&from, &to)?;
            disk.sync_dir(&dirs.snap)?;
            notes.push(Note::Installed { file: to });
        }
        drop_decision(disk, dirs)?;
        Ok(notes)
    }

    /// Whether the snapshot to install is there.
    fn is_possible<D: Disk>(&self, disk: &D, dirs: &Dirs) -> Result<bool, DiskError> {
        let Some(compression) = self.install else { return Ok(true) };
        let name = names::snapshot_name(self.log_upto, compression);
        Ok(self.waiting(disk, dirs)?.is_some() || disk.exists(&disk::join(&dirs.snap, &name))?)
    }

    /// The temporary and the final path of the snapshot to install, unless it has its name already.
    fn waiting<D: Disk>(&self, disk: &D, dirs: &Dirs) -> Result<Option<(String, String)>, DiskError> {
        let Some(compression) = self.install else { return Ok(None) };
        let to = disk::join(&dirs.snap, &names::snapshot_name(self.log_upto, compression));
        let from = names::temporary(&to);
        Ok(disk.exists(&from)?.then_some((from, to)))
    }

    /// The mark may not promise more than is left, or the next start would miss it.
    fn lower_mark<D: Disk>(&self, disk: &D, dirs: &Dirs, log: Zxid, offset: u64) -> Result<(), DiskError> {
        match Mark::load(disk, &dirs.log)? {
            Some(mark) if mark.last > self.last || mark.log > self.log_upto => {
                let mark = Mark { log, offset, last: mark.last.min(self.last) };
                MarkFile::start(disk, &dirs.log, mark).map(drop)
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Carries out what was decided before a power failure, and tells what it did.
pub(crate) fn finish<D: Disk>(disk: &D, dirs: &Dirs) -> Result<Vec<Note>, DiskError> {
    let path = disk::join(&dirs.snap, TRUNCATION_NAME);
    let bytes = match disk::read_small(disk, &path, LEN) {
        Ok(bytes) => bytes,
        Err(DiskError::NotFound { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let epoch = current_epoch(disk, dirs)?;
    match Truncation::decode(&bytes) {
        Some(decision) if decision.epoch == epoch && decision.is_possible(disk, dirs)? => {
            decision.carry_out(disk, dirs)
        }
        // Whatever of it was done, it only ever made the old history end earlier.
        Some(_) | None => {
            drop_decision(disk, dirs)?;
            Ok(Vec::from([Note::TruncationDropped { file: path }]))
        }
    }
}

fn drop_decision<D: Disk>(disk: &D, dirs: &Dirs) -> Result<(), DiskError> {
    disk.remove(&disk::join(&dirs.snap, TRUNCATION_NAME))?;
    disk.sync_dir(&dirs.snap)
}

/// The end of the part of a log file that stays.
struct End {
    offset: u64,
    /// Whether anything stood behind it.
    cut: bool,
}

/// Ends a log file behind its last entry up to `upto`, durably. Like Java, without zeroes behind it.
fn cut_behind<D: Disk>(disk: &D, path: &str, upto: Zxid) -> Result<End, DiskError> {
    let seen = scan::scan(disk, path, &mut |zxid, _| {
        Ok::<_, Infallible>(if zxid > upto { Step::Stop } else { Step::Next })
    });
    match seen {
        Ok(FileEnd { offset, broken: None, stopped: false }) => Ok(End { offset, cut: false }),
        Ok(FileEnd { offset, .. }) => {
            let file = disk.open_to_write(path)?;
            file.set_length(offset)?;
            file.sync()?;
            Ok(End { offset, cut: true })
        }
        // Without a whole header it never held anything.
        Err(ScanError::Short { .. } | ScanError::Magic) => {
            Ok(End { offset: LOG_HEADER_LEN as u64, cut: false })
        }
        Err(ScanError::Disk(error)) => Err(error),
        Err(ScanError::Visitor { error, .. }) => match error {},
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_decision_is_none() {
        for (epoch, install) in [(None, None), (Some(Epoch(7)), Some(Compression::Gzip))] {
            let decision = Truncation {
                snapshots_upto: Zxid(3),
                log_upto: Zxid(0x7_0000_0005),
                last: Zxid(4),
                epoch,
                install,
            };
            let bytes = decision.encode();
            assert_eq!(Truncation::decode(&bytes), Some(decision));
            for at in 0..bytes.len() {
                let mut bad = bytes.clone();
                bad[at] ^= 1;
                assert_eq!(Truncation::decode(&bad), None, "byte {at}");
                assert_eq!(Truncation::decode(&bytes[..at]), None);
            }
        }
    }
}
