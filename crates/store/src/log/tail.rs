//! What a learner lacks, out of the log: the proposals of a DIFF that are no longer in memory.
//!
//! Source: `ZKDatabase#getProposalsFromTxnLog`, `LearnerHandler#queueCommittedProposals`; quorum-protocol.md §3.6.
//! Stricter than Java (reliability.md R4): all of it is looked at before any of it is offered, so that there is no
//! hole in it, none where this member itself was given a snapshot (ZOOKEEPER-2846), and nothing that is not committed.

use alloc::string::String;
use alloc::vec::Vec;
use core::convert::Infallible;

use proto::Zxid;

use super::read::follows;
use super::scan::{Found, ScanError, Scanner};
use crate::base;
use crate::dirs::Dirs;
use crate::disk::{self, Disk, DiskError};
use crate::entry::ENTRY_HEAD_LEN;
use crate::names;
use crate::snapshot::looks_valid;

/// Which transactions a learner is to be given.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TailRange {
    /// The learner's last zxid. The log has to hold this one or one before it: else nobody knows what came before.
    pub from: Zxid,
    /// The last one to read, which has to be in the log, durable and committed. Nothing behind it is looked at, so a
    /// writer may append meanwhile.
    pub upto: Zxid,
}

/// Why the log cannot bring a learner level; it is sent a snapshot.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TailError {
    /// As the disk gives it; [`DiskError::NotFound`] where a file was purged meanwhile.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// What came before the learner's place is not here any more, or this member never had it.
    #[error("the log does not reach back to {from}")]
    StartsLater {
        /// What was asked for.
        from: Zxid,
    },
    /// It would be more than a snapshot is worth.
    #[error("the log has more than {bytes_max} bytes for it")]
    TooLong {
        /// What [`log_bytes_max`] allows.
        bytes_max: u64,
    },
    /// The last one asked for is not in the log.
    #[error("the log has no {upto}")]
    NotThere {
        /// What was asked for.
        upto: Zxid,
    },
    /// Transactions are missing, or two histories are mixed.
    #[error("{file}: transaction {found} follows {after}")]
    Gap {
        /// Where that shows.
        file: String,
        /// The one before.
        after: Zxid,
        /// The one behind.
        found: Zxid,
    },
    /// A file does not start as a log file does.
    #[error("{file} is no transaction log")]
    NotALog {
        /// The file.
        file: String,
    },
}

/// How many bytes of log are sent rather than a snapshot; `None` is no limit.
///
/// * `factor`: `snapshotSizeFactor`, the part of the newest snapshot's size; negative ones, which switch this off, are
///   the caller's to see.
///
/// # Errors
/// As the disk gives them.
///
/// Source: `ZKDatabase#calculateTxnLogSizeLimit`.
pub fn log_bytes_max<D: Disk>(disk: &D, dirs: &Dirs, factor: f64) -> Result<Option<u64>, DiskError> {
    for file in names::list_snapshots(disk, &dirs.snap)?.iter().rev() {
        if looks_valid(disk, &dirs.snap, &file.name)? {
            let bytes = disk::DiskFile::length(&disk.open(&disk::join(&dirs.snap, &file.name))?)?;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "what does not fit becomes the nearest number that does"
            )]
            let max = (bytes as f64 * factor) as u64;
            return Ok(Some(max).filter(|&max| max > 0));
        }
    }
    Ok(None)
}

/// Proposals out of the log, in pieces. Owns what it needs, so that a thread of its own can read while the log goes on.
pub struct LogTail<D: Disk> {
    cursor: Cursor<D>,
    first: Option<Zxid>,
    before: Option<Zxid>,
    bytes: u64,
}

impl<D: Disk> LogTail<D> {
    /// Reads the whole range once to see that all of it is there, without handing it out.
    ///
    /// * `bytes_max`: more entries than this are not worth it; see [`log_bytes_max`].
    ///
    /// # Errors
    /// [`TailError`]: the learner needs a snapshot.
    pub fn open(disk: &D, dirs: &Dirs, range: TailRange, bytes_max: Option<u64>) -> Result<Self, TailError> {
        let begins = base::load(disk, dirs)?;
        let logs = names::list_logs(disk, &dirs.log)?;
        let mut files: Vec<String> = names::logs_from(&logs, range.from)
            .iter()
            .filter(|log| log.zxid <= range.upto)
            .map(|log| disk::join(&dirs.log, &log.name))
            .collect();
        files.reverse();
        let cursor =
            Cursor { disk: disk.clone(), range, begins, files, current: None, last: None, torn: false };
        let (mut first, mut bytes) = (None, 0);
        let mut looking = cursor.again();
        let mut before = None;
        let too_long = |bytes: u64| bytes_max.filter(|&max| bytes > max);
        looking.read(
            &mut |zxid, payload| {
                first = first.or(Some(zxid));
                bytes += (ENTRY_HEAD_LEN + payload.len() + 1) as u64;
                too_long(bytes).is_none()
            },
            &mut before,
        )?;
        match too_long(bytes) {
            Some(bytes_max) => Err(TailError::TooLong { bytes_max }),
            None => Ok(Self { cursor, first, before, bytes }),
        }
    }

    /// The first one that will be handed out: the learner's last if it is here, else the one behind it. `None`: there
    /// is nothing between.
    #[must_use]
    pub fn first(&self) -> Option<Zxid> {
        self.first
    }

    /// The one before it, if the log reaches that far: where a learner whose last one is not here was still at one
    /// with this member, if it is of the same epoch.
    #[must_use]
    pub fn before(&self) -> Option<Zxid> {
        self.before
    }

    /// Bytes of all entries together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Hands out zxid and payload of the next entries, at least one if there is one, and no more than about `bytes_max`
    /// bytes of them; says whether those were all.
    ///
    /// A zxid comes once, and the mark that opens an epoch never, though Java may have logged requests under them that
    /// it could not decode.
    ///
    /// # Errors
    /// [`TailError`], if a file was lost since [`LogTail::open`]; what was handed out was right.
    pub fn read(&mut self, bytes_max: usize, mut visit: impl FnMut(Zxid, &[u8])) -> Result<bool, TailError> {
        let mut left = bytes_max;
        self.cursor.read(
            &mut |zxid, payload| {
                visit(zxid, payload);
                left = left.saturating_sub(payload.len());
                left > 0
            },
            &mut None,
        )
    }
}

/// A place in the log.
struct Cursor<D: Disk> {
    disk: D,
    range: TailRange,
    /// Nothing up to here counts.
    begins: Zxid,
    /// Not yet opened, the next one last.
    files: Vec<String>,
    current: Option<(String, Scanner<D::File>)>,
    /// The entry before this place.
    last: Option<Zxid>,
    /// Whether something unfinished stood behind it.
    torn: bool,
}

impl<D: Disk> Cursor<D> {
    /// The same from the beginning, which is where it has to be.
    fn again(&self) -> Self {
        Self { disk: self.disk.clone(), files: self.files.clone(), current: None, ..*self }
    }

    /// Goes on until `visit` wants no more or the range is at its end, and says whether it is. `before` becomes the last
    /// entry in front of the range.
    fn read(
        &mut self,
        visit: &mut impl FnMut(Zxid, &[u8]) -> bool,
        before: &mut Option<Zxid>,
    ) -> Result<bool, TailError> {
        let TailRange { from, upto } = self.range;
        while self.last.is_none_or(|last| last < upto) {
            let Some((file, scanner)) = &mut self.current else {
                self.open_next()?;
                continue;
            };
            let (zxid, payload) = match scanner.find()? {
                Found::Entry { zxid, payload } => (zxid, payload),
                Found::End(broken) => {
                    self.torn |= broken.is_some();
                    self.current = None;
                    continue;
                }
            };
            if zxid <= self.begins {
                continue;
            }
            match self.last {
                None if zxid > from => return Err(TailError::StartsLater { from }),
                None => {}
                Some(last) if zxid == last => continue,
                Some(after) => {
                    // Behind something unfinished only the very next zxid proves that nothing was lost.
                    let good =
                        if self.torn { after.0.checked_add(1) == Some(zxid.0) } else { follows(after, zxid) };
                    if !good {
                        return Err(TailError::Gap { file: file.clone(), after, found: zxid });
                    }
                }
            }
            if zxid > upto {
                return Err(TailError::NotThere { upto });
            }
            // No transaction, unless the counter ran over.
            let opens_epoch = zxid.counter() == 0 && self.last.is_none_or(|last| last.counter() < u32::MAX);
            (self.last, self.torn) = (Some(zxid), false);
            if opens_epoch {
                continue;
            }
            if zxid < from {
                *before = Some(zxid);
            } else if !visit(zxid, payload) {
                break;
            }
        }
        Ok(self.last.is_some_and(|last| last >= upto))
    }

    fn open_next(&mut self) -> Result<(), TailError> {
        let TailRange { from, upto } = self.range;
        let Some(path) = self.files.pop() else {
            return Err(if self.last.is_none() {
                TailError::StartsLater { from }
            } else {
                TailError::NotThere { upto }
            });
        };
        match Scanner::open::<D, Infallible>(&self.disk, &path) {
            Ok(scanner) => self.current = Some((path, scanner)),
            Err(ScanError::Disk(error)) => return Err(error.into()),
            Err(ScanError::Visitor { error, .. }) => match error {},
            Err(ScanError::Short { .. } | ScanError::Magic) => {
                return Err(TailError::NotALog { file: path });
            }
        }
        Ok(())
    }
}
