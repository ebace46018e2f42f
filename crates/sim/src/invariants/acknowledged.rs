//! Z6: whoever acknowledges has it on disk. For the mark that opens an epoch, that is the whole history and currentEpoch
//! (R3).

use super::{Broken, Invariant, Seen};

/// See the module.
#[derive(Debug)]
pub(super) struct AckDurable;

impl Invariant for AckDurable {
    fn observe(&mut self, seen: &Seen) -> Result<(), Broken> {
        match *seen {
            Seen::Acknowledged { sid, zxid, is_durable: false } => {
                Err(Broken(format!("member {} acknowledges {zxid} before it is on its disk", sid.0)))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{verdict, z};
    use super::*;
    use proto::Sid;

    #[test]
    fn canary_an_early_ack() {
        let acked = |is_durable| Seen::Acknowledged { sid: Sid(1), zxid: z(1, 1), is_durable };
        assert!(verdict(&mut AckDurable, &[acked(true)]).is_ok());
        assert!(verdict(&mut AckDurable, &[acked(false)]).is_err());
    }
}
