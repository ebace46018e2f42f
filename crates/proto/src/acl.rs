//! Who may do what with a znode.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use crate::Text;
use crate::record::record;

/// Permission bits. Source: `ZooDefs.Perms`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Perms(pub i32);

impl Perms {
    /// Data, children, `Stat`, and the list itself.
    pub const READ: Self = Self(1);
    /// Setting the data.
    pub const WRITE: Self = Self(2);
    /// New children.
    pub const CREATE: Self = Self(4);
    /// Removing children.
    pub const DELETE: Self = Self(8);
    /// Setting the list.
    pub const ADMIN: Self = Self(16);
    /// All five.
    pub const ALL: Self = Self(31);

    /// Whether one bit is in both.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

record! {
    /// Somebody, as a scheme sees them. Source: `data.Id`.
    #[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
    pub struct Id<'a> {
        /// `world`, `digest`, `ip`, …
        pub scheme: Text<'a>,
        /// Who, in the words of the scheme.
        pub id: Text<'a>,
    }
}

record! {
    /// One entry of an access control list. The bits are kept as given, also unknown ones. Source: `data.ACL`.
    #[derive(Clone, Debug, Eq, Hash, PartialEq)]
    pub struct Acl<'a> {
        /// [`Perms`] bits.
        pub perms: i32,
        /// To whom they are given.
        pub id: Id<'a>,
    }
}

/// A whole access control list as a znode has it. Order counts when two are compared.
pub type AclList = Vec<Acl<'static>>;

impl Id<'_> {
    /// An identity of our own making.
    #[must_use]
    pub fn new<'a>(scheme: &'a str, id: &'a str) -> Id<'a> {
        Id { scheme: Some(Cow::Borrowed(scheme)), id: Some(Cow::Borrowed(id)) }
    }

    /// A copy that owns its text.
    #[must_use]
    pub fn into_owned(self) -> Id<'static> {
        let own = |text: Text<'_>| text.map(|text| Cow::Owned(text.into_owned()));
        Id { scheme: own(self.scheme), id: own(self.id) }
    }
}

impl Acl<'_> {
    /// Everything to everybody, which stores and snapshots write as list id -1.
    #[must_use]
    pub fn open() -> Acl<'static> {
        Acl { perms: Perms::ALL.0, id: Id::new("world", "anyone") }
    }

    /// A copy that owns its text.
    #[must_use]
    pub fn into_owned(self) -> Acl<'static> {
        Acl { perms: self.perms, id: self.id.into_owned() }
    }
}
