//! Z9: no log has a hole, and no start loses what was durable.

use std::collections::BTreeMap;

use proto::{Sid, Zxid};

use super::{Broken, Invariant, Seen, follows};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct NoGap {
    ends: BTreeMap<Sid, Zxid>,
}

impl Invariant for NoGap {
    fn observe(&mut self, seen: &Seen) -> Result<(), Broken> {
        match *seen {
            Seen::Logged { sid, zxid, .. } => {
                let after = self.ends.insert(sid, zxid).unwrap_or_default();
                if follows(after, zxid) {
                    return Ok(());
                }
                Err(Broken(format!("member {} logs {zxid} behind {after}", sid.0)))
            }
            Seen::Moved { sid, last } => {
                self.ends.insert(sid, last);
                Ok(())
            }
            Seen::Recovered { sid, lacks: Some(zxid), .. } => {
                Err(Broken(format!("member {} starts without {zxid}, which was durable", sid.0)))
            }
            Seen::Recovered { sid, last, .. } => {
                self.ends.insert(sid, last);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{verdict, z};
    use super::*;

    fn logged(zxid: Zxid) -> Seen {
        Seen::Logged { sid: Sid(1), after: z(0, 0), zxid, hash: 0, is_led: true }
    }

    #[test]
    fn canary_a_hole_in_a_log() {
        assert!(verdict(&mut NoGap::default(), &[logged(z(1, 1)), logged(z(1, 2)), logged(z(2, 1))]).is_ok());
        assert!(verdict(&mut NoGap::default(), &[logged(z(1, 1)), logged(z(1, 3))]).is_err());
        let lost = Seen::Recovered { sid: Sid(1), last: z(1, 1), lacks: Some(z(1, 2)), epochs_kept: true };
        assert!(verdict(&mut NoGap::default(), &[lost]).is_err());
    }
}
