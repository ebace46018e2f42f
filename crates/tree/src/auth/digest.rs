//! The scheme `digest`: `user:password` becomes `user:BASE64(H(user:password))`.
//!
//! Source: `DigestAuthenticationProvider`.

use alloc::format;
use alloc::string::String;
use core::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::Digest;
use subtle::ConstantTimeEq;

/// The hash behind digest identities. All members and all tools must agree on it, since it is in the ACLs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum DigestAlgorithm {
    /// Of Java and of every tool unless told otherwise.
    #[default]
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
    /// SHA-512/224.
    Sha512Trunc224,
    /// SHA-512/256.
    Sha512Trunc256,
    /// SHA3-224.
    Sha3Len224,
    /// SHA3-256.
    Sha3Len256,
    /// SHA3-384.
    Sha3Len384,
    /// SHA3-512.
    Sha3Len512,
    /// MD5.
    Md5,
}

impl DigestAlgorithm {
    /// The algorithm a JVM knows by `name`, in any case of letters; `None` for one we do not have.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        const NAMES: [(&str, DigestAlgorithm); 14] = [
            ("SHA", DigestAlgorithm::Sha1),
            ("SHA1", DigestAlgorithm::Sha1),
            ("SHA-1", DigestAlgorithm::Sha1),
            ("SHA-224", DigestAlgorithm::Sha224),
            ("SHA-256", DigestAlgorithm::Sha256),
            ("SHA-384", DigestAlgorithm::Sha384),
            ("SHA-512", DigestAlgorithm::Sha512),
            ("SHA-512/224", DigestAlgorithm::Sha512Trunc224),
            ("SHA-512/256", DigestAlgorithm::Sha512Trunc256),
            ("SHA3-224", DigestAlgorithm::Sha3Len224),
            ("SHA3-256", DigestAlgorithm::Sha3Len256),
            ("SHA3-384", DigestAlgorithm::Sha3Len384),
            ("SHA3-512", DigestAlgorithm::Sha3Len512),
            ("MD5", DigestAlgorithm::Md5),
        ];
        NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|&(_, algorithm)| algorithm)
    }

    /// The id of who knows `user_and_password`.
    ///
    /// The user is the text before the first colon, the hash covers all of it. Without a colon all of it is the
    /// user, which Java accepts too.
    #[must_use]
    pub fn identity(self, user_and_password: &str) -> String {
        let user = user_and_password.split(':').next().unwrap_or_default();
        format!("{user}:{}", self.base64(user_and_password.as_bytes()))
    }

    fn base64(self, text: &[u8]) -> String {
        fn hash<D: Digest>(text: &[u8]) -> String {
            STANDARD.encode(D::digest(text))
        }
        match self {
            Self::Sha1 => hash::<sha1::Sha1>(text),
            Self::Sha224 => hash::<sha2::Sha224>(text),
            Self::Sha256 => hash::<sha2::Sha256>(text),
            Self::Sha384 => hash::<sha2::Sha384>(text),
            Self::Sha512 => hash::<sha2::Sha512>(text),
            Self::Sha512Trunc224 => hash::<sha2::Sha512_224>(text),
            Self::Sha512Trunc256 => hash::<sha2::Sha512_256>(text),
            Self::Sha3Len224 => hash::<sha3::Sha3_224>(text),
            Self::Sha3Len256 => hash::<sha3::Sha3_256>(text),
            Self::Sha3Len384 => hash::<sha3::Sha3_384>(text),
            Self::Sha3Len512 => hash::<sha3::Sha3_512>(text),
            Self::Md5 => hash::<md5::Md5>(text),
        }
    }
}

/// The digest identity that is super. It cannot be printed, and is compared in constant time.
#[derive(Clone)]
pub struct SuperDigest(String);

impl SuperDigest {
    /// Takes `user:base64`, as [`DigestAlgorithm::identity`] makes it.
    #[must_use]
    pub fn new(identity: String) -> Self {
        Self(identity)
    }

    /// Whether `identity` is the super user's.
    #[must_use]
    pub fn is(&self, identity: &str) -> bool {
        self.0.as_bytes().ct_eq(identity.as_bytes()).into()
    }
}

impl fmt::Debug for SuperDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SuperDigest(..)")
    }
}

/// Whether an ACL may name this id: exactly two parts at colons, where empty parts at the end do not count.
///
/// Source: `DigestAuthenticationProvider#isValid`, that is `String.split`.
pub(super) fn is_valid(id: &str) -> bool {
    id.trim_end_matches(':').matches(':').count() == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_those_java_makes() {
        let vectors = [
            ("u:p", "u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ="),
            ("bob:secret", "bob:fyVmFCwVbTJYrznoSu1koqYEYF0="),
            ("super:admin", "super:xQJmxLMiHGwaqBvst5y6rkB6HQs="),
        ];
        for (text, identity) in vectors {
            assert_eq!(DigestAlgorithm::Sha1.identity(text), identity);
        }
    }

    #[test]
    fn every_algorithm_has_its_length() {
        let lengths = [
            ("sha", 20),
            ("SHA1", 20),
            ("SHA-224", 28),
            ("SHA-256", 32),
            ("SHA-384", 48),
            ("SHA-512", 64),
            ("SHA-512/224", 28),
            ("SHA-512/256", 32),
            ("SHA3-224", 28),
            ("sha3-256", 32),
            ("SHA3-384", 48),
            ("SHA3-512", 64),
            ("md5", 16),
        ];
        for (name, bytes) in lengths {
            let identity = DigestAlgorithm::from_name(name).unwrap().identity("u:p");
            let hash = STANDARD.decode(identity.strip_prefix("u:").unwrap()).unwrap();
            assert_eq!(hash.len(), bytes, "{name}");
        }
        assert_eq!(DigestAlgorithm::from_name("MD2"), None);
        // RFC 1321, FIPS 180-4 and FIPS 202: the hash of "abc".
        let hash = |name: &str| DigestAlgorithm::from_name(name).unwrap().identity("abc");
        assert_eq!(hash("MD5"), "abc:kAFQmDzST7DWlj99KOF/cg==");
        assert_eq!(hash("SHA-256"), "abc:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
        assert_eq!(hash("SHA3-256"), "abc:Ophdp0/iJbIEXBcta9OQvYVfCG4+nVJbRr/iRRFDFTI=");
    }

    #[test]
    fn the_user_ends_at_the_first_colon() {
        assert!(DigestAlgorithm::Sha1.identity("a:b:c").starts_with("a:"));
        assert!(DigestAlgorithm::Sha1.identity("alone").starts_with("alone:"));
        assert!(DigestAlgorithm::Sha1.identity("").starts_with(':'));
    }

    #[test]
    fn an_acl_names_user_and_hash() {
        for good in ["a:b", ":b", "a:b:", "a:b::"] {
            assert!(is_valid(good), "{good}");
        }
        for bad in ["", ":", "a", "a:", "a::", "a:b:c", "::b"] {
            assert!(!is_valid(bad), "{bad}");
        }
    }

    #[test]
    fn the_super_digest_stays_secret() {
        let secret = SuperDigest::new(DigestAlgorithm::Sha1.identity("super:admin"));
        assert_eq!(format!("{secret:?}"), "SuperDigest(..)");
        assert!(secret.is("super:xQJmxLMiHGwaqBvst5y6rkB6HQs="));
        assert!(!secret.is("super:xQJmxLMiHGwaqBvst5y6rkB6HQt="));
        assert!(!secret.is("super:"));
    }
}
