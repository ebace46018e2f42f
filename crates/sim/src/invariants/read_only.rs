//! C11: a member without its ensemble serves nobody, whoever would be content with reading. So nothing that it could change
//! is changed.

use super::{Broken, Invariant, Seen};

/// See the module.
#[derive(Debug)]
pub(super) struct NoReadOnly;

impl Invariant for NoReadOnly {
    fn observe(&mut self, seen: &Seen) -> Result<(), Broken> {
        match *seen {
            Seen::Greeted { client, read_only: true } => {
                Err(Broken(format!("client {client} is served by a member that only reads (C11)")))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::verdict;
    use super::*;

    #[test]
    fn canary_a_member_that_only_reads() {
        let greeted = |read_only| Seen::Greeted { client: 0, read_only };
        assert!(verdict(&mut NoReadOnly, &[greeted(false)]).is_ok());
        assert!(verdict(&mut NoReadOnly, &[greeted(true)]).is_err());
    }
}
