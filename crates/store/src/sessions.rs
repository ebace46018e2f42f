//! Session ids that no earlier start gave.
//!
//! A server's ids begin with its wall clock and are counted up from there. A clock that was set back over a restart
//! would give ids again that clients of ended sessions still hold, and nothing else remembers those (ZOOKEEPER-3113). So
//! each start claims a range, durably, above all ranges claimed before. Java does not know this file and does not mind
//! it.

use alloc::vec::Vec;

use mutants::mutant;
use proto::{Encode, Reader, SessionId};

use crate::disk::{self, Disk, DiskError, DiskFile};

/// In the snapshot directory; Java passes it over.
pub const SESSIONS_NAME: &str = ".oxkeeper.sessions";
/// `OXSI`.
const MAGIC: i32 = 0x4f58_5349;
/// Magic, id, checksum: less than a sector, so a write of it is whole or not there.
const LEN: usize = 4 + 8 + 4;

/// The part of an id that is counted; above it stands who opened the session.
const COUNTED: i64 = (1 << 56) - 1;
/// What one process gives at most, a thousand in each second of 18 hours, before a clock that was set back to the very
/// moment of its start makes ids come again. The clock passes as many in a second. More would be dearer: starts in quick
/// succession run ahead of the clock by this much each, and a member whose directory was emptied has only the clock to tell
/// it what it gave before.
const RANGE: i64 = 1 << 26;

/// Ids claimed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SessionIds {
    /// The first that may be given.
    pub first: SessionId,
    /// What was claimed before could not be read, so that ids may come again if the clock was set back.
    pub is_unsure: bool,
}

/// Claims session ids from `by_clock` on, or above those claimed before, durably.
///
/// The numbers go round in a ring of 35 years, as milliseconds of 40 bits do. The clock counts if it is ahead of what was
/// claimed by less than two years; otherwise it was set back, perhaps to 1970.
///
/// # Errors
/// As the disk gives them; nothing is claimed then.
pub fn claim_session_ids<D: Disk>(disk: &D, dir: &str, by_clock: SessionId) -> Result<SessionIds, DiskError> {
    let path = disk::join(dir, SESSIONS_NAME);
    let found = match disk::read_small(disk, &path, LEN) {
        Ok(bytes) => Some(decode(&bytes)),
        Err(DiskError::NotFound { .. }) => None,
        Err(error) => return Err(error),
    };
    let opener = by_clock.0 & !COUNTED;
    let mut first = by_clock.0 & COUNTED;
    if let Some(Some(SessionId(free))) = found
        && free & !COUNTED == opener
        && by_clock.0.wrapping_sub(free) & COUNTED > COUNTED / 16
        && !mutant!(IdsRepeat)
    {
        first = free & COUNTED;
    }
    if first > COUNTED - RANGE {
        // Behind the end comes the beginning, where 0 is no session.
        first = 1 << 16;
    }
    let bytes = encode(SessionId(opener | (first + RANGE)));
    match disk::replace(disk, &path, &bytes) {
        // In place, which needs no room.
        Err(DiskError::NoSpace { .. }) if found.is_some() => {
            let file = disk.open_to_write(&path)?;
            file.write_at(&bytes, 0)?;
            file.sync()?;
        }
        replaced => replaced?,
    }
    Ok(SessionIds { first: SessionId(opener | first), is_unsure: found == Some(None) })
}

/// * `free`: the first id that nobody claimed.
fn encode(free: SessionId) -> Vec<u8> {
    let mut out = Vec::with_capacity(LEN);
    MAGIC.encode(&mut out);
    free.encode(&mut out);
    let checksum = simd_adler32::adler32(&out.as_slice());
    out.extend_from_slice(&checksum.to_be_bytes());
    out
}

fn decode(bytes: &[u8]) -> Option<SessionId> {
    let (body, checksum) = bytes.split_at_checked(LEN - 4)?;
    let mut reader = Reader::new(body);
    let (magic, free): (i32, SessionId) = (reader.take().ok()?, reader.take().ok()?);
    let intact = magic == MAGIC && checksum == simd_adler32::adler32(&body).to_be_bytes();
    intact.then_some(free)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dirs;
    use crate::mem::{Fault, MemDisk};

    const DIR: &str = "/data/version-2";
    const DAY_MS: u64 = 86_400_000;
    const TODAY_MS: u64 = 1_795_000_000_000;

    fn disk() -> MemDisk {
        let disk = MemDisk::new();
        Dirs::new("/data", "/data").prepare(&disk, true).expect("it is made");
        disk
    }

    fn start(disk: &MemDisk, sid: u8, millis: u64) -> i64 {
        let claimed = claim_session_ids(disk, DIR, SessionId::first(sid, millis)).expect("there is room");
        assert!(!claimed.is_unsure);
        claimed.first.0
    }

    #[test]
    fn a_start_gives_no_id_of_an_earlier_one_whatever_the_clock_says() {
        let disk = disk();
        let mut below = start(&disk, 1, TODAY_MS);
        assert_eq!(below, SessionId::first(1, TODAY_MS).0, "as Java has it");
        for millis in [TODAY_MS, TODAY_MS - DAY_MS, TODAY_MS - 3650 * DAY_MS, 0, TODAY_MS + 1] {
            disk.power_cut(|| false);
            let first = start(&disk, 1, millis);
            assert_eq!(first, below + RANGE, "{millis}");
            below = first;
        }
        let later = SessionId::first(1, TODAY_MS + DAY_MS).0;
        assert_eq!(start(&disk, 1, TODAY_MS + DAY_MS), later, "the clock has caught up");
        assert_eq!(start(&disk, 2, TODAY_MS), SessionId::first(2, TODAY_MS).0, "another member's");
    }

    #[test]
    fn an_emptied_directory_with_a_right_clock_gives_no_id_again() {
        let disk = disk();
        let restarted = [0, 1].map(|_| start(&disk, 1, TODAY_MS));
        let emptied = self::disk();
        assert!(start(&emptied, 1, TODAY_MS + 2000) > restarted[1] + 1_000_000);
    }

    #[test]
    fn the_numbers_go_round() {
        let end_ms = 1 << 40;
        for sid in [0, 1, 0x80, 0xff] {
            let disk = disk();
            let last = start(&disk, sid, end_ms - DAY_MS);
            assert_eq!(start(&disk, sid, end_ms + DAY_MS), SessionId::first(sid, DAY_MS).0);
            assert_eq!(last >> 56, i64::from(sid.cast_signed()));
            let disk = self::disk();
            let near = start(&disk, sid, end_ms - 1);
            assert_eq!((near >> 56, near & COUNTED), (i64::from(sid.cast_signed()), 1 << 16));
            assert_eq!(start(&disk, sid, end_ms - 1) & COUNTED, (1 << 16) + RANGE);
        }
    }

    #[test]
    fn a_power_cut_leaves_the_old_claim_or_the_new_one() {
        for at in 0..8 {
            let disk = disk();
            let first = start(&disk, 1, TODAY_MS);
            disk.plan(Fault::Power(at));
            let claimed = claim_session_ids(&disk, DIR, SessionId::first(1, 0)).is_ok();
            let mut odd = at;
            disk.power_cut(|| {
                odd += 1;
                odd.is_multiple_of(2)
            });
            let next = start(&disk, 1, 0);
            let after = |starts: i64| first + starts * RANGE;
            assert!(next == after(2) || (next == after(1) && !claimed), "{at}");
        }
    }

    #[test]
    fn a_full_disk_takes_a_claim_in_the_place_of_another() {
        let disk = disk();
        disk.set_capacity(Some(0));
        let claimed = claim_session_ids(&disk, DIR, SessionId(7));
        assert!(matches!(claimed, Err(DiskError::NoSpace { .. })), "{claimed:?}");
        disk.set_capacity(None);
        let first = start(&disk, 1, TODAY_MS);
        disk.set_capacity(Some(disk.used_bytes()));
        assert_eq!(start(&disk, 1, TODAY_MS), first + RANGE);
    }

    #[test]
    fn a_changed_claim_is_told_of() {
        let bytes = encode(SessionId(0x0100_1234_5678_0000));
        for at in 0..bytes.len() {
            let disk = disk();
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            disk.put(&disk::join(DIR, SESSIONS_NAME), &bad);
            let claimed = claim_session_ids(&disk, DIR, SessionId(7)).expect("there is room");
            assert_eq!(claimed, SessionIds { first: SessionId(7), is_unsure: true }, "byte {at}");
            assert_eq!(start(&disk, 0, 0), 7 + RANGE, "and the next is sound");
        }
    }
}
