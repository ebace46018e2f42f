//! Z2: one payload per zxid, and only of an epoch that has an established leader.
//!
//! A leader sends its proposals before its own log gets them, so that a follower may be the first to log one; the leader is
//! then held to the same payload.

use std::collections::BTreeMap;

use proto::Zxid;

use super::{Broken, Invariant, Seen};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Integrity {
    proposed: BTreeMap<Zxid, u64>,
}

impl Invariant for Integrity {
    fn observe(&mut self, seen: &Seen) -> Result<(), Broken> {
        let &Seen::Logged { sid, zxid, hash, is_led, .. } = seen else { return Ok(()) };
        match self.proposed.get(&zxid) {
            Some(&first) if first != hash => {
                Err(Broken(format!("member {} logs another {zxid} than was proposed", sid.0)))
            }
            Some(_) => Ok(()),
            None if is_led => {
                self.proposed.insert(zxid, hash);
                Ok(())
            }
            None => Err(Broken(format!("member {} logs {zxid}, which nobody proposed", sid.0))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{verdict, z};
    use super::*;
    use proto::Sid;

    fn logged(sid: i64, hash: u64, is_led: bool) -> Seen {
        Seen::Logged { sid: Sid(sid), after: z(0, 0), zxid: z(1, 1), hash, is_led }
    }

    #[test]
    fn canary_two_payloads_or_no_leader() {
        assert!(verdict(&mut Integrity::default(), &[logged(1, 7, true), logged(2, 7, true)]).is_ok());
        assert!(verdict(&mut Integrity::default(), &[logged(1, 7, true), logged(2, 8, true)]).is_err());
        assert!(verdict(&mut Integrity::default(), &[logged(2, 7, false)]).is_err());
    }
}
