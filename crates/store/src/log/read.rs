//! The log of a directory as one history without holes.
//!
//! Stricter than Java (reliability.md R4, R8): a zxid that does not follow the one before is an error, and so is
//! an entry that cannot be read, unless it is the very end of the history or its zxid was given again at the
//! start of the next file, as Java does after a torn write.
//!
//! What a healthy Java server leaves and is accepted: a zxid twice, because a request that cannot be decoded is
//! logged under the zxid before it, in a new epoch also under counter 0 (`PrepRequestProcessor#pRequestHelper`);
//! files that hold a header only; a counter that ran over into the next epoch (standalone servers never stop at
//! the last counter).

use alloc::string::String;
use alloc::vec::Vec;

use mutants::mutant;
use proto::Zxid;

use super::scan::{self, FileEnd, ScanError, Step};
use crate::disk::{self, Disk, DiskError, DiskFile};
use crate::entry::{self, Broken, LOG_HEADER_LEN};
use crate::names::{self, Named};

/// Which entries to read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LogRange {
    /// Everything behind this zxid.
    pub after: Zxid,
    /// Up to and with this one; `None` for all.
    pub upto: Option<Zxid>,
}

/// Why the log cannot be read. Each names the file, the place, and the cure.
#[derive(Debug, thiserror::Error)]
pub enum LogReadError<E> {
    /// As the disk gives it.
    #[error(transparent)]
    Disk(DiskError),
    /// Entries behind this place were acknowledged and cannot be read.
    #[error(
        "{file} is damaged at offset {offset}: {broken}; on a member of an ensemble move its version-2 directories \
             aside and restart, it then copies the leader; otherwise restore a backup, or look at what is left \
             with zkTxnLogToolkit.sh"
    )]
    Damaged {
        /// The log file.
        file: String,
        /// Behind the last intact entry.
        offset: u64,
        /// What is there.
        broken: Broken,
    },
    /// The file does not start as a log file does.
    #[error(
        "{file} has invalid magic number, it is no transaction log or damaged at offset 0; \
             move it aside if it does not belong here, otherwise restore a backup"
    )]
    NotALog {
        /// The file.
        file: String,
    },
    /// A file that is not the newest has no complete header.
    #[error(
        "{file} holds {bytes} bytes, less than a header, and newer log files exist; \
             move it aside if it is of 0 bytes, otherwise restore a backup"
    )]
    Short {
        /// The file.
        file: String,
        /// How long it is.
        bytes: u64,
    },
    /// Transactions are missing.
    #[error(
        "{file}, offset {offset}: transaction {found} follows {after}, what is between them is missing; \
             put the missing log file back, or on a member of an ensemble move its version-2 directories aside \
             and restart, it then copies the leader"
    )]
    Gap {
        /// Where that shows.
        file: String,
        /// The entry behind the hole.
        offset: u64,
        /// The last one before the hole.
        after: Zxid,
        /// The first one behind it.
        found: Zxid,
    },
    /// An entry is older than the one before it.
    #[error(
        "{file}, offset {offset}: transaction {found} comes after {after}; two histories are mixed in this \
             directory, move the files that do not belong here aside"
    )]
    Backwards {
        /// Where that shows.
        file: String,
        /// The entry.
        offset: u64,
        /// The one before it.
        after: Zxid,
        /// Its zxid.
        found: Zxid,
    },
    /// An entry is older than the first one of its file, which gave the file its name.
    #[error(
        "{file}, offset {offset}: transaction {found} is older than the file's name, which is that of its first \
             transaction; give the file back the name it had, or on a member of an ensemble move its version-2 \
             directories aside and restart, it then copies the leader; otherwise restore a backup"
    )]
    Misnamed {
        /// The log file.
        file: String,
        /// The entry.
        offset: u64,
        /// Its zxid.
        found: Zxid,
    },
    /// Whoever reads does not accept an entry.
    #[error("{file}, offset {offset}: {error}")]
    Visitor {
        /// The log file.
        file: String,
        /// The entry.
        offset: u64,
        /// What they say.
        error: E,
    },
}

/// An entry that was being written when its server stopped.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TornTail {
    /// The log file, with its directory.
    pub file: String,
    /// The zxid in its name.
    pub log: Zxid,
    /// Behind the last intact entry.
    pub offset: u64,
    /// What stands there.
    pub broken: Broken,
}

/// Where a log ended.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LogEnd {
    /// The last entry, or the zxid that was asked to start behind.
    pub last: Zxid,
    /// How many entries were handed out.
    pub entries: u64,
    /// How many bytes they take in the files.
    pub bytes: u64,
    /// The file of the last entry and where that ends.
    pub tip: Option<(Zxid, u64)>,
    /// The first entry behind what was asked for, if reading came to one.
    pub next: Option<Zxid>,
    /// What stands behind the last entry, if it is not nothing.
    pub torn: Option<TornTail>,
    /// Torn entries of older files; their zxids were given again in the next file.
    pub superseded: Vec<TornTail>,
    /// The newest file, if it is too short for a header, and its length.
    pub short: Option<(String, u64)>,
}

/// Calls `visit` with zxid and payload of every entry in `range`, in order.
///
/// Reads 1 MiB at a time and hands out slices of that. While a writer appends to the same directory, `upto` must
/// be durable already: behind that, entries may be half-written.
///
/// # Errors
/// [`LogReadError`]; what came before the place it names was handed out.
pub fn read_logs<D: Disk, E>(
    disk: &D,
    dir: &str,
    range: LogRange,
    mut visit: impl FnMut(Zxid, &[u8]) -> Result<(), E>,
) -> Result<LogEnd, LogReadError<E>> {
    let logs = names::list_logs(disk, dir).map_err(LogReadError::Disk)?;
    let from = Zxid(range.after.0.saturating_add(1));
    let mut walk = Walk { range, end: LogEnd { last: range.after, ..LogEnd::default() } };
    let logs = holding(disk, dir, &logs, from).map_err(LogReadError::Disk)?;
    for (i, log) in logs.iter().enumerate() {
        let path = disk::join(dir, &log.name);
        let newest = i + 1 == logs.len();
        if walk.file(disk, &path, log, newest, &mut visit)? == Step::Stop {
            break;
        }
    }
    Ok(walk.end)
}

/// The part of `logs` that can hold entries with a zxid of `from` or more.
///
/// A newest file too short for a header is as good as absent, and recovery removes it: what the file before it holds
/// is looked at now, not only by the start after this one.
fn holding<'l, D: Disk>(
    disk: &D,
    dir: &str,
    logs: &'l [Named],
    from: Zxid,
) -> Result<&'l [Named], DiskError> {
    let holding = names::logs_from(logs, from);
    let ([newest], Some(before)) = (holding, logs.len().checked_sub(2)) else { return Ok(holding) };
    let bytes = disk.open(&disk::join(dir, &newest.name))?.length()?;
    Ok(if bytes < LOG_HEADER_LEN as u64 { &logs[before..] } else { holding })
}

/// Why an entry is not accepted, before file and offset are known.
enum Refused<E> {
    Damaged,
    Gap { found: Zxid },
    Backwards { found: Zxid },
    Misnamed { found: Zxid },
    Visitor(E),
}

struct Walk {
    range: LogRange,
    end: LogEnd,
}

impl Walk {
    fn file<D: Disk, E>(
        &mut self,
        disk: &D,
        path: &str,
        log: &Named,
        newest: bool,
        visit: &mut impl FnMut(Zxid, &[u8]) -> Result<(), E>,
    ) -> Result<Step, LogReadError<E>> {
        let mut found_any = false;
        let seen = scan::scan(disk, path, &mut |zxid, payload: &[u8]| {
            found_any = true;
            // It may be older than all that is asked for and still be in the way: of the writer, whose next file
            // would have this name.
            if zxid < log.zxid {
                return Err(Refused::Misnamed { found: zxid });
            }
            self.entry(zxid, payload, visit)
        });
        let FileEnd { offset, broken, stopped } = match seen {
            Ok(end) => end,
            Err(ScanError::Short { bytes }) if newest && !mutant!(HalfHeader) => {
                self.end.short = Some((path.into(), bytes));
                return Ok(Step::Next);
            }
            Err(error) => return Err(self.explain(error, path)),
        };
        if found_any || self.end.tip.is_none() {
            self.end.tip = Some((log.zxid, offset));
        }
        // A torn entry stays the end of the history for as long as later files hold no entry.
        if let Some(broken) = broken {
            self.end.torn.get_or_insert(TornTail { file: path.into(), log: log.zxid, offset, broken });
        }
        Ok(if stopped { Step::Stop } else { Step::Next })
    }

    fn entry<E>(
        &mut self,
        zxid: Zxid,
        payload: &[u8],
        visit: &mut impl FnMut(Zxid, &[u8]) -> Result<(), E>,
    ) -> Result<Step, Refused<E>> {
        if self.range.upto.is_some_and(|upto| upto < zxid) {
            self.end.next = Some(zxid);
            return Ok(Step::Stop);
        }
        let last = self.end.last;
        if let Some(torn) = self.end.torn.take() {
            // Only the very next zxid proves that nothing was lost: its server took the entry for torn, too.
            if zxid > self.range.after && last.0.checked_add(1) != Some(zxid.0) {
                self.end.torn = Some(torn);
                return Err(Refused::Damaged);
            }
            self.end.superseded.push(torn);
        }
        if zxid <= self.range.after {
            return Ok(Step::Next);
        }
        if zxid < last {
            return Err(Refused::Backwards { found: zxid });
        }
        if !follows(last, zxid) {
            return Err(Refused::Gap { found: zxid });
        }
        visit(zxid, payload).map_err(Refused::Visitor)?;
        self.end.last = zxid;
        self.end.entries += 1;
        self.end.bytes += (payload.len() + entry::ENTRY_HEAD_LEN + 1) as u64;
        Ok(Step::Next)
    }

    fn explain<E>(&mut self, error: ScanError<Refused<E>>, path: &str) -> LogReadError<E> {
        let file = path.into();
        let after = self.end.last;
        match error {
            ScanError::Disk(error) => LogReadError::Disk(error),
            ScanError::Short { bytes } => LogReadError::Short { file, bytes },
            ScanError::Magic => LogReadError::NotALog { file },
            ScanError::Visitor { offset, error } => match error {
                Refused::Damaged => damaged(self.end.torn.take().expect("it was put back")),
                Refused::Gap { found } => LogReadError::Gap { file, offset, after, found },
                Refused::Backwards { found } => LogReadError::Backwards { file, offset, after, found },
                Refused::Misnamed { found } => LogReadError::Misnamed { file, offset, found },
                Refused::Visitor(error) => LogReadError::Visitor { file, offset, error },
            },
        }
    }
}

/// The error for a place that turned out to be no torn tail.
pub(crate) fn damaged<E>(TornTail { file, offset, broken, .. }: TornTail) -> LogReadError<E> {
    LogReadError::Damaged { file, offset, broken }
}

/// Whether no transaction is missing between two neighbours in a log.
pub(super) fn follows(before: Zxid, next: Zxid) -> bool {
    before == next
        || before.0.checked_add(1) == Some(next.0)
        || (before.epoch() < next.epoch() && next.counter() <= 1)
}

impl TornTail {
    /// Whether an intact entry stands behind the broken one.
    ///
    /// # Errors
    /// As the disk gives them.
    pub(crate) fn hides_entries<D: Disk>(&self, disk: &D) -> Result<bool, DiskError> {
        let file = disk.open(&self.file)?;
        let left = file.length()?.saturating_sub(self.offset);
        let mut rest = alloc::vec![0; usize::try_from(left).unwrap_or(usize::MAX)];
        let n = disk::read_full(&file, &mut rest, self.offset)?;
        Ok(entry::any_intact(&rest[..n]))
    }
}

/// Ends the file of a torn tail behind its last intact entry, durably.
pub(crate) fn cut<D: Disk>(disk: &D, torn: &TornTail) -> Result<(), DiskError> {
    let file = disk.open_to_write(&torn.file)?;
    file.set_length(torn.offset)?;
    file.sync()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::Epoch;

    #[test]
    fn what_may_stand_behind_a_zxid() {
        let z = |epoch, counter| Zxid::new(Epoch(epoch), counter);
        for (next, good) in [
            (z(3, 7), true),
            (z(3, 8), true),
            (z(3, 9), false),
            (z(4, 0), true),
            (z(4, 1), true),
            (z(9, 1), true),
            (z(4, 2), false),
            (z(3, 6), false),
        ] {
            assert_eq!(follows(z(3, 7), next), good, "{next}");
        }
        assert!(follows(z(3, u32::MAX), z(4, 0)));
    }
}
