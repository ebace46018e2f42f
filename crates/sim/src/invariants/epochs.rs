//! Z8: epochs on disk never go back, and currentEpoch is never ahead of acceptedEpoch.

use std::collections::BTreeMap;

use proto::{Epoch, Sid};

use super::{Broken, Invariant, Seen};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Epochs {
    stored: BTreeMap<Sid, (Epoch, Epoch)>,
}

impl Invariant for Epochs {
    fn observe(&mut self, seen: &Seen) -> Result<(), Broken> {
        match *seen {
            Seen::EpochStored { sid, accepted, current } => {
                let (a, c) = self.stored.insert(sid, (accepted, current)).unwrap_or_default();
                if accepted < a || current < c || current > accepted {
                    return Err(Broken(format!(
                        "member {} stores epochs {accepted} and {current} where {a} and {c} were",
                        sid.0
                    )));
                }
                Ok(())
            }
            Seen::Recovered { sid, epochs_kept: false, .. } => {
                Err(Broken(format!("member {} starts with older epochs than it had stored", sid.0)))
            }
            Seen::Wiped { sid } => {
                self.stored.remove(&sid);
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

    fn stored(accepted: u32, current: u32) -> Seen {
        Seen::EpochStored { sid: Sid(1), accepted: Epoch(accepted), current: Epoch(current) }
    }

    #[test]
    fn canary_an_epoch_goes_back() {
        assert!(verdict(&mut Epochs::default(), &[stored(1, 0), stored(1, 1), stored(2, 1)]).is_ok());
        assert!(verdict(&mut Epochs::default(), &[stored(2, 1), stored(1, 1)]).is_err());
        assert!(verdict(&mut Epochs::default(), &[stored(1, 2)]).is_err());
        let forgot = Seen::Recovered { sid: Sid(1), last: z(1, 1), lacks: None, epochs_kept: false };
        assert!(verdict(&mut Epochs::default(), &[forgot]).is_err());
    }
}
