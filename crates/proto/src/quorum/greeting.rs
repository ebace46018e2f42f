//! The first message on an election connection: who calls, and where to call back.

use alloc::vec::Vec;

use crate::{DecodeError, Encode, Reader, Sid};

/// The longest list of addresses in a [`Greeting`], in bytes. Source: `QuorumCnxManager.maxBuffer`.
pub const GREETING_ADDRESSES_BYTES_MAX: usize = 2048;

/// Why bytes are not a greeting: close the connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum GreetingError {
    /// [`DecodeError::Truncated`]: not all of it has arrived.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// A negative number where the version is, and none that we know.
    #[error("unknown protocol version {0}")]
    Version(i64),
    /// No address, or more than [`GREETING_ADDRESSES_BYTES_MAX`] bytes of them.
    #[error("unreasonable length {0} of the addresses")]
    Length(i32),
    /// Not `host:port`, or not UTF-8.
    #[error("an address is not host:port")]
    Address,
}

/// What the caller's greeting is able to carry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AddressForm {
    /// One address. All that members before 3.6 understand (ZOOKEEPER-3720).
    One,
    /// Several; sent if and only if `multiAddress.enabled`.
    Many,
}

impl AddressForm {
    /// The protocol version on the wire.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::One => -65_536,
            Self::Many => -65_535,
        }
    }

    const fn from_number(number: i64) -> Option<Self> {
        match number {
            -65_536 => Some(Self::One),
            -65_535 => Some(Self::Many),
            _ => None,
        }
    }
}

/// A place to call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HostPort<'a> {
    /// A name or an address; an IPv6 address without its brackets.
    pub host: &'a str,
    /// The election port.
    pub port: u16,
}

impl<'a> HostPort<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (host, port) = match text.strip_prefix('[') {
            Some(bracketed) => bracketed.split_once("]:")?,
            None => text.split_once(':')?,
        };
        // A second colon is left in the port, which then is no number.
        Some(Self { host, port: port.parse().ok()? })
    }

    fn put(&self, out: &mut Vec<u8>) {
        let bracketed = self.host.contains(':');
        out.extend_from_slice(if bracketed { b"[" } else { b"" });
        out.extend_from_slice(self.host.as_bytes());
        out.extend_from_slice(if bracketed { b"]:" } else { b":" });
        out.extend_from_slice(alloc::string::ToString::to_string(&self.port).as_bytes());
    }
}

/// Who calls. Send it in one write: Java reads the addresses with a single call and refuses to wait for the rest.
///
/// Source: `QuorumCnxManager.InitialMessage`, `#initializeConnection`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Greeting<'a> {
    /// A member before 3.5: no more than its id. `i64::MAX` is an observer without one.
    Sid(Sid),
    /// Since 3.5.
    Addressed {
        /// Which of the two versions.
        form: AddressForm,
        /// Who calls.
        sid: Sid,
        /// Its election addresses. Wildcards among them mean nothing to the receiver.
        addresses: Vec<HostPort<'a>>,
    },
}

impl<'a> Greeting<'a> {
    /// Takes the greeting.
    ///
    /// # Errors
    /// [`GreetingError`]; `Truncated` while it has not arrived as a whole, which is at most 2068 bytes.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, GreetingError> {
        let first: i64 = reader.take()?;
        if first >= 0 {
            return Ok(Self::Sid(Sid(first)));
        }
        let form = AddressForm::from_number(first).ok_or(GreetingError::Version(first))?;
        let sid = reader.take()?;
        let length: i32 = reader.take()?;
        let bytes = usize::try_from(length)
            .ok()
            .filter(|bytes| (1..=GREETING_ADDRESSES_BYTES_MAX).contains(bytes))
            .ok_or(GreetingError::Length(length))?;
        let text = core::str::from_utf8(reader.bytes(bytes)?).map_err(|_| GreetingError::Address)?;
        // Java's split drops what is empty at the end, and takes the rest as addresses.
        let text = text.trim_end_matches('|');
        let addresses = if text.is_empty() {
            Vec::new()
        } else {
            text.split('|').map(HostPort::parse).collect::<Option<_>>().ok_or(GreetingError::Address)?
        };
        Ok(Self::Addressed { form, sid, addresses })
    }
}

impl Encode for Greeting<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Sid(sid) => sid.encode(out),
            Self::Addressed { form, sid, addresses } => {
                form.number().encode(out);
                sid.encode(out);
                crate::wire::put_frame(out, |out| {
                    for (i, address) in addresses.iter().enumerate() {
                        out.extend_from_slice(if i == 0 { b"" } else { b"|" });
                        address.put(out);
                    }
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn decode(version: i64, addresses: &str) -> Result<Greeting<'static>, GreetingError> {
        let mut bytes = Vec::new();
        version.encode(&mut bytes);
        Sid(3).encode(&mut bytes);
        crate::wire::put_bytes(addresses.as_bytes(), &mut bytes);
        Greeting::decode(&mut Reader::new(bytes.leak()))
    }

    #[test]
    fn several_addresses_and_brackets() {
        let greeting = Greeting::Addressed {
            form: AddressForm::Many,
            sid: Sid(3),
            addresses: vec![HostPort { host: "::1", port: 3888 }, HostPort { host: "zk3", port: 3889 }],
        };
        assert_eq!(decode(-65_535, "[::1]:3888|zk3:3889"), Ok(greeting.clone()));
        let mut bytes = Vec::new();
        greeting.encode(&mut bytes);
        assert!(bytes.ends_with(b"\x00\x00\x00\x13[::1]:3888|zk3:3889"));
    }

    #[test]
    fn what_java_refuses() {
        assert_eq!(decode(-65_534, "a:1"), Err(GreetingError::Version(-65_534)));
        assert_eq!(decode(-65_536, ""), Err(GreetingError::Length(0)));
        for address in ["a", "a:", "a:b", "a:1:2", "::1", "[::1]", "a:1||b:2", "a:65536", "a:-1"] {
            assert_eq!(decode(-65_536, address), Err(GreetingError::Address), "{address}");
        }
        assert_eq!(Greeting::decode(&mut Reader::new(&[0; 8])), Ok(Greeting::Sid(Sid(0))));
    }
}
