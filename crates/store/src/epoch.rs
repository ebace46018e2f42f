//! The two promises of a quorum member: `acceptedEpoch` and `currentEpoch`.
//!
//! Source: `QuorumPeer#readLongFromFile`, `#writeLongToFile`, `#loadDataBase`, `AtomicFileOutputStream`;
//! storage.md §9.1.

use alloc::string::{String, ToString};

use mutants::mutant;
use proto::{Epoch, Zxid};

use crate::disk::{self, Disk, DiskError};
use crate::reserve;

/// Which promise.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EpochKind {
    /// No leader of an earlier epoch is followed any more.
    Accepted,
    /// The history of this epoch's leader is durable here.
    Current,
}

impl EpochKind {
    /// The file's name.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Accepted => "acceptedEpoch",
            Self::Current => "currentEpoch",
        }
    }
}

/// Why the epochs cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum EpochError {
    /// As the disk gives it.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The file does not hold a number.
    #[error(
        "Found {text} in {file}; put the epoch there as a decimal number, or move this member's version-2 \
             directories aside and restart"
    )]
    NotANumber {
        /// The file.
        file: String,
        /// Its first line, shortened.
        text: String,
    },
    /// The history is newer than the promise.
    #[error("The current epoch, {current:x}, is older than the last zxid, {last}; currentEpoch, acceptedEpoch and the \
             logs are not from one backup, restore them together", current = current.0)]
    BehindLog {
        /// `currentEpoch`.
        current: Epoch,
        /// The end of the log.
        last: Zxid,
    },
    /// A promise to a later leader was forgotten.
    #[error("The accepted epoch, {accepted:x} is less than the current epoch, {current:x}; acceptedEpoch and \
             currentEpoch are not from one backup, restore them together", accepted = accepted.0, current = current.0)]
    Disagree {
        /// `acceptedEpoch`.
        accepted: Epoch,
        /// `currentEpoch`.
        current: Epoch,
    },
}

/// Longer than any number; what is behind does not matter for telling that it is none.
const BYTES_MAX: usize = 64;

/// Reads one epoch; `None` if there is no file.
///
/// # Errors
/// [`EpochError::NotANumber`], or as the disk gives them.
pub fn load<D: Disk>(disk: &D, dir: &str, kind: EpochKind) -> Result<Option<Epoch>, EpochError> {
    load_file(disk, &disk::join(dir, kind.file_name()))
}

fn load_file<D: Disk>(disk: &D, path: &str) -> Result<Option<Epoch>, EpochError> {
    let bytes = match disk::read_small(disk, path, BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(DiskError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().next().unwrap_or_default();
    match line.parse() {
        Ok(epoch) => Ok(Some(Epoch(epoch))),
        Err(_) => Err(EpochError::NotANumber { file: path.into(), text: line.into() }),
    }
}

/// Replaces one epoch, durably, before anybody is told; on a full disk at the cost of the
/// [reserve](crate::keep_reserve), which is then made again if there is room.
///
/// # Errors
/// As the disk gives them; the process has to end (reliability.md R6).
pub fn save<D: Disk>(disk: &D, dir: &str, kind: EpochKind, epoch: Epoch) -> Result<(), DiskError> {
    reserve::replace(disk, &disk::join(dir, kind.file_name()), epoch.0.to_string().as_bytes())?;
    reserve::keep_reserve(disk, dir).map(drop)
}

/// Both promises.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Epochs {
    /// See [`EpochKind::Accepted`].
    pub accepted: Epoch,
    /// See [`EpochKind::Current`].
    pub current: Epoch,
    /// Whether a file was missing and made from the end of the log, as for a server that was standalone before.
    pub created: bool,
}

impl Epochs {
    /// Raises one promise, durably, before anybody is told: the accepted epoch before LEADERINFO or ACKEPOCH leaves,
    /// the current one once the history of its leader is durable, before the ACK of NEWLEADER (reliability.md R3).
    /// What it is already is not written again.
    ///
    /// # Errors
    /// As the disk gives them; the process has to end (reliability.md R6). With [`DiskError::NoSpace`], when even the
    /// reserve is gone, both promises are as they were, and the member may wait for room instead.
    ///
    /// # Panics
    /// If a promise would be taken back, or the current epoch come before the accepted one (reliability.md Z8).
    ///
    /// Source: `QuorumPeer#setAcceptedEpoch`, `#setCurrentEpoch`.
    pub fn raise<D: Disk>(
        &mut self,
        disk: &D,
        dir: &str,
        kind: EpochKind,
        epoch: Epoch,
    ) -> Result<(), DiskError> {
        let promised = match kind {
            EpochKind::Accepted => self.accepted,
            EpochKind::Current => self.current,
        };
        assert!(promised <= epoch, "{} is {promised:?} and never becomes {epoch:?}", kind.file_name());
        assert!(
            kind == EpochKind::Accepted || epoch <= self.accepted,
            "a history of epoch {epoch:?} comes from a leader that was accepted"
        );
        if promised < epoch {
            save(disk, dir, kind, epoch)?;
            match kind {
                EpochKind::Accepted => self.accepted = epoch,
                EpochKind::Current => self.current = epoch,
            }
        }
        Ok(())
    }
}

/// Reads both epochs, repairs what a crash between two steps leaves, and holds them against the end of the log. Also
/// sees to the [reserve](crate::keep_reserve).
///
/// # Errors
/// [`EpochError`]
///
/// Source: `QuorumPeer#loadDataBase`.
pub fn load_epochs<D: Disk>(disk: &D, dir: &str, last: Zxid) -> Result<Epochs, EpochError> {
    let of_log = if last < Zxid::ZERO { Epoch(0) } else { last.epoch() };
    let mut created = false;
    let mut or_create = |kind| match load(disk, dir, kind)? {
        Some(epoch) => Ok::<_, EpochError>(epoch),
        None => {
            created = true;
            save(disk, dir, kind, of_log)?;
            Ok(of_log)
        }
    };
    let mut current = or_create(EpochKind::Current)?;
    if current < of_log {
        let unfinished = match adopt_unfinished(disk, dir, of_log)? {
            None => adopt_history(disk, dir, of_log)?,
            unfinished => unfinished,
        };
        current = unfinished.ok_or(EpochError::BehindLog { current, last })?;
    }
    let accepted = or_create(EpochKind::Accepted)?;
    if accepted < current {
        return Err(EpochError::Disagree { accepted, current });
    }
    reserve::keep_reserve(disk, dir)?;
    Ok(Epochs { accepted, current, created })
}

/// A member may stop between making a leader's history durable and storing the leader's epoch (R3). If that epoch was
/// accepted before, the history is what it says: the transactions of an epoch stand behind the whole history its leader
/// started with. Java does not start then.
fn adopt_history<D: Disk>(disk: &D, dir: &str, of_log: Epoch) -> Result<Option<Epoch>, EpochError> {
    if load(disk, dir, EpochKind::Accepted)?.is_none_or(|accepted| accepted < of_log)
        || mutant!(HistoryNotAdopted)
    {
        return Ok(None);
    }
    save(disk, dir, EpochKind::Current, of_log)?;
    Ok(Some(of_log))
}

/// Java writes an epoch to `currentEpoch.tmp` and may stop before it renames it; the log can be ahead then.
fn adopt_unfinished<D: Disk>(disk: &D, dir: &str, of_log: Epoch) -> Result<Option<Epoch>, EpochError> {
    let temporary = alloc::format!("{}.tmp", disk::join(dir, EpochKind::Current.file_name()));
    match load_file(disk, &temporary) {
        Ok(Some(epoch)) if epoch >= of_log => {
            save(disk, dir, EpochKind::Current, epoch)?;
            Ok(Some(epoch))
        }
        Ok(_) | Err(EpochError::NotANumber { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
