//! Ending a history earlier than it ends: what a leader asks for with TRUNC, and what has to go before a snapshot of
//! another history may be this member's ([`SnapshotWriter::install`](crate::snapshot::SnapshotWriter::install)).
//!
//! Several files change, so the decision is made durable first, in a file of its own; from then on it is carried out,
//! by whoever comes next if need be. A power failure therefore leaves the old history or the new one and nothing
//! between. Java knows nothing of the decision and may have gone on with the directory before it is carried out to its
//! end; so it names the files it is about, and where there are others, it is dropped. Stricter than Java (storage.md §13): the transaction has to be here, and snapshots that hold later ones
//! go as well, which would bring back what was given up (ZOOKEEPER-1549).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::convert::Infallible;

use mutants::mutant;
use proto::{Encode, Epoch, Reader, Zxid};

use crate::base;
use crate::dirs::Dirs;
use crate::disk::{self, Disk, DiskError, DiskFile};
use crate::entry::{ENTRY_HEAD_LEN, LOG_HEADER_LEN};
use crate::epoch::{self, EpochError, EpochKind};
use crate::log::scan::{self, FileEnd, ScanError, Step};
use crate::log::{LogEnd, LogRange, LogReadError, Mark, MarkFile, read_logs};
use crate::names::{self, Named};
use crate::recover::Note;
use crate::reserve;
use crate::snapshot::{Compression, SnapshotEnd, SnapshotError, looks_valid, verify_snapshot};

/// In the snapshot directory while a truncation is carried out. Java passes it over.
pub const TRUNCATION_NAME: &str = ".oxkeeper.truncation";
/// `OXCT`.
const MAGIC: i32 = 0x4f58_4354;
/// Many times what thousands of files take.
const LEN_MAX: usize = 1 << 20;
/// So much of the beginning of a snapshot tells it from another of its name: sessions, permissions.
const SNAPSHOT_HEAD_LEN: usize = 1024;
/// The same of a log, up to the checksum of its first transaction, which is never cut off.
const LOG_HEAD_LEN: usize = LOG_HEADER_LEN + ENTRY_HEAD_LEN;

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
    let snapshots_upto = if dirty { snapshot } else { zxid };
    let decision = Truncation::new(disk, dirs, snapshots_upto, zxid, last, None)?;
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
    let (mut dirty, mut unread) = (false, None);
    let begins = base::load(disk, dirs)?;
    let mut snapshots = names::list_snapshots(disk, &dirs.snap)?;
    snapshots.retain(|file| (begins..=zxid).contains(&file.zxid));
    for Named { zxid: named, name } in snapshots.into_iter().rev() {
        if !looks_valid(disk, &dirs.snap, &name)? {
            continue;
        }
        let SnapshotEnd { digest, last, .. } = match verify_snapshot(disk, &dirs.snap, &name) {
            Ok(end) => end,
            Err(SnapshotError::Disk(error)) => {
                unread.get_or_insert(error);
                continue;
            }
            // A damaged one is no base and no danger: recovery passes it over, too.
            Err(_) => continue,
        };
        if digest.map(|digest| digest.zxid).max(last) <= Some(zxid) {
            return Ok(Start { snapshot: named, dirty });
        }
        dirty = true;
    }
    // What the disk would not give may have been the one.
    Err(unread.map_or(TruncateError::NoSnapshot { zxid }, TruncateError::Disk))
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

/// A file as it was when a decision was taken: the zxid in its name, and a checksum of its name and its beginning.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Known {
    zxid: Zxid,
    checksum: u32,
}

impl Known {
    fn of<D: Disk>(disk: &D, dir: &str, file: &Named) -> Self {
        let head_len = if names::log_zxid(&file.name).is_some() { LOG_HEAD_LEN } else { SNAPSHOT_HEAD_LEN };
        let mut told = file.name.clone().into_bytes();
        // What cannot be read is known by its name.
        told.extend(disk::read_small(disk, &disk::join(dir, &file.name), head_len).unwrap_or_default());
        Self { zxid: file.zxid, checksum: simd_adler32::adler32(&told.as_slice()) }
    }
}

/// A decision that holds once it is on disk.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Truncation {
    /// Snapshots of a later name go.
    snapshots_upto: Zxid,
    /// Entries behind this one go.
    log_upto: Zxid,
    /// The history afterwards ends here, or later.
    last: Zxid,
    /// What `currentEpoch` said. If it says something else, another program has taken this directory on since, and the
    /// decision is no longer about what is there.
    epoch: Option<Epoch>,
    /// Where the history began that its own log can tell.
    base: Zxid,
    /// Instead of what goes comes the snapshot `log_upto`, which waits under its temporary name.
    install: Option<Compression>,
    /// The files of the history that ends. Java never appends to a file that is there: if it went on with the directory in
    /// the same epoch, as a standalone server or behind the same leader, there is another one.
    files: Vec<Known>,
}

impl Truncation {
    /// Before the snapshot `zxid` of another history, which waits under its temporary name, is this member's.
    pub(crate) fn before<D: Disk>(
        disk: &D,
        dirs: &Dirs,
        zxid: Zxid,
        compression: Compression,
    ) -> Result<Self, DiskError> {
        Self::new(disk, dirs, zxid, zxid, zxid, Some(compression))
    }

    fn new<D: Disk>(
        disk: &D,
        dirs: &Dirs,
        snapshots_upto: Zxid,
        log_upto: Zxid,
        last: Zxid,
        install: Option<Compression>,
    ) -> Result<Self, DiskError> {
        let (epoch, base) = (current_epoch(disk, dirs)?, base::load(disk, dirs)?);
        let mut new = Self { snapshots_upto, log_upto, last, epoch, base, install, files: Vec::new() };
        new.files = new.concerned(disk, dirs)?.iter().map(|(dir, file)| Known::of(disk, dir, file)).collect();
        Ok(new)
    }

    /// The files that have to go now, with their directories, in the order in which they go: newest first, so that Java,
    /// too, finds a history if it is started in the middle of it.
    fn going<'a, D: Disk>(&self, disk: &D, dirs: &'a Dirs) -> Result<Vec<(&'a str, Named)>, DiskError> {
        let is_waiting = self.waiting(disk, dirs)?.is_some();
        Self::list(
            disk,
            dirs,
            |log| log > self.log_upto,
            |snapshot| snapshot > self.snapshots_upto || (is_waiting && snapshot == self.log_upto),
        )
    }

    /// The files that show whether the history is still the one this is about: those that go, and all as long as a
    /// snapshot waits to take its place.
    fn concerned<'a, D: Disk>(&self, disk: &D, dirs: &'a Dirs) -> Result<Vec<(&'a str, Named)>, DiskError> {
        let is_waiting = self.waiting(disk, dirs)?.is_some();
        Self::list(
            disk,
            dirs,
            |log| is_waiting || log > self.log_upto,
            |snapshot| is_waiting || snapshot > self.snapshots_upto,
        )
    }

    fn list<'a, D: Disk>(
        disk: &D,
        dirs: &'a Dirs,
        is_log: impl Fn(Zxid) -> bool,
        is_snapshot: impl Fn(Zxid) -> bool,
    ) -> Result<Vec<(&'a str, Named)>, DiskError> {
        let mut logs = names::list_logs(disk, &dirs.log)?;
        logs.retain(|log| is_log(log.zxid));
        let mut snapshots = names::list_snapshots(disk, &dirs.snap)?;
        snapshots.retain(|snapshot| is_snapshot(snapshot.zxid));
        let logs = logs.into_iter().rev().map(|log| (dirs.log.as_str(), log));
        let snapshots = snapshots.into_iter().rev().map(|file| (dirs.snap.as_str(), file));
        Ok(logs.chain(snapshots).collect())
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
        let mut out = Vec::new();
        MAGIC.encode(&mut out);
        self.snapshots_upto.encode(&mut out);
        self.log_upto.encode(&mut out);
        self.last.encode(&mut out);
        self.epoch.map_or(-1, |epoch| i64::from(epoch.0)).encode(&mut out);
        self.base.encode(&mut out);
        let install: i32 = match self.install {
            None => 0,
            Some(Compression::Plain) => 1,
            Some(Compression::Gzip) => 2,
            Some(Compression::Snappy) => 3,
        };
        install.encode(&mut out);
        for Known { zxid, checksum } in &self.files {
            zxid.encode(&mut out);
            checksum.cast_signed().encode(&mut out);
        }
        let checksum = simd_adler32::adler32(&out.as_slice());
        out.extend_from_slice(&checksum.to_be_bytes());
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, checksum) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
        let mut reader = Reader::new(body);
        let magic: i32 = reader.take().ok()?;
        let mut decision = Self {
            snapshots_upto: reader.take().ok()?,
            log_upto: reader.take().ok()?,
            last: reader.take().ok()?,
            epoch: u32::try_from(reader.take::<i64>().ok()?).ok().map(Epoch),
            base: reader.take().ok()?,
            install: match reader.take::<i32>().ok()? {
                0 => None,
                1 => Some(Compression::Plain),
                2 => Some(Compression::Gzip),
                3 => Some(Compression::Snappy),
                _ => return None,
            },
            files: Vec::new(),
        };
        while !reader.rest().is_empty() {
            let zxid = reader.take().ok()?;
            decision.files.push(Known { zxid, checksum: reader.take::<i32>().ok()?.cast_unsigned() });
        }
        let intact = magic == MAGIC && checksum == simd_adler32::adler32(&body).to_be_bytes();
        intact.then_some(decision)
    }

    /// Every step may have been done before, in part or as a whole.
    pub(crate) fn carry_out<D: Disk>(self, disk: &D, dirs: &Dirs) -> Result<Vec<Note>, DiskError> {
        let upto = self.log_upto;
        let mut notes = Vec::new();
        for (dir, file) in self.going(disk, dirs)? {
            let path = disk::join(dir, &file.name);
            disk.remove(&path)?;
            notes.push(Note::NewerRemoved { file: path, upto });
            // One by one: a power failure between two may not leave a hole.
            disk.sync_dir(dir)?;
        }
        let kept = self.last_kept(disk, dirs)?;
        if let Some(Kept { path, end: End { offset, goes_on: true }, .. }) = &kept {
            let file = disk.open_to_write(path)?;
            if !mutant!(TailNotCut) {
                file.set_length(*offset)?;
            }
            file.sync()?;
            notes.push(Note::NewerCut { file: path.clone(), offset: *offset, upto });
        }
        self.lower_mark(disk, dirs, kept)?;
        if let Some((from, to)) = self.waiting(disk, dirs)? {
            base::save(disk, dirs, upto)?;
            disk.rename(&from, &to)?;
            disk.sync_dir(&dirs.snap)?;
            notes.push(Note::Installed { file: to });
        }
        drop_decision(disk, dirs)?;
        Ok(notes)
    }

    /// Why this is no decision about what is here now.
    fn objection<D: Disk>(&self, disk: &D, dirs: &Dirs) -> Result<Option<String>, DiskError> {
        if current_epoch(disk, dirs)? != self.epoch {
            return Ok(Some("currentEpoch is another one".into()));
        }
        if let Some(compression) = self.install {
            let name = names::snapshot_name(self.log_upto, compression);
            if self.waiting(disk, dirs)?.is_none() && !disk.exists(&disk::join(&dirs.snap, &name))? {
                return Ok(Some(format!("{name} is gone")));
            }
        }
        let concerned = self.concerned(disk, dirs)?;
        let other = concerned.iter().find(|(dir, file)| !self.files.contains(&Known::of(disk, dir, file)));
        Ok(other.map(|(_, file)| format!("{} came later", file.name)))
    }

    /// What was done of it only ever made the old history end earlier, and that is what the small files say from now on.
    fn give_up<D: Disk>(&self, disk: &D, dirs: &Dirs) -> Result<(), DiskError> {
        if self.waiting(disk, dirs)?.is_some() && base::load(disk, dirs)? != self.base {
            base::save(disk, dirs, self.base)?;
        }
        let kept = self.last_kept(disk, dirs)?;
        if let Some(Kept { path, .. }) = &kept {
            // Nor may a cut be undone that was not synced, for the history went on behind it.
            let file = disk.open_to_write(path)?;
            file.set_length(file.length()?)?;
            file.sync()?;
        }
        self.lower_mark(disk, dirs, kept)
    }

    /// The newest log file that stays, and where it is to end.
    fn last_kept<D: Disk>(&self, disk: &D, dirs: &Dirs) -> Result<Option<Kept>, DiskError> {
        let logs = names::list_logs(disk, &dirs.log)?;
        let Some(Named { zxid: log, name }) = logs.into_iter().rfind(|log| log.zxid <= self.log_upto) else {
            return Ok(None);
        };
        let path = disk::join(&dirs.log, &name);
        let end = end_of(disk, &path, self.log_upto)?;
        Ok(Some(Kept { log, path, end }))
    }

    /// The temporary and the final path of the snapshot to install, unless it has its name already.
    fn waiting<D: Disk>(&self, disk: &D, dirs: &Dirs) -> Result<Option<(String, String)>, DiskError> {
        let Some(compression) = self.install else { return Ok(None) };
        let to = disk::join(&dirs.snap, &names::snapshot_name(self.log_upto, compression));
        let from = names::temporary(&to);
        Ok(disk.exists(&from)?.then_some((from, to)))
    }

    /// The mark may not promise more than is left, or the next start would miss it.
    fn lower_mark<D: Disk>(&self, disk: &D, dirs: &Dirs, kept: Option<Kept>) -> Result<(), DiskError> {
        let nothing = (self.log_upto, LOG_HEADER_LEN as u64);
        let (log, offset) = kept.map_or(nothing, |kept| (kept.log, kept.end.offset));
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
    let bytes = match disk::read_small(disk, &path, LEN_MAX) {
        Ok(bytes) => bytes,
        Err(DiskError::NotFound { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let why = match Truncation::decode(&bytes) {
        None => "it cannot be read".into(),
        Some(decision) => match decision.objection(disk, dirs)? {
            None => return decision.carry_out(disk, dirs),
            Some(why) => {
                decision.give_up(disk, dirs)?;
                why
            }
        },
    };
    drop_decision(disk, dirs)?;
    Ok(Vec::from([Note::TruncationDropped { file: path, why }]))
}

fn drop_decision<D: Disk>(disk: &D, dirs: &Dirs) -> Result<(), DiskError> {
    disk.remove(&disk::join(&dirs.snap, TRUNCATION_NAME))?;
    disk.sync_dir(&dirs.snap)
}

/// A log file that stays.
struct Kept {
    /// By the zxid in its name.
    log: Zxid,
    path: String,
    end: End,
}

/// The end of the part of a log file that stays.
struct End {
    offset: u64,
    /// Whether anything stands behind it. Like Java's, a log that was cut has no zeroes there.
    goes_on: bool,
}

/// Behind the last entry up to `upto`.
fn end_of<D: Disk>(disk: &D, path: &str, upto: Zxid) -> Result<End, DiskError> {
    let seen = scan::scan(disk, path, &mut |zxid, _| {
        Ok::<_, Infallible>(if zxid > upto { Step::Stop } else { Step::Next })
    });
    match seen {
        Ok(FileEnd { offset, broken, stopped }) => Ok(End { offset, goes_on: stopped || broken.is_some() }),
        // Without a whole header it never held anything.
        Err(ScanError::Short { .. } | ScanError::Magic) => {
            Ok(End { offset: LOG_HEADER_LEN as u64, goes_on: false })
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
                base: Zxid(1),
                install,
                files: [(9, 7), (8, u32::MAX)]
                    .map(|(zxid, checksum)| Known { zxid: Zxid(zxid), checksum })
                    .into(),
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
