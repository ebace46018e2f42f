//! The snapshot that a leader sends: the packet SNAP is followed by it, byte behind byte, and it by the next packet.
//!
//! ```text
//! sessions | lists | nodes | string "/" | string "BenWasHere"
//! ```
//!
//! As in a file, but without header, seals, digest and last zxid. The zxid is that of the packet. Nothing proves that
//! the bytes are right but TCP and the signature at the end; the digests of the transactions that follow do.
//!
//! Source: `LearnerHandler#run`, `Learner#syncWithLeader`; quorum-protocol.md §3.11.

use alloc::vec::Vec;

use proto::wire::{length_of, put_bytes};
use proto::{AclList, Encode, SessionId, Zxid};

use super::format::{SLASH, put_acl, put_session};
use super::records::{RecordError, Records, SnapshotSink, Taken};

/// What the stream ends with.
const SIGNATURE: &[u8; 14] = b"\0\0\0\x0aBenWasHere";

/// How long what stands behind the nodes of a stream is.
pub const STREAM_END_BYTES: usize = SLASH.len() + SIGNATURE.len();

/// Appends what stands before the nodes: sessions with their timeouts in milliseconds, and the access control lists
/// with their numbers. Then come the nodes as [`put_node`](super::put_node) makes them, parents first, and
/// [`put_stream_end`].
///
/// # Panics
/// If there are more than `i32::MAX` of either.
pub fn put_stream_start(out: &mut Vec<u8>, sessions: &[(SessionId, i32)], acls: &[(i64, AclList)]) {
    length_of(sessions.len()).encode(out);
    for &(id, timeout_ms) in sessions {
        put_session(out, id, timeout_ms);
    }
    length_of(acls.len()).encode(out);
    for (acl_id, acl) in acls {
        put_acl(out, *acl_id, acl);
    }
}

/// Appends what stands behind the nodes.
pub fn put_stream_end(out: &mut Vec<u8>) {
    out.extend_from_slice(SLASH);
    put_bytes(&SIGNATURE[4..], out);
}

/// How far a stream has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Progress {
    /// Every byte belonged to the stream, and it goes on.
    More,
    /// The stream has ended, and the sink has all of it.
    Done {
        /// How many of the bytes given in this call belonged to it; behind them stands the next packet.
        taken: usize,
    },
}

/// Why what a leader sends is no snapshot: close the connection and forget what the sink was given.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum StreamError<E> {
    /// It breaks its own rules.
    #[error("the snapshot sent by the leader is broken at byte {offset}: {what}")]
    Broken {
        /// Where the record starts, counted from the start of the stream.
        offset: u64,
        /// What is wrong there.
        what: &'static str,
    },
    /// A path, data or a list is longer than this member takes.
    #[error(
        "the snapshot sent by the leader has a field of {bytes} bytes at byte {offset}, where {max} are the limit; \
             raise jute.maxbuffer to what the other members have"
    )]
    TooLong {
        /// Where the record starts, counted from the start of the stream.
        offset: u64,
        /// What is announced.
        bytes: usize,
        /// The limit given.
        max: usize,
    },
    /// Whoever takes the records does not accept one.
    #[error("the snapshot sent by the leader, byte {offset}: {error}")]
    Sink {
        /// Where the record starts, counted from the start of the stream.
        offset: u64,
        /// What they say.
        error: E,
    },
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Part {
    Records,
    Signature,
    Behind,
}

/// Takes such a stream in pieces of any size.
///
/// Keeps no more than one record that has not fully arrived, twice its bytes at most; what comes whole is not copied.
#[derive(Debug)]
pub struct StreamDecoder {
    at: Place,
    /// The front of a record whose rest has not come.
    begun: Vec<u8>,
    /// With so many bytes of it something can be done.
    want: usize,
}

#[derive(Debug)]
struct Place {
    part: Part,
    records: Records,
    field_max: usize,
    /// Where in the stream the next record starts.
    offset: u64,
}

impl StreamDecoder {
    /// At the first byte behind the packet SNAP, whose zxid `sink` is told.
    ///
    /// * `field_max`: bytes of a path, of data, and of a whole access control list that are taken. Java's limit is
    ///   `jute.maxbuffer` and its extra size: 2 097 150 unless configured.
    pub fn begin<S: SnapshotSink>(zxid: Zxid, field_max: usize, sink: &mut S) -> Self {
        sink.begin(zxid);
        let at = Place { part: Part::Records, records: Records::new(field_max), field_max, offset: 0 };
        Self { at, begun: Vec::new(), want: 0 }
    }

    /// How many nodes the sink has been given.
    #[must_use]
    pub fn nodes(&self) -> u64 {
        self.at.records.nodes()
    }

    /// How many bytes of the stream whole records have taken.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.at.offset
    }

    /// Takes the next piece of what the leader sent. Behind the end of the stream nothing is taken any more.
    ///
    /// # Errors
    /// [`StreamError`]; the decoder is then of no use.
    pub fn feed<S: SnapshotSink>(
        &mut self,
        piece: &[u8],
        sink: &mut S,
    ) -> Result<Progress, StreamError<S::Error>> {
        let mut rest = piece;
        while self.at.part != Part::Behind {
            let held = !self.begun.is_empty();
            if held {
                let missing = self.want.saturating_sub(self.begun.len());
                let (front, behind) = rest.split_at(rest.len().min(missing));
                self.begun.extend_from_slice(front);
                rest = behind;
                if front.len() < missing {
                    return Ok(Progress::More);
                }
            }
            match self.at.step(if held { &self.begun } else { rest }, sink)? {
                Taken::Bytes(n) | Taken::End(n) if held => drop(self.begun.drain(..n)),
                Taken::Bytes(n) | Taken::End(n) => rest = &rest[n..],
                Taken::Want(n) if held => self.want = n,
                Taken::Want(n) => {
                    self.begun.extend_from_slice(rest);
                    self.want = n;
                    return Ok(Progress::More);
                }
            }
        }
        Ok(Progress::Done { taken: piece.len() - rest.len() })
    }
}

impl Place {
    fn step<S: SnapshotSink>(&mut self, bytes: &[u8], sink: &mut S) -> Result<Taken, StreamError<S::Error>> {
        let (offset, max) = (self.offset, self.field_max);
        let taken = match self.part {
            Part::Records => self.records.step(bytes, sink).map_err(|error| match error {
                RecordError::Broken(what) => StreamError::Broken { offset, what },
                RecordError::TooLong { bytes } => StreamError::TooLong { offset, bytes, max },
                RecordError::Sink(error) => StreamError::Sink { offset, error },
            })?,
            Part::Signature => {
                // Judged whole, so that it does not depend on the pieces what is said of a stream that was cut.
                match bytes.first_chunk() {
                    Some(SIGNATURE) => Taken::End(SIGNATURE.len()),
                    Some(_) => return Err(StreamError::Broken { offset, what: "the signature is missing" }),
                    None => Taken::Want(SIGNATURE.len()),
                }
            }
            Part::Behind => Taken::Bytes(0),
        };
        match taken {
            Taken::Bytes(n) => self.offset += n as u64,
            Taken::End(n) => {
                self.offset += n as u64;
                self.part = if self.part == Part::Records { Part::Signature } else { Part::Behind };
            }
            Taken::Want(_) => {}
        }
        Ok(taken)
    }
}
