//! The first record in each direction, which opens or resumes a session.

use alloc::vec::Vec;

use crate::{Buffer, Decode, DecodeError, Encode, Reader, SessionId, Zxid};

/// Bytes of a session password.
pub const PASSWORD_LEN: usize = 16;

/// A client's wish for a session. Source: `proto.ConnectRequest`, `compat.ProtocolManager`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConnectRequest<'a> {
    /// 0; never looked at.
    pub protocol_version: i32,
    /// The newest transaction the client has seen: a server behind it must refuse.
    pub last_zxid_seen: Zxid,
    /// The session timeout wished for, in milliseconds; any number.
    pub timeout_ms: i32,
    /// The session to resume, or [`SessionId::NONE`].
    pub session_id: SessionId,
    /// Its password; of any length for a new session.
    pub password: Buffer<'a>,
    /// Content with a read-only server. `None`: a client before 3.4, whose response has no such byte either.
    pub read_only: Option<bool>,
}

impl<'a> Decode<'a> for ConnectRequest<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            protocol_version: reader.take()?,
            last_zxid_seen: reader.take()?,
            timeout_ms: reader.take()?,
            session_id: reader.take()?,
            password: reader.take()?,
            read_only: if reader.rest().is_empty() { None } else { Some(reader.take()?) },
        })
    }
}

impl Encode for ConnectRequest<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.protocol_version.encode(out);
        self.last_zxid_seen.encode(out);
        self.timeout_ms.encode(out);
        self.session_id.encode(out);
        self.password.encode(out);
        if let Some(read_only) = self.read_only {
            read_only.encode(out);
        }
    }
}

/// A server's answer. A timeout of 0 says that the session is gone. Source: `proto.ConnectResponse`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConnectResponse {
    /// The timeout agreed on, in milliseconds.
    pub timeout_ms: i32,
    /// The session.
    pub session_id: SessionId,
    /// What resumes it.
    pub password: [u8; PASSWORD_LEN],
    /// Whether this server only reads; absent where the request had no such byte.
    pub read_only: Option<bool>,
}

impl ConnectResponse {
    /// The refusal that clients report as an expired session.
    #[must_use]
    pub fn expired(read_only: Option<bool>) -> Self {
        Self { timeout_ms: 0, session_id: SessionId::NONE, password: [0; PASSWORD_LEN], read_only }
    }
}

impl Encode for ConnectResponse {
    fn encode(&self, out: &mut Vec<u8>) {
        0_i32.encode(out);
        self.timeout_ms.encode(out);
        self.session_id.encode(out);
        Some(&self.password[..]).encode(out);
        if let Some(read_only) = self.read_only {
            read_only.encode(out);
        }
    }
}

impl Decode<'_> for ConnectResponse {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let _protocol_version: i32 = reader.take()?;
        let (timeout_ms, session_id) = (reader.take()?, reader.take()?);
        let password: Buffer<'_> = reader.take()?;
        let password = password.and_then(|bytes| bytes.try_into().ok()).ok_or(DecodeError::Truncated)?;
        let read_only = if reader.rest().is_empty() { None } else { Some(reader.take()?) };
        Ok(Self { timeout_ms, session_id, password, read_only })
    }
}

/// The password of a session: four outputs of `java.util.Random` seeded with the id, which every member of an
/// ensemble computes alike. Source: `ZooKeeperServer#generatePasswd`.
#[must_use]
pub fn session_password(session: SessionId) -> [u8; PASSWORD_LEN] {
    const SECRET: i64 = 0xB341_5C00;
    const MULTIPLIER: u64 = 0x5_DEEC_E66D;
    const MASK: u64 = (1 << 48) - 1;
    let mut state = (session.0 ^ SECRET).cast_unsigned() ^ MULTIPLIER;
    let mut password = [0; PASSWORD_LEN];
    for word in password.chunks_exact_mut(4) {
        state = (state & MASK).wrapping_mul(MULTIPLIER).wrapping_add(0xB) & MASK;
        let [_, _, a, b, c, d, _, _] = state.to_be_bytes();
        word.copy_from_slice(&[d, c, b, a]);
    }
    password
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_those_of_java() {
        let of = |id: i64| session_password(SessionId(id)).map(|b| alloc::format!("{b:02x}")).concat();
        assert_eq!(of(0x0100_0021_c96c_0000), "76960382cb45126a44e5a09d8cfece93");
        assert_eq!(of(0x0100_0000_0000_1234), "3c18abe05b0e6182741d625d127c15b0");
        assert_eq!(of(0x0200_018f_0000_0001), "054c686e37320a8415e70bc90c73c57a");
        assert_eq!(of(1), "054cc74a37327db215e702e20c73f005");
    }
}
