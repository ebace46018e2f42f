//! C13: no data, and no event, without permission.

use super::{Broken, Invariant, Seen};

/// See the module.
#[derive(Debug)]
pub(super) struct Permission;

impl Invariant for Permission {
    fn observe(&mut self, seen: &Seen) -> Result<(), Broken> {
        match *seen {
            Seen::Shown { client, permitted: false } => {
                Err(Broken(format!("client {client} is shown what it may not read (C13)")))
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
    fn canary_anothers_secret() {
        let shown = |permitted| Seen::Shown { client: 0, permitted };
        assert!(verdict(&mut Permission, &[shown(true)]).is_ok());
        assert!(verdict(&mut Permission, &[shown(false)]).is_err());
    }
}
