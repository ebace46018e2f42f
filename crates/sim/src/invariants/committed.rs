//! Z1: what was committed is one history without a hole, and grows at its end only.

use proto::Zxid;

use super::{Broken, Invariant, Seen, follows};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct CommittedOrder {
    last: Zxid,
}

impl Invariant for CommittedOrder {
    fn observe(&mut self, seen: &Seen) -> Result<(), Broken> {
        let &Seen::Committed { zxid, after, .. } = seen else { return Ok(()) };
        if after != self.last || !follows(after, zxid) {
            return Err(Broken(format!(
                "{zxid} is committed behind {after}, where {} was the last",
                self.last
            )));
        }
        self.last = zxid;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{verdict, z};
    use super::*;

    fn committed(after: Zxid, zxid: Zxid) -> Seen {
        Seen::Committed { zxid, hash: 0, after, is_durable: true }
    }

    #[test]
    fn canary_a_hole_in_the_history() {
        let good = [committed(z(0, 0), z(1, 1)), committed(z(1, 1), z(1, 2)), committed(z(1, 2), z(3, 1))];
        assert!(verdict(&mut CommittedOrder::default(), &good).is_ok());
        let hole = [committed(z(0, 0), z(1, 1)), committed(z(1, 1), z(1, 3))];
        assert!(verdict(&mut CommittedOrder::default(), &hole).is_err());
    }
}
