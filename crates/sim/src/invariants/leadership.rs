//! Z5: one established leader per epoch, and no epoch comes again.

use std::collections::BTreeMap;

use proto::{Epoch, Sid};

use super::{Broken, Invariant, Seen};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Leadership {
    leaders: BTreeMap<Epoch, Sid>,
}

impl Invariant for Leadership {
    fn observe(&mut self, seen: &Seen) -> Result<(), Broken> {
        let &Seen::Established { sid, epoch, .. } = seen else { return Ok(()) };
        match self.leaders.insert(epoch, sid) {
            Some(other) => {
                Err(Broken(format!("member {} is established in epoch {epoch}, as {} was", sid.0, other.0)))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::verdict;
    use super::*;

    #[test]
    fn canary_two_leaders_of_one_epoch() {
        let leads = |sid, epoch| Seen::Established { sid: Sid(sid), epoch: Epoch(epoch), lacks: None };
        assert!(verdict(&mut Leadership::default(), &[leads(1, 1), leads(2, 2)]).is_ok());
        assert!(verdict(&mut Leadership::default(), &[leads(1, 1), leads(2, 1)]).is_err());
        assert!(verdict(&mut Leadership::default(), &[leads(1, 1), leads(1, 1)]).is_err(), "nor one twice");
    }
}
