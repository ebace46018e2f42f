//! Z7: what clients see is on the disks of a quorum.

use super::{Broken, Invariant, Seen};

/// See the module.
#[derive(Debug)]
pub(super) struct CommitDurable;

impl Invariant for CommitDurable {
    fn observe(&mut self, seen: &Seen) -> Result<(), Broken> {
        match *seen {
            Seen::Committed { zxid, is_durable: false, .. } => {
                Err(Broken(format!("{zxid} is shown to clients, but no quorum has it on disk")))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{verdict, z};
    use super::*;

    #[test]
    fn canary_a_commit_of_one_disk() {
        let committed = |is_durable| Seen::Committed { zxid: z(1, 1), hash: 0, after: z(0, 0), is_durable };
        assert!(verdict(&mut CommitDurable, &[committed(true)]).is_ok());
        assert!(verdict(&mut CommitDurable, &[committed(false)]).is_err());
    }
}
