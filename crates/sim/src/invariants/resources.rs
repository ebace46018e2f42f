//! L5: at rest a member holds no more than its clients have: their connections and watches, and no request.

use super::{Broken, Invariant, Seen};

/// See the module.
#[derive(Debug)]
pub(super) struct Resources;

impl Invariant for Resources {
    fn observe(&mut self, seen: &Seen) -> Result<(), Broken> {
        match *seen {
            Seen::Rested { sid, holds, ought } if holds != ought => Err(Broken(format!(
                "member {} holds {holds:?} connections, watches and requests, its clients have {ought:?} (L5)",
                sid.0
            ))),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::verdict;
    use super::*;
    use proto::Sid;

    #[test]
    fn canary_a_watch_that_is_nobodys() {
        let rested = |watches| Seen::Rested { sid: Sid(1), holds: [1, watches, 0], ought: [1, 2, 0] };
        assert!(verdict(&mut Resources, &[rested(2)]).is_ok());
        assert!(verdict(&mut Resources, &[rested(3)]).is_err());
    }
}
