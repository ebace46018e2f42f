//! Auth packets: a claim and its proof become identities. Source: `ZooKeeperServer#processPacket`.

use alloc::vec;
use alloc::vec::Vec;

use proto::wire::text_lossy;
use proto::{AuthPacket, Id};

use super::{AuthOptions, Scheme};

/// Why an auth packet gave no identity. The connection ends either way.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AuthRefused {
    /// The scheme is unknown or does not accept the proof; answered with `AuthFailed`, then closed.
    #[error("authentication failed")]
    Failed,
    /// The client meant another ensemble; closed without an answer, so that it tries elsewhere.
    #[error("the client expects another ensemble")]
    WrongEnsemble,
}

/// The identities that an auth packet from `peer` proves; they are added to those the connection has.
///
/// * `peer`: the peer's address as [`address_text`](super::address_text) writes it.
///
/// May be none: the scheme `ensemble` only agrees. The super user is listed as `super` besides its digest.
///
/// # Errors
/// [`AuthRefused`]: deny is the answer to everything not understood, a null scheme or null proof included.
pub fn authenticate(
    packet: &AuthPacket<'_>,
    options: &AuthOptions,
    peer: &str,
) -> Result<Vec<Id<'static>>, AuthRefused> {
    let name = packet.scheme.as_deref().ok_or(AuthRefused::Failed)?;
    match Scheme::find(name, options).ok_or(AuthRefused::Failed)? {
        Scheme::Ip => Ok(vec![ip_identity(peer)]),
        Scheme::Digest => by_digest(packet.auth.ok_or(AuthRefused::Failed)?, options),
        Scheme::Ensemble => {
            let name = text_lossy(packet.auth.unwrap_or_default());
            if options.ensemble.accepts(&name) { Ok(Vec::new()) } else { Err(AuthRefused::WrongEnsemble) }
        }
    }
}

/// What every connection is from its accept on: the address of its peer.
#[must_use]
pub fn ip_identity(peer: &str) -> Id<'static> {
    Id::new("ip", peer).into_owned()
}

fn by_digest(proof: &[u8], options: &AuthOptions) -> Result<Vec<Id<'static>>, AuthRefused> {
    let identity = options.digest_algorithm.identity(&text_lossy(proof));
    let mut ids = Vec::with_capacity(2);
    if options.super_digest.as_ref().is_some_and(|super_digest| super_digest.is(&identity)) {
        ids.push(Id::new("super", ""));
    }
    ids.push(Id::new("digest", &identity).into_owned());
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::super::{Ensemble, SuperDigest};
    use super::*;
    use alloc::borrow::Cow;

    fn packet<'a>(scheme: Option<&'a str>, auth: Option<&'a [u8]>) -> AuthPacket<'a> {
        AuthPacket { kind: 0, scheme: scheme.map(Cow::Borrowed), auth }
    }

    #[test]
    fn proofs_become_identities() {
        let mut options = AuthOptions::default();
        let bob = Id::new("digest", "bob:fyVmFCwVbTJYrznoSu1koqYEYF0=");
        let ask =
            |options: &AuthOptions, scheme, auth| authenticate(&packet(scheme, auth), options, "10.0.0.1");
        assert_eq!(ask(&options, Some("digest"), Some(b"bob:secret")), Ok(vec![bob]));
        assert_eq!(ask(&options, Some("ip"), None), Ok(vec![Id::new("ip", "10.0.0.1")]));
        for (scheme, auth) in [
            (None, Some(&b"x"[..])),
            (Some(""), Some(b"x")),
            (Some("world"), Some(b"anyone")),
            (Some("super"), Some(b"")),
            (Some("sasl"), Some(b"x")),
            (Some("Digest"), Some(b"bob:secret")),
            (Some("ensemble"), Some(b"")),
            (Some("digest"), None),
        ] {
            assert_eq!(ask(&options, scheme, auth), Err(AuthRefused::Failed), "{scheme:?}");
        }
        options.digest_enabled = false;
        assert_eq!(ask(&options, Some("digest"), Some(b"bob:secret")), Err(AuthRefused::Failed));
    }

    #[test]
    fn the_super_user_is_both() {
        let super_digest = Some(SuperDigest::new("super:xQJmxLMiHGwaqBvst5y6rkB6HQs=".into()));
        let options = AuthOptions { super_digest, ..AuthOptions::default() };
        let ids = authenticate(&packet(Some("digest"), Some(b"super:admin")), &options, "").unwrap();
        assert_eq!(ids, [Id::new("super", ""), Id::new("digest", "super:xQJmxLMiHGwaqBvst5y6rkB6HQs=")]);
        let ids = authenticate(&packet(Some("digest"), Some(b"super:other")), &options, "").unwrap();
        assert_eq!(ids.len(), 1);
    }

    #[test]
    fn an_ensemble_is_meant_or_not() {
        let ask = |ensemble, auth| {
            let options = AuthOptions { ensemble, ..AuthOptions::default() };
            authenticate(&packet(Some("ensemble"), auth), &options, "")
        };
        let names = || Ensemble::from_names("a, b");
        assert_eq!(ask(names(), Some(b"b")), Ok(vec![]));
        assert_eq!(ask(names(), None), Ok(vec![]));
        assert_eq!(ask(names(), Some(b"")), Ok(vec![]));
        assert_eq!(ask(names(), Some(b"c")), Err(AuthRefused::WrongEnsemble));
        assert_eq!(ask(Ensemble::AnyName, Some(b"c")), Ok(vec![]));
    }
}
