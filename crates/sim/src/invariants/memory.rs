//! M2: snapshot and log, read back, make the tree that is in memory (ZOOKEEPER-4712, ZOOKEEPER-2845).

use super::{Broken, Invariant, Seen};

/// See the module.
#[derive(Debug)]
pub(super) struct MemoryEqualsFiles;

impl Invariant for MemoryEqualsFiles {
    fn observe(&mut self, seen: &Seen) -> Result<(), Broken> {
        match *seen {
            Seen::Replayed { sid, zxid, live, replayed } if live != replayed => Err(Broken(format!(
                "the files of member {} make a tree of digest {replayed:#x} up to {zxid}, in memory it is {live:#x}",
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
    use proto::Sid;

    #[test]
    fn canary_another_tree_in_memory() {
        let replayed = |live| Seen::Replayed { sid: Sid(1), zxid: z(1, 1), live, replayed: 7 };
        assert!(verdict(&mut MemoryEqualsFiles, &[replayed(7)]).is_ok());
        assert!(verdict(&mut MemoryEqualsFiles, &[replayed(8)]).is_err());
    }
}
