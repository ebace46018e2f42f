//! The schemes: each says how its ids look in an ACL and whom they match.

use super::{AuthOptions, Ensemble, digest, ip};

/// A scheme that has a provider on this server. An unknown one matches nothing and is refused in new lists.
///
/// `world`, `auth` and `super` have no provider: the first two are treated where lists are read, and the last
/// cannot stand in a list. Source: `ProviderRegistry`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scheme {
    /// The peer's address.
    Ip,
    /// A user who knows a password.
    Digest,
    /// A client that meant this ensemble; nobody in particular.
    Ensemble,
}

impl Scheme {
    /// The scheme called `name`, if this server has it.
    #[must_use]
    pub fn find(name: &str, options: &AuthOptions) -> Option<Self> {
        match name {
            "ip" => Some(Self::Ip),
            "digest" if options.digest_enabled => Some(Self::Digest),
            "ensemble" if options.ensemble != Ensemble::Off => Some(Self::Ensemble),
            _ => None,
        }
    }

    /// Whether an ACL may name `id`; `None`, a null id, is Java's null pointer where the provider looks at it.
    pub(super) fn is_valid(self, id: Option<&str>) -> Option<bool> {
        match self {
            Self::Ip => id.map(ip::is_valid),
            Self::Digest => id.map(digest::is_valid),
            Self::Ensemble => Some(false),
        }
    }

    /// Whether somebody known as `identity` is whom an ACL names `acl_id`.
    pub(super) fn matches(self, identity: &str, acl_id: &str) -> bool {
        match self {
            Self::Ip => ip::matches(identity, acl_id),
            Self::Digest => identity == acl_id,
            Self::Ensemble => false,
        }
    }

    /// Whether its identities stand for somebody, so that `auth` in a list means them.
    #[must_use]
    pub fn authenticates(self) -> bool {
        match self {
            Self::Digest => true,
            Self::Ip | Self::Ensemble => false,
        }
    }

    /// The part of an identity that may be shown.
    pub(super) fn user(self, identity: &str) -> &str {
        match self {
            Self::Digest => identity.split(':').next().unwrap_or_default(),
            Self::Ip | Self::Ensemble => identity,
        }
    }
}
