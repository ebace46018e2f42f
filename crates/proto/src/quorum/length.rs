//! Finding the end of a record on a stream that has no frames.

use crate::{DecodeError, Reader};

/// Why a stream cannot be read on: close the connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LengthError {
    /// A length below -1.
    #[error("unreasonable length {0}")]
    Negative(i32),
    /// More than the limit in one field, or in all identities together.
    #[error("{bytes} bytes where {max} are the limit")]
    TooLong {
        /// What is announced.
        bytes: usize,
        /// The limit given.
        max: usize,
    },
}

/// How many of `bytes` the [`LearnerPacket`](super::LearnerPacket) or [`LeaderPacket`](super::LeaderPacket) at their
/// front takes; `None` while it has not arrived as a whole.
///
/// * `max`: bytes of data, and bytes of all identities together, that are taken from a peer. Java's limit is
///   `jute.maxbuffer` and its extra size, for each field: 2 097 150 unless configured. Since a decision falls as soon
///   as a length is there, a peer can make its reader keep no more than twice that and a header.
///
/// # Errors
/// [`LengthError`]
///
/// Source: `BinaryInputArchive#checkLength`.
pub fn packet_length(bytes: &[u8], max: usize) -> Result<Option<usize>, LengthError> {
    whole(bytes, |fields| {
        fields.skip(4 + 8)?;
        fields.skip_buffer(max)?;
        let count = fields.count()?;
        let room = fields.rest.rest().len();
        for _ in 0..count {
            fields.skip_buffer(max)?;
            fields.skip_buffer(max)?;
            let taken = room - fields.rest.rest().len();
            fields.at_most(taken, max)?;
        }
        Ok(())
    })
}

/// How many of `bytes` the [`QuorumAuthPacket`](super::QuorumAuthPacket) at their front takes; `None` while it has
/// not arrived as a whole.
///
/// * `max`: bytes of token that are taken from a peer.
///
/// # Errors
/// [`LengthError`]
pub fn auth_packet_length(bytes: &[u8], max: usize) -> Result<Option<usize>, LengthError> {
    whole(bytes, |fields| {
        fields.skip(8 + 4)?;
        fields.skip_buffer(max)
    })
}

/// Why a walk over fields stopped.
enum Stop {
    Missing,
    Refused(LengthError),
}

struct Fields<'a> {
    rest: Reader<'a>,
}

impl Fields<'_> {
    fn skip(&mut self, n: usize) -> Result<(), Stop> {
        self.rest.bytes(n).map(drop).map_err(|_| Stop::Missing)
    }

    fn number(&mut self) -> Result<i32, Stop> {
        self.rest.take().map_err(|_: DecodeError| Stop::Missing)
    }

    fn at_most(&self, bytes: usize, max: usize) -> Result<(), Stop> {
        if bytes > max { Err(Stop::Refused(LengthError::TooLong { bytes, max })) } else { Ok(()) }
    }

    fn skip_buffer(&mut self, max: usize) -> Result<(), Stop> {
        match self.number()? {
            -1 => Ok(()),
            n => {
                let n = usize::try_from(n).map_err(|_| Stop::Refused(LengthError::Negative(n)))?;
                self.at_most(n, max)?;
                self.skip(n)
            }
        }
    }

    /// Every negative count is no elements, as in the decoder.
    fn count(&mut self) -> Result<i32, Stop> {
        self.number()
    }
}

fn whole(
    bytes: &[u8],
    walk: impl FnOnce(&mut Fields<'_>) -> Result<(), Stop>,
) -> Result<Option<usize>, LengthError> {
    let mut fields = Fields { rest: Reader::new(bytes) };
    match walk(&mut fields) {
        Ok(()) => Ok(Some(bytes.len() - fields.rest.rest().len())),
        Err(Stop::Missing) => Ok(None),
        Err(Stop::Refused(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quorum::{LeaderPacket, LearnerPacket};
    use crate::{Encode, Id, SessionId, Zxid};
    use alloc::vec;
    use alloc::vec::Vec;

    fn request() -> Vec<u8> {
        let mut bytes = Vec::new();
        LearnerPacket::Request {
            session: SessionId(1),
            cxid: 2,
            kind: 9,
            body: b"/a",
            identities: Some(vec![Id::new("ip", "127.0.0.1"), Id::new("digest", "u:x")]),
        }
        .encode(&mut bytes);
        bytes
    }

    #[test]
    fn a_packet_is_whole_with_its_last_byte() {
        let mut bytes = request();
        let whole = bytes.len();
        LeaderPacket::Ping { zxid: Zxid(1) }.encode(&mut bytes);
        for arrived in 0..whole {
            assert_eq!(packet_length(&bytes[..arrived], 100), Ok(None));
        }
        assert_eq!(packet_length(&bytes[..whole], 100), Ok(Some(whole)));
        assert_eq!(packet_length(&bytes, 100), Ok(Some(whole)));
        assert_eq!(packet_length(&bytes[whole..], 0), Ok(Some(20)));
    }

    #[test]
    fn the_limit_is_for_the_data_and_for_all_identities() {
        assert_eq!(packet_length(&request(), 17), Err(LengthError::TooLong { bytes: 18, max: 17 }));
        assert_eq!(packet_length(&request(), 18), Err(LengthError::TooLong { bytes: 19, max: 18 }));
        assert_eq!(packet_length(&request(), 36), Ok(Some(request().len())));
        let mut announced = vec![0; 12];
        (-2_i32).encode(&mut announced);
        assert_eq!(packet_length(&announced, 100), Err(LengthError::Negative(-2)));
    }
}
