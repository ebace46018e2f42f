//! Whose a znode is: what its stored `ephemeralOwner` means. Source: `EphemeralType`; storage.md §2.

use proto::SessionId;

const CONTAINER: i64 = i64::MIN;
const TTL_MARK: i64 = 0xff << 56;
/// Between the mark and the TTL: a feature code, of which 0 is the only one.
const FEATURE: i64 = 0x00ff_ff00_0000_0000;
/// The longest TTL, in milliseconds: 40 bits.
pub const TTL_MS_MAX: i64 = 0xff_ffff_ffff;

/// How long a znode lives.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Owner {
    /// Until it is deleted.
    Persistent,
    /// As long as this session.
    Ephemeral(SessionId),
    /// Until it has had children and has none.
    Container,
    /// Until it has no children and was not set for this long.
    Ttl {
        /// Milliseconds, 1 to [`TTL_MS_MAX`].
        ms: i64,
    },
}

/// Which owners are known, as configured.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct OwnerRules {
    /// `zookeeper.extendedTypesEnabled`: there are TTL znodes.
    pub extended_types: bool,
    /// `zookeeper.emulate353TTLNodes`: so are all other negative owners, as 3.5.3 wrote them.
    pub emulate_353_ttl: bool,
}

impl OwnerRules {
    /// What the number stored with a znode means.
    ///
    /// A mark with an unknown feature code counts as a session; Java refuses to read it.
    #[must_use]
    pub fn decode(self, stored: i64) -> Owner {
        let extended = stored & TTL_MARK == TTL_MARK && stored & FEATURE == 0;
        match stored {
            0 => Owner::Persistent,
            CONTAINER => Owner::Container,
            _ if self.extended_types && (extended || (self.emulate_353_ttl && stored < 0)) => {
                Owner::Ttl { ms: stored & TTL_MS_MAX }
            }
            session => Owner::Ephemeral(SessionId(session)),
        }
    }
}

impl Owner {
    /// The number stored for it.
    #[must_use]
    pub fn encode(self) -> i64 {
        match self {
            Self::Persistent => 0,
            Self::Ephemeral(session) => session.0,
            Self::Container => CONTAINER,
            Self::Ttl { ms } => TTL_MARK | (ms & TTL_MS_MAX),
        }
    }

    /// What `Stat` shows: the session of an ephemeral, else none.
    #[must_use]
    pub fn session(self) -> SessionId {
        match self {
            Self::Ephemeral(session) => session,
            Self::Persistent | Self::Container | Self::Ttl { .. } => SessionId::NONE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_owner_means_what_the_settings_say() {
        let plain = OwnerRules::default();
        let extended = OwnerRules { extended_types: true, emulate_353_ttl: false };
        let old = OwnerRules { extended_types: true, emulate_353_ttl: true };
        let ttl = Owner::Ttl { ms: 60_000 }.encode();
        assert_eq!(ttl.cast_unsigned(), 0xff00_0000_0000_ea60);
        assert_eq!(plain.decode(ttl), Owner::Ephemeral(SessionId(ttl)));
        assert_eq!(extended.decode(ttl), Owner::Ttl { ms: 60_000 });
        let early = i64::MIN | 1000;
        assert_eq!(extended.decode(early), Owner::Ephemeral(SessionId(early)));
        assert_eq!(old.decode(early), Owner::Ttl { ms: 1000 });
        for rules in [plain, extended, old] {
            assert_eq!(rules.decode(Owner::Container.encode()), Owner::Container);
            assert_eq!(rules.decode(0), Owner::Persistent);
            assert_eq!(rules.decode(7), Owner::Ephemeral(SessionId(7)));
        }
    }
}
