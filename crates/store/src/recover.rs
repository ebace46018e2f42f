//! From the files of a stopped server to its history: the newest sound snapshot, and the log behind it.
//!
//! Stricter than Java (reliability.md R4, R8): an older snapshot is only used if the log leads from it without a
//! hole to where the broken one was, an entry that cannot be read is never passed over, and the history may not
//! end before what is known to have been durable. What a crash normally leaves behind is repaired and told as a
//! [`Note`].
//!
//! Source: `FileTxnSnapLog#restore`, `FileSnap#deserialize`; storage.md §8.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use proto::Zxid;

use crate::base::{self, BASE_NAME};
use crate::dirs::Dirs;
use crate::disk::{self, Disk, DiskError, DiskFile as _};
use crate::entry::{Broken, LOG_HEADER_LEN};
use crate::epoch::{self, EpochKind};
use crate::log::{
    LogEnd, LogRange, LogReadError, MAKING_NAME, MARK_NAME, Mark, SPARE_NAME, TornTail, cut, damaged,
    read_logs,
};
use crate::names::{self, Named};
use crate::snapshot::{SnapshotEnd, SnapshotError, SnapshotSink, load_snapshot, looks_valid};
use crate::truncate;

/// What an operator may decide about an empty or half-empty directory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RecoverOptions {
    /// `zookeeper.snapshot.trust.empty`: a log without any snapshot is replayed over the empty tree.
    pub trust_empty: bool,
    /// `zookeeper.db.autocreate`: an empty directory is a new, empty history. Otherwise only with the
    /// `initialize` file.
    pub autocreate: bool,
}

impl Default for RecoverOptions {
    fn default() -> Self {
        Self { trust_empty: false, autocreate: true }
    }
}

/// Takes the history: first what a snapshot holds, then every transaction behind it.
pub trait RecoverSink: SnapshotSink {
    /// The snapshot was sound to its end. A sink that compares no digests need not listen.
    fn snapshot_end(&mut self, _end: &SnapshotEnd) {}

    /// The next transaction: its zxid and the payload of its entry.
    ///
    /// A zxid may come twice, as Java logs requests that cannot be decoded; such transactions change nothing.
    ///
    /// # Errors
    /// The sink's own; recovery ends with it.
    fn txn(&mut self, zxid: Zxid, payload: &[u8]) -> Result<(), Self::Error>;
}

/// Something that was not as a clean stop leaves it, and was dealt with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Note {
    /// The last write before the server stopped was not finished, so nobody was told it had happened; the log
    /// now ends before it.
    TornTailCut {
        /// The log file.
        file: String,
        /// Where it now ends.
        offset: u64,
        /// What stood there.
        broken: Broken,
    },
    /// An unfinished entry in an older log; its zxid was given again in the next file, so nothing is missing.
    TornEntryPassed {
        /// The log file.
        file: String,
        /// Where the entry starts.
        offset: u64,
    },
    /// A snapshot could not be used; an older one and the log gave the same history.
    SnapshotSkipped {
        /// The snapshot.
        file: String,
        /// Why.
        reason: String,
    },
    /// A leftover was removed: an unfinished snapshot, a spare log, an empty newest log.
    Removed {
        /// The file.
        file: String,
    },
    /// The newest log ended inside its header and was given another name.
    SetAside {
        /// The log file.
        file: String,
        /// Its name now.
        to: String,
    },
    /// The mark of how far the log was durable could not be read; it is made again with the next write.
    MarkUnreadable {
        /// The mark.
        file: String,
    },
    /// The log ends before what was once durable, and a later epoch says that an ensemble decided so.
    HistoryCutByEnsemble {
        /// What was once durable.
        durable: Zxid,
        /// Where it ends now.
        last: Zxid,
    },
    /// A log file or a snapshot of a history that goes on where this one ends now.
    NewerRemoved {
        /// The file.
        file: String,
        /// Where the history ends.
        upto: Zxid,
    },
    /// A log file held entries of a history that goes on where this one ends now.
    NewerCut {
        /// The file.
        file: String,
        /// Where it now ends.
        offset: u64,
        /// Where the history ends.
        upto: Zxid,
    },
    /// A snapshot that a leader sent has taken the place of the history that was here.
    Installed {
        /// The snapshot.
        file: String,
    },
    /// A truncation was begun, and either another program has used the directory since, or the decision cannot be read.
    TruncationDropped {
        /// The decision.
        file: String,
        /// What shows that.
        why: String,
    },
    /// The `initialize` file was found and removed.
    Initialize {
        /// The file.
        file: String,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TornTailCut { file, offset, broken } => write!(
                f,
                "{file} ended in an unfinished write and was cut at offset {offset} ({broken}); nothing acknowledged is lost"
            ),
            Self::TornEntryPassed { file, offset } => {
                write!(f, "{file} has an unfinished entry at offset {offset}, which the next file replaces")
            }
            Self::SnapshotSkipped { file, reason } => {
                write!(f, "skipped snapshot {file}: {reason}; an older one and the log hold the same")
            }
            Self::Removed { file } => write!(f, "removed the leftover {file}"),
            Self::SetAside { file, to } => {
                write!(f, "{file} ended inside its header, so it never held anything; it is now {to}")
            }
            Self::MarkUnreadable { file } => {
                write!(f, "{file} cannot be read; the next write makes it again")
            }
            Self::HistoryCutByEnsemble { durable, last } => write!(
                f,
                "the log once reached {durable} and now ends at {last}; a later epoch shows that the ensemble cut it"
            ),
            Self::NewerRemoved { file, upto } => {
                write!(
                    f,
                    "removed {file}, whose transactions are newer than {upto}, where the leader's history ends"
                )
            }
            Self::NewerCut { file, offset, upto } => {
                write!(f, "cut {file} at offset {offset} behind {upto}, where the leader's history ends")
            }
            Self::Installed { file } => {
                write!(f, "{file}, received from the leader, takes the place of the history that was here")
            }
            Self::TruncationDropped { file, why } => write!(
                f,
                "{file} is not about what is here now ({why}), so nothing is truncated; it was removed, and the leader \
                 decides anew"
            ),
            Self::Initialize { file } => write!(
                f,
                "Initialize file found, an empty database will not block voting participation; removed {file}"
            ),
        }
    }
}

/// What recovery found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Recovered {
    /// The snapshot used: the zxid in its name, from which replay starts, and what stands at its end.
    pub snapshot: Option<(Zxid, SnapshotEnd)>,
    /// The end of the history: the last transaction, else the snapshot's, else 0 for a new history, or -1 for a
    /// directory that is empty and may not be taken for a new history.
    pub last: Zxid,
    /// How many transactions were replayed.
    pub replayed: u64,
    /// How many bytes of log they take: the trigger for the next snapshot counts from here.
    pub log_bytes: u64,
    /// What was repaired, in the order it was found.
    pub notes: Vec<Note>,
}

/// Why there is no history to start with.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError<E> {
    /// As the disk gives it.
    #[error(transparent)]
    Disk(DiskError),
    /// The log cannot be read.
    #[error(transparent)]
    Log(LogReadError<E>),
    /// There are snapshots and none is sound.
    #[error(
        "Not able to find valid snapshots in {dir}; newest: {reason}; on a member of an ensemble move its \
             version-2 directories aside and restart, otherwise restore a backup"
    )]
    NoValidSnapshot {
        /// The snapshot directory.
        dir: String,
        /// What is wrong with the newest.
        reason: String,
    },
    /// The log does not lead from the snapshots that are here to where it goes on, since a leader sent a newer one.
    #[error(
        "{file} says, or cannot be read and may say, that this history begins with a snapshot of a leader, and {dir} holds none of that \
             zxid or later; put it back, or on a member of an ensemble move its version-2 directories aside and \
             restart; remove {file} only together with the log if these snapshots are to count again"
    )]
    OnlyBeforeBase {
        /// The snapshot directory.
        dir: String,
        /// Where it is written down.
        file: String,
    },
    /// There is a log and no snapshot to start it from.
    #[error(
        "No snapshot found, but there are log entries. Something is broken! {dir} holds no snapshot; put it \
             back, or start once with zookeeper.snapshot.trust.empty=true if this server never wrote one"
    )]
    NoSnapshot {
        /// The snapshot directory.
        dir: String,
    },
    /// The log does not lead from an older snapshot to where a broken one was.
    #[error(
        "snapshot {file} cannot be used ({reason}) and the log ends at {last} before it; put the missing log \
             back, or on a member of an ensemble move its version-2 directories aside and restart"
    )]
    NotBridged {
        /// The broken snapshot.
        file: String,
        /// What is wrong with it.
        reason: String,
        /// Where the log behind the older snapshot ends.
        last: Zxid,
    },
    /// Transactions that were durable are gone.
    #[error(
        "{mark} says that transactions up to {durable} were durable, but the log ends at {last}; put the missing \
             log back or restore a backup; remove {mark} only to accept the loss"
    )]
    HistoryShort {
        /// The mark.
        mark: String,
        /// What was durable.
        durable: Zxid,
        /// What is there.
        last: Zxid,
    },
}

impl<E> From<DiskError> for RecoverError<E> {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}

/// Finds the history in `dirs` and gives it to `sink`; repairs what a crash leaves behind.
///
/// The caller holds the lock of the directory and has it to itself. Afterwards a new [`LogWriter`](crate::log::LogWriter)
/// goes on behind [`Recovered::last`].
///
/// # Errors
/// [`RecoverError`], each with the cure. What `sink` was given is then worth nothing.
pub fn recover<D: Disk, S: RecoverSink>(
    disk: &D,
    dirs: &Dirs,
    options: RecoverOptions,
    sink: &mut S,
) -> Result<Recovered, RecoverError<S::Error>> {
    let mut run = Recovery { disk, dirs, found: Recovered::default(), skipped: Vec::new() };
    run.found.notes = truncate::finish(disk, dirs)?;
    run.remove_leftovers()?;
    let initialize = run.take_initialize()?;
    run.load_snapshot(sink)?;
    if let Some((_, end)) = &run.found.snapshot {
        sink.snapshot_end(end);
    }
    let start = run.found.snapshot.map(|(zxid, _)| zxid);
    if start.is_none() && !run.may_start_empty(options, initialize, sink)? {
        return Ok(run.found);
    }
    run.replay(start.unwrap_or_default(), sink)?;
    Ok(run.found)
}

struct Recovery<'a, D> {
    disk: &'a D,
    dirs: &'a Dirs,
    found: Recovered,
    /// Snapshots newer than the one used, and what is wrong with each.
    skipped: Vec<(Named, String)>,
}

impl<D: Disk> Recovery<'_, D> {
    fn remove_leftovers(&mut self) -> Result<(), DiskError> {
        for name in self.disk.list(&self.dirs.snap)? {
            if names::is_unfinished(&name) && names::snapshot_zxid(&name).is_some() {
                self.remove(&disk::join(&self.dirs.snap, &name))?;
            }
        }
        for name in [SPARE_NAME, MAKING_NAME] {
            let path = disk::join(&self.dirs.log, name);
            if self.disk.exists(&path)? {
                self.remove(&path)?;
            }
        }
        Ok(())
    }

    fn remove(&mut self, path: &str) -> Result<(), DiskError> {
        self.disk.remove(path)?;
        self.found.notes.push(Note::Removed { file: path.into() });
        Ok(())
    }

    fn take_initialize(&mut self) -> Result<bool, DiskError> {
        let Some(file) = self.dirs.take_initialize(self.disk)? else { return Ok(false) };
        self.found.notes.push(Note::Initialize { file });
        Ok(true)
    }

    /// Tries snapshots from the newest on.
    fn load_snapshot<S: SnapshotSink>(&mut self, sink: &mut S) -> Result<(), RecoverError<S::Error>> {
        let mut all = names::list_snapshots(self.disk, &self.dirs.snap)?;
        let begins = base::load(self.disk, self.dirs)?;
        all.retain(|file| file.zxid >= begins);
        if all.is_empty() && begins > Zxid::ZERO {
            return Err(RecoverError::OnlyBeforeBase {
                dir: self.dirs.snap.clone(),
                file: disk::join(&self.dirs.snap, BASE_NAME),
            });
        }
        while let Some(named) = all.pop() {
            let reason = if looks_valid(self.disk, &self.dirs.snap, &named.name)? {
                match load_snapshot(self.disk, &self.dirs.snap, &named.name, sink) {
                    Ok(end) => {
                        self.found.snapshot = Some((named.zxid, end));
                        self.found.last = named.zxid;
                        return Ok(());
                    }
                    // A sector that cannot be read is one more way to be damaged.
                    Err(SnapshotError::Disk(error)) => error.to_string(),
                    Err(SnapshotError::Damaged { offset, what, .. }) => {
                        alloc::format!("offset {offset}: {what}")
                    }
                    Err(SnapshotError::Sink { offset, .. }) => {
                        alloc::format!("offset {offset}: a record that does not fit the others")
                    }
                }
            } else {
                "it was never finished or is damaged at its end".into()
            };
            self.skipped.push((named, reason));
        }
        match self.skipped.first() {
            None => Ok(()),
            Some((named, reason)) => Err(RecoverError::NoValidSnapshot {
                dir: self.dirs.snap.clone(),
                reason: alloc::format!("{}: {reason}", named.name),
            }),
        }
    }

    /// Without snapshot: whether the log is to be replayed over the empty tree.
    fn may_start_empty<S: SnapshotSink>(
        &mut self,
        options: RecoverOptions,
        initialize: bool,
        sink: &mut S,
    ) -> Result<bool, RecoverError<S::Error>> {
        sink.begin(Zxid::ZERO);
        if self.log_holds_entries()? {
            if options.trust_empty {
                return Ok(true);
            }
            return Err(RecoverError::NoSnapshot { dir: self.dirs.snap.clone() });
        }
        self.found.last = if options.autocreate || initialize { Zxid::ZERO } else { Zxid::NONE };
        let emptied = names::list_logs(self.disk, &self.dirs.log)?.is_empty();
        if emptied {
            // The history of a directory that was emptied on purpose is over.
            disk::remove_if_there(self.disk, &disk::join(&self.dirs.log, MARK_NAME))?;
        }
        Ok(!emptied)
    }

    fn log_holds_entries(&self) -> Result<bool, DiskError> {
        let range = LogRange { after: Zxid::NONE, upto: None };
        match read_logs(self.disk, &self.dirs.log, range, |_, _| Err(())) {
            Ok(end) => Ok(end.torn.is_some()),
            Err(LogReadError::Disk(error)) => Err(error),
            // Whatever else is wrong, something is there.
            Err(_) => Ok(true),
        }
    }

    fn replay<S: RecoverSink>(&mut self, start: Zxid, sink: &mut S) -> Result<(), RecoverError<S::Error>> {
        let range = LogRange { after: start, upto: None };
        let end = read_logs(self.disk, &self.dirs.log, range, |zxid, payload| sink.txn(zxid, payload))
            .map_err(RecoverError::Log)?;
        let mark = self.load_mark()?;
        self.check_reach(&end)?;
        self.check_mark(&end, mark)?;
        self.repair_tail(&end, mark)?;
        self.make_durable(&end, mark)?;
        if end.entries > 0 {
            self.found.last = end.last;
        }
        self.found.replayed = end.entries;
        self.found.log_bytes = end.bytes;
        let notes = &mut self.found.notes;
        notes.extend(
            end.superseded
                .into_iter()
                .map(|TornTail { file, offset, .. }| Note::TornEntryPassed { file, offset }),
        );
        notes.extend(self.skipped.drain(..).map(|(named, reason)| Note::SnapshotSkipped {
            file: disk::join(&self.dirs.snap, &named.name),
            reason,
        }));
        Ok(())
    }

    /// What was read is what this member claims to have from now on, so it must be on the disk (R3). After the end of a
    /// process it may be in the system's memory only: between a write and its sync, or because the sync failed, and then no
    /// later sync writes it out. So what lies behind the mark is written once more.
    fn make_durable(&self, end: &LogEnd, mark: Option<Mark>) -> Result<(), DiskError> {
        self.disk.sync_dir(&self.dirs.snap)?;
        self.disk.sync_dir(&self.dirs.log)?;
        // Without an entry behind the snapshot it is still the newest file that was written to, or cut.
        let newest = names::list_logs(self.disk, &self.dirs.log)?.pop().map(|file| (file.zxid, 0));
        let Some((log, upto)) = end.tip.or(newest) else { return Ok(()) };
        let file = self.disk.open_to_write(&disk::join(&self.dirs.log, &names::log_name(log)))?;
        if let Some(mark) = mark.filter(|mark| mark.log == log) {
            let mut at = mark.offset;
            let mut piece = alloc::vec![0; 1 << 16];
            while at < upto {
                let most = usize::try_from(upto - at).unwrap_or(usize::MAX).min(piece.len());
                let n = disk::read_full(&file, &mut piece[..most], at)?;
                if n == 0 {
                    break;
                }
                file.write_at(&piece[..n], at)?;
                at += n as u64;
            }
        }
        // Nor may a cut be undone whose sync failed.
        file.set_length(file.length()?)?;
        file.sync()
    }

    fn load_mark(&mut self) -> Result<Option<Mark>, DiskError> {
        let mark = Mark::load(self.disk, &self.dirs.log)?;
        let path = disk::join(&self.dirs.log, MARK_NAME);
        if mark.is_none() && self.disk.exists(&path)? {
            self.found.notes.push(Note::MarkUnreadable { file: path });
        }
        Ok(mark)
    }

    /// The log has to lead at least to where the skipped snapshots were.
    fn check_reach<E>(&self, end: &LogEnd) -> Result<(), RecoverError<E>> {
        match self.skipped.iter().find(|(named, _)| end.last < named.zxid) {
            None => Ok(()),
            Some((named, reason)) => Err(RecoverError::NotBridged {
                file: disk::join(&self.dirs.snap, &named.name),
                reason: reason.clone(),
                last: end.last,
            }),
        }
    }

    /// Everything that was durable must be there.
    fn check_mark<E>(&mut self, end: &LogEnd, mark: Option<Mark>) -> Result<(), RecoverError<E>> {
        let Some(mark) = mark.filter(|mark| end.last < mark.last) else { return Ok(()) };
        if let Some(torn) = &end.torn {
            return Err(RecoverError::Log(damaged(torn.clone())));
        }
        // A leader of a later epoch can have told this member to give up transactions, while Java ran here and
        // left the mark alone (storage.md §13).
        let epoch = epoch::load(self.disk, &self.dirs.snap, EpochKind::Current).ok().flatten();
        if epoch.is_some_and(|epoch| epoch > mark.last.epoch()) {
            self.found.notes.push(Note::HistoryCutByEnsemble { durable: mark.last, last: end.last });
            return Ok(());
        }
        let path = disk::join(&self.dirs.log, MARK_NAME);
        Err(RecoverError::HistoryShort { mark: path, durable: mark.last, last: end.last })
    }

    fn repair_tail<E>(&mut self, end: &LogEnd, mark: Option<Mark>) -> Result<(), RecoverError<E>> {
        if let Some(torn) = &end.torn {
            if !self.is_torn(torn, mark)? {
                return Err(RecoverError::Log(damaged(torn.clone())));
            }
            cut(self.disk, torn)?;
            let TornTail { file, offset, broken, .. } = torn.clone();
            self.found.notes.push(Note::TornTailCut { file, offset, broken });
        }
        if let Some((file, bytes)) = &end.short {
            if *bytes == 0 {
                self.remove(file)?;
            } else {
                let to = disk::join(&self.dirs.log, &alloc::format!("damaged-{}", disk::file_name(file)));
                self.disk.rename(file, &to)?;
                self.found.notes.push(Note::SetAside { file: file.clone(), to });
            }
            self.disk.sync_dir(&self.dirs.log)?;
        }
        Ok(())
    }

    /// Whether a broken end of the history was an unfinished write.
    fn is_torn(&self, torn: &TornTail, mark: Option<Mark>) -> Result<bool, DiskError> {
        match mark.filter(|mark| mark.log == torn.log) {
            Some(mark) => Ok(mark.offset.max(LOG_HEADER_LEN as u64) <= torn.offset),
            // Written by Java: only what Java itself takes for the end, and only if nothing comes behind it.
            None => match torn.broken {
                Broken::CutOff | Broken::Unfinished => Ok(!torn.hides_entries(self.disk)?),
                Broken::Length | Broken::Checksum => Ok(false),
            },
        }
    }
}
