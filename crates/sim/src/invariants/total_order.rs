//! Z1, Z3, M1: every member shows the same transactions in the same order without a hole, and the same tree behind each.
//!
//! Whoever delivers first at a place decides it; everyone after is held to that.

use std::collections::BTreeMap;

use proto::{Sid, Zxid};

use super::{Broken, Invariant, Seen, follows};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct TotalOrder {
    digests: BTreeMap<Zxid, u64>,
    positions: BTreeMap<Sid, Zxid>,
}

impl TotalOrder {
    fn compare(&mut self, sid: Sid, zxid: Zxid, digest: u64) -> Result<(), Broken> {
        let first = *self.digests.entry(zxid).or_insert(digest);
        if first == digest {
            return Ok(());
        }
        Err(Broken(format!(
            "the tree of member {} behind {zxid} has digest {digest:#x}, others had {first:#x}",
            sid.0
        )))
    }
}

impl Invariant for TotalOrder {
    fn observe(&mut self, seen: &Seen) -> Result<(), Broken> {
        match *seen {
            Seen::Entered { sid, zxid, behind, digest } => {
                self.positions.insert(sid, zxid);
                self.compare(sid, behind, digest)
            }
            Seen::Delivered { sid, zxid, digest } => {
                let position = self.positions.insert(sid, zxid).unwrap_or_default();
                if !follows(position, zxid) {
                    return Err(Broken(format!("member {} delivers {zxid} behind {position}", sid.0)));
                }
                self.compare(sid, zxid, digest)
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{verdict, z};
    use super::*;

    fn delivered(sid: i64, counter: u32, digest: u64) -> Seen {
        Seen::Delivered { sid: Sid(sid), zxid: z(1, counter), digest }
    }

    #[test]
    fn canary_a_hole_or_another_tree() {
        let good = [delivered(1, 1, 5), delivered(1, 2, 6), delivered(2, 1, 5), delivered(2, 2, 6)];
        assert!(verdict(&mut TotalOrder::default(), &good).is_ok());
        assert!(verdict(&mut TotalOrder::default(), &[delivered(1, 1, 5), delivered(1, 3, 6)]).is_err());
        assert!(verdict(&mut TotalOrder::default(), &[delivered(1, 1, 5), delivered(2, 1, 6)]).is_err());
        assert!(verdict(&mut TotalOrder::default(), &[delivered(1, 1, 5), delivered(1, 1, 5)]).is_err());
    }
}
