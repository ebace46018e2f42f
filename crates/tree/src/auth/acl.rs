//! Access control lists: what they allow, how new ones are brought into shape, what of them is shown.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use proto::{Acl, ClientInfo, Code, Id, Perms, Text};

use super::{AuthOptions, Scheme};

const ANYONE: Id<'static> = Id { scheme: Some(Cow::Borrowed("world")), id: Some(Cow::Borrowed("anyone")) };

/// Whether a connection with the identities `ids` may do `wanted` (any one bit of it) where `acl` stands.
///
/// The one function that lets anything out or in. An empty list allows everything, as in Java, where only a
/// server can make one. Source: `ZooKeeperServer#checkACL`.
#[must_use]
pub fn permits(options: &AuthOptions, acl: &[Acl<'_>], wanted: Perms, ids: &[Id<'_>]) -> bool {
    let granted = || acl.iter().filter(|entry| Perms(entry.perms).meets(wanted));
    acl.is_empty()
        || granted().any(|entry| entry.id == ANYONE)
        || options.skip_acl
        || ids.iter().any(|id| id.scheme.as_deref() == Some("super"))
        || granted().any(|entry| names_one_of(options, &entry.id, ids))
}

fn names_one_of(options: &AuthOptions, named: &Id<'_>, ids: &[Id<'_>]) -> bool {
    let (Some(scheme_name), Some(named)) = (named.scheme.as_deref(), named.id.as_deref()) else {
        return false;
    };
    let Some(scheme) = Scheme::find(scheme_name, options) else {
        return false;
    };
    ids.iter()
        .filter(|id| id.scheme.as_deref() == Some(scheme_name))
        .any(|id| id.id.as_deref().is_some_and(|identity| scheme.matches(identity, named)))
}

/// Why a list cannot be given to a znode.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AclError {
    /// It is empty, or an entry means nobody.
    #[error("invalid access control list")]
    Invalid,
    /// A null where no client writes one, on which Java fails halfway.
    #[error("null in an access control list")]
    Null,
}

impl From<AclError> for Code {
    fn from(error: AclError) -> Self {
        match error {
            AclError::Invalid => Self::InvalidAcl,
            AclError::Null => Self::MarshallingError,
        }
    }
}

/// The list a znode gets when a client with the identities `ids` asks for `list`: without exact duplicates, and
/// with `auth` replaced by the client's own identities.
///
/// # Errors
/// [`AclError`]. Source: `PrepRequestProcessor#fixupACL`; client-protocol.md §6.3.
pub fn check_acl<'a>(
    options: &AuthOptions,
    list: Option<Vec<Acl<'a>>>,
    ids: &'a [Id<'static>],
) -> Result<Vec<Acl<'a>>, AclError> {
    let unique = without_duplicates(list.unwrap_or_default())?;
    if unique.is_empty() {
        return Err(AclError::Invalid);
    }
    if !unique.iter().any(|entry| entry.id.scheme.as_deref() == Some("auth")) {
        unique.iter().try_for_each(|entry| check_entry(options, &entry.id))?;
        return Ok(unique);
    }
    let mut list = Vec::with_capacity(unique.len());
    for entry in unique {
        if entry.id.scheme.as_deref() == Some("auth") {
            let before = list.len();
            list.extend(authenticated(options, ids).map(|id| Acl { perms: entry.perms, id }));
            if list.len() == before {
                return Err(AclError::Invalid);
            }
        } else {
            check_entry(options, &entry.id)?;
            list.push(entry);
        }
    }
    Ok(list)
}

/// The identities that `auth` stands for.
fn authenticated<'a>(options: &AuthOptions, ids: &'a [Id<'static>]) -> impl Iterator<Item = Id<'a>> {
    let stands_for_somebody = |id: &&Id<'static>| {
        id.scheme
            .as_deref()
            .and_then(|scheme| Scheme::find(scheme, options))
            .is_some_and(Scheme::authenticates)
    };
    let lent = |text: &'a Text<'static>| text.as_deref().map(Cow::Borrowed);
    ids.iter().filter(stands_for_somebody).map(move |id| Id { scheme: lent(&id.scheme), id: lent(&id.id) })
}

fn check_entry(options: &AuthOptions, named: &Id<'_>) -> Result<(), AclError> {
    let scheme = named.scheme.as_deref().ok_or(AclError::Invalid)?;
    let id = named.id.as_deref();
    if scheme == "world" {
        // Any other id would need a provider called `world`, and there is none.
        return if id.ok_or(AclError::Null)? == "anyone" { Ok(()) } else { Err(AclError::Invalid) };
    }
    let scheme = Scheme::find(scheme, options).ok_or(AclError::Invalid)?;
    if scheme.is_valid(id).ok_or(AclError::Null)? { Ok(()) } else { Err(AclError::Invalid) }
}

/// Keeps the first of equal entries. Lists are short, so all are compared with all, as in Java.
fn without_duplicates(list: Vec<Acl<'_>>) -> Result<Vec<Acl<'_>>, AclError> {
    if list.len() < 2 {
        return Ok(list);
    }
    let mut unique: Vec<Acl<'_>> = Vec::with_capacity(list.len());
    for entry in list {
        let mut seen = false;
        for earlier in &unique {
            seen = equal(&entry, earlier)?;
            if seen {
                break;
            }
        }
        if !seen {
            unique.push(entry);
        }
    }
    Ok(unique)
}

/// As the records of Java compare: field by field, and a null on the left is a null pointer if it is reached.
fn equal(left: &Acl<'_>, right: &Acl<'_>) -> Result<bool, AclError> {
    if left.perms != right.perms {
        return Ok(false);
    }
    let scheme = left.id.scheme.as_deref().ok_or(AclError::Null)?;
    if right.id.scheme.as_deref() != Some(scheme) {
        return Ok(false);
    }
    let id = left.id.id.as_deref().ok_or(AclError::Null)?;
    Ok(right.id.id.as_deref() == Some(id))
}

/// A list as somebody without `Admin` may see it: of a digest only the user.
///
/// Everything behind the first colon goes. Java leaves what stands behind a line break.
/// Source: `FinalRequestProcessor`, case `getACL`.
#[must_use]
pub fn masked<'a>(acl: &'a [Acl<'_>]) -> Vec<Acl<'a>> {
    let lent = |text: &'a Text<'_>| text.as_deref().map(Cow::Borrowed);
    let show = |entry: &'a Acl<'_>| {
        let mut id = Id { scheme: lent(&entry.id.scheme), id: lent(&entry.id.id) };
        if id.scheme.as_deref() == Some("digest")
            && let Some((user, _)) = id.id.as_deref().and_then(|id| id.split_once(':'))
        {
            id.id = Some(Cow::Owned(alloc::format!("{user}:x")));
        }
        Acl { perms: entry.perms, id }
    };
    acl.iter().map(show).collect()
}

/// What `whoAmI` tells a connection about its identities: of a digest the user, of a scheme without provider,
/// such as `super`, nothing but the scheme. Source: `AuthUtil#getClientInfos`.
#[must_use]
pub fn client_infos<'a>(options: &AuthOptions, ids: &'a [Id<'_>]) -> Vec<ClientInfo<'a>> {
    let info = |id: &'a Id<'_>| {
        let scheme = id.scheme.as_deref().unwrap_or_default();
        let identity = id.id.as_deref().unwrap_or_default();
        let user = Scheme::find(scheme, options).map_or("", |scheme| scheme.user(identity));
        ClientInfo { scheme: Some(Cow::Borrowed(scheme)), user: Some(Cow::Borrowed(user)) }
    };
    ids.iter().map(info).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Ensemble, SuperDigest};
    use super::*;
    use alloc::vec;

    fn entry<'a>(perms: i32, scheme: &'a str, id: &'a str) -> Acl<'a> {
        Acl { perms, id: Id::new(scheme, id) }
    }

    fn nullable<'a>(perms: i32, scheme: Option<&'a str>, id: Option<&'a str>) -> Acl<'a> {
        Acl { perms, id: Id { scheme: scheme.map(Cow::Borrowed), id: id.map(Cow::Borrowed) } }
    }

    fn bob() -> Vec<Id<'static>> {
        vec![Id::new("ip", "10.0.0.1"), Id::new("digest", "bob:h")]
    }

    #[test]
    fn who_may_do_what() {
        let options = AuthOptions::default();
        let table: [(&[Acl<'_>], Perms, bool); 13] = [
            (&[], Perms::ADMIN, true),
            (&[entry(31, "world", "anyone")], Perms::READ, true),
            (&[entry(30, "world", "anyone")], Perms::READ, false),
            (&[entry(-1, "world", "anyone")], Perms::ADMIN, true),
            (&[entry(0, "world", "anyone")], Perms::READ, false),
            (&[entry(31, "world", "someone")], Perms::READ, false),
            (&[entry(31, "digest", "bob:h")], Perms::DELETE, true),
            (&[entry(31, "digest", "bob:g")], Perms::DELETE, false),
            (&[entry(1, "digest", "bob:h"), entry(2, "world", "anyone")], Perms::WRITE, true),
            (&[entry(4, "ip", "10.0.0.0/8")], Perms::CREATE, true),
            (&[entry(4, "ip", "11.0.0.0/8")], Perms::CREATE, false),
            (&[entry(31, "sasl", "bob:h"), entry(31, "auth", "")], Perms::READ, false),
            (&[nullable(31, None, None), nullable(31, Some("digest"), None)], Perms::READ, false),
        ];
        for (acl, wanted, allowed) in table {
            assert_eq!(permits(&options, acl, wanted, &bob()), allowed, "{acl:?} {wanted:?}");
        }
        // Either bit is enough: getACL asks for two.
        let either = Perms(Perms::READ.0 | Perms::ADMIN.0);
        assert!(permits(&options, &[entry(16, "digest", "bob:h")], either, &bob()));
    }

    #[test]
    fn options_and_the_super_user_stand_above_lists() {
        let closed = [entry(31, "digest", "alice:h")];
        let permits = |options: &AuthOptions, ids: &[Id<'_>]| permits(options, &closed, Perms::READ, ids);
        let options = AuthOptions::default();
        assert!(!permits(&options, &bob()));
        assert!(permits(&options, &[Id::new("super", "")]));
        assert!(permits(&AuthOptions { skip_acl: true, ..AuthOptions::default() }, &[]));
        // A super digest that nobody proved opens nothing.
        let super_digest = Some(SuperDigest::new("bob:h".into()));
        assert!(!permits(&AuthOptions { super_digest, ..AuthOptions::default() }, &bob()));
        // Without its provider a digest matches nobody.
        let off = AuthOptions { digest_enabled: false, ..AuthOptions::default() };
        assert!(!permits(&off, &[Id::new("digest", "alice:h")]));
        assert!(permits(&options, &[Id::new("digest", "alice:h")]));
    }

    #[test]
    fn lists_are_brought_into_shape() {
        let options = AuthOptions { ensemble: Ensemble::AnyName, ..AuthOptions::default() };
        let ids = bob();
        let check = |list: Vec<Acl<'static>>| check_acl(&options, Some(list), &ids).map_err(Code::from);
        let open = || entry(31, "world", "anyone");

        assert_eq!(check_acl(&options, None, &ids), Err(AclError::Invalid));
        assert_eq!(check(vec![]), Err(Code::InvalidAcl));
        assert_eq!(
            check(vec![open(), entry(1, "world", "anyone"), open()]),
            Ok(vec![open(), entry(1, "world", "anyone")])
        );
        assert_eq!(check(vec![entry(3, "auth", "whatever")]), Ok(vec![entry(3, "digest", "bob:h")]));
        assert_eq!(check(vec![nullable(3, Some("auth"), None)]), Ok(vec![entry(3, "digest", "bob:h")]));
        let twice = vec![entry(3, "auth", "a"), open(), entry(3, "auth", "b")];
        assert_eq!(check(twice), Ok(vec![entry(3, "digest", "bob:h"), open(), entry(3, "digest", "bob:h")]));
        assert_eq!(check(vec![entry(77, "ip", "10.0.0.0/8")]), Ok(vec![entry(77, "ip", "10.0.0.0/8")]));

        for bad in [
            entry(31, "world", "nobody"),
            entry(31, "World", "anyone"),
            entry(31, "ip", "localhost"),
            entry(31, "digest", "bob"),
            entry(31, "super", ""),
            entry(31, "sasl", "bob"),
            entry(31, "host", "example"),
            entry(31, "ensemble", "x"),
            nullable(31, None, Some("anyone")),
            nullable(31, Some("sasl"), None),
            nullable(31, Some("ensemble"), None),
        ] {
            assert_eq!(check(vec![bad.clone()]), Err(Code::InvalidAcl), "{bad:?}");
        }
        for scheme in ["world", "ip", "digest"] {
            assert_eq!(
                check(vec![nullable(31, Some(scheme), None)]),
                Err(Code::MarshallingError),
                "{scheme}"
            );
        }
        assert_eq!(
            check_acl(&options, Some(vec![entry(3, "auth", "")]), &ids[..1]),
            Err(AclError::Invalid),
            "an address is nobody's identity"
        );
    }

    #[test]
    fn a_null_that_java_compares_is_a_marshalling_error() {
        let options = AuthOptions::default();
        let check = |list| check_acl(&options, Some(list), &[]);
        let bad = || entry(31, "host", "x");
        assert_eq!(check(vec![bad(), nullable(31, None, None)]), Err(AclError::Null));
        assert_eq!(
            check(vec![bad(), nullable(1, None, None)]),
            Err(AclError::Invalid),
            "other bits, not compared"
        );
        assert_eq!(check(vec![bad(), nullable(31, Some("host"), None)]), Err(AclError::Null));
        assert_eq!(check(vec![nullable(31, None, None), bad()]), Err(AclError::Invalid));
    }

    #[test]
    fn hashes_are_shown_to_admins_only() {
        let acl = [entry(31, "digest", "bob:h:i\nj"), entry(1, "ip", "1.2.3.4"), entry(1, "digest", "odd")];
        assert_eq!(masked(&acl), [entry(31, "digest", "bob:x"), acl[1].clone(), acl[2].clone()]);
    }

    #[test]
    fn who_am_i() {
        let mut ids = bob();
        ids.push(Id::new("super", ""));
        ids.push(Id::new("sasl", "x@y"));
        let infos = client_infos(&AuthOptions::default(), &ids);
        let shown: Vec<_> = infos
            .iter()
            .map(|info| (info.scheme.as_deref().unwrap(), info.user.as_deref().unwrap()))
            .collect();
        assert_eq!(shown, [("ip", "10.0.0.1"), ("digest", "bob"), ("super", ""), ("sasl", "")]);
    }
}
