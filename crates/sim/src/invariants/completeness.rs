//! Z4: a new leader holds every committed transaction.

use super::{Broken, Invariant, Seen};

/// See the module.
#[derive(Debug)]
pub(super) struct LeaderCompleteness;

impl Invariant for LeaderCompleteness {
    fn observe(&mut self, seen: &Seen) -> Result<(), Broken> {
        match *seen {
            Seen::Established { sid, epoch, lacks: Some(zxid) } => Err(Broken(format!(
                "member {} leads epoch {epoch} without {zxid}, which is committed",
                sid.0
            ))),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{verdict, z};
    use super::*;
    use proto::{Epoch, Sid};

    #[test]
    fn canary_a_committed_transaction_is_lost() {
        let leads = |lacks| Seen::Established { sid: Sid(1), epoch: Epoch(2), lacks };
        assert!(verdict(&mut LeaderCompleteness, &[leads(None)]).is_ok());
        assert!(verdict(&mut LeaderCompleteness, &[leads(Some(z(1, 4)))]).is_err());
    }
}
