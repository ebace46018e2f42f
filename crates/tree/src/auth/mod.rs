//! Who somebody is, and what an access control list lets them do.
//!
//! Pure functions of what they are given: the identities of a connection, a list, the server's options. Nothing
//! is allowed that [`permits`] does not allow, and an identity exists only because [`authenticate`] made it, or
//! the accept of a connection did ([`ip_identity`]).
//!
//! Source: `server.auth.*`, `ZooKeeperServer#checkACL`, `PrepRequestProcessor#fixupACL`; client-protocol.md §6.

mod acl;
mod credential;
mod digest;
mod ip;
mod options;
mod scheme;

pub use acl::{AclError, check_acl, client_infos, masked, permits};
pub use credential::{AuthRefused, authenticate, ip_identity};
pub use digest::{DigestAlgorithm, SuperDigest};
pub use ip::address_text;
pub use options::{AuthOptions, Ensemble};
pub use scheme::Scheme;
