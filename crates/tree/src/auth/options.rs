//! What an operator can say about authentication.

use alloc::collections::BTreeSet;
use alloc::string::String;

use super::{DigestAlgorithm, SuperDigest};

/// The server's settings for identities and access control.
#[derive(Clone, Debug)]
pub struct AuthOptions {
    /// `zookeeper.skipACL=yes`: everything is allowed to everybody.
    pub skip_acl: bool,
    /// `zookeeper.DigestAuthenticationProvider.enabled`, true unless said otherwise.
    pub digest_enabled: bool,
    /// `zookeeper.DigestAuthenticationProvider.digestAlg`, SHA-1 unless said otherwise.
    pub digest_algorithm: DigestAlgorithm,
    /// `zookeeper.DigestAuthenticationProvider.superDigest`; without it nobody is super by digest.
    pub super_digest: Option<SuperDigest>,
    /// Whether and how the scheme `ensemble` answers.
    pub ensemble: Ensemble,
}

impl Default for AuthOptions {
    fn default() -> Self {
        Self {
            skip_acl: false,
            digest_enabled: true,
            digest_algorithm: DigestAlgorithm::Sha1,
            super_digest: None,
            ensemble: Ensemble::Off,
        }
    }
}

/// A check that a client reached the ensemble it meant. It gives no identity.
///
/// Source: `EnsembleAuthenticationProvider`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Ensemble {
    /// The provider is not configured: the scheme is unknown.
    #[default]
    Off,
    /// Configured, but `zookeeper.ensembleAuthName` is not set: every name is accepted.
    AnyName,
    /// Only these names are accepted, and the empty one.
    Names(BTreeSet<String>),
}

impl Ensemble {
    /// The names of `zookeeper.ensembleAuthName`: separated by commas, trimmed.
    #[must_use]
    pub fn from_names(names: &str) -> Self {
        Self::Names(names.split(',').map(|name| String::from(name.trim())).collect())
    }

    /// Whether a client that means `name` is right here. Never for [`Ensemble::Off`].
    #[must_use]
    pub fn accepts(&self, name: &str) -> bool {
        match self {
            Self::Off => false,
            Self::AnyName => true,
            Self::Names(names) => name.is_empty() || names.contains(name),
        }
    }
}
