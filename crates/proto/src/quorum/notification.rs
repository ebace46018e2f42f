//! The votes of an election.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use crate::record::record;
use crate::{Decode, DecodeError, Encode, Reader, Sid, Zxid};

/// The longest frame on an election connection, in bytes; the shortest is 1. Source: `QuorumCnxManager.PACKETMAXSIZE`.
pub const NOTIFICATION_BYTES_MAX: usize = 524_288;

/// What a member is doing. Source: `QuorumPeer.ServerState`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum PeerState {
    /// Looking for a leader.
    Looking,
    /// Following one.
    Following,
    /// Being one.
    Leading,
    /// Observing one.
    Observing,
}

impl PeerState {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> i32 {
        match self {
            Self::Looking => 0,
            Self::Following => 1,
            Self::Leading => 2,
            Self::Observing => 3,
        }
    }
}

impl Decode<'_> for PeerState {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match i32::decode(reader)? {
            0 => Ok(Self::Looking),
            1 => Ok(Self::Following),
            2 => Ok(Self::Leading),
            3 => Ok(Self::Observing),
            other => Err(DecodeError::Unknown { what: "member state", value: other.into() }),
        }
    }
}

impl Encode for PeerState {
    fn encode(&self, out: &mut Vec<u8>) {
        self.number().encode(out);
    }
}

record! {
    /// Who should lead, or leads. 32 bytes.
    ///
    /// Observers, and members outside the configuration, put `i64::MIN` where they have nothing to say.
    /// Source: `Vote`, `FastLeaderElection.Notification`.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct Vote {
        /// The member voted for.
        pub leader: Sid,
        /// The last transaction in its log; -1 for a database that must not be trusted.
        pub zxid: Zxid,
        /// The sender's round, its logical clock.
        pub round: i64,
        /// The current epoch of the member voted for. An `i64`, since it can be -1 and `i64::MIN`.
        pub peer_epoch: i64,
    }
}

/// What stands behind the vote, which tells the version of the sender.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum NotificationTail<'a> {
    /// Nothing, not even the peer epoch, which is then the epoch of the zxid. 28 bytes; before 3.4.
    BeforeEpoch,
    /// Four bytes that are not looked at. 40 bytes; 3.4. It counts as version 0.
    BeforeConfig,
    /// A version below 2, in a message that is not 40 bytes long. No release sends it, but Java takes it.
    Version(i32),
    /// Since 3.5.
    Config {
        /// 2 or more; members send 2.
        version: i32,
        /// The configuration the sender has activated, as text.
        config: Cow<'a, str>,
    },
}

/// One message of the election.
///
/// Source: `FastLeaderElection#buildMsg`, `Messenger.WorkerReceiver#run`; quorum-protocol.md §2.3.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Notification<'a> {
    /// What the sender is doing.
    pub state: PeerState,
    /// Its vote.
    pub vote: Vote,
    /// What else it says.
    pub tail: NotificationTail<'a>,
}

impl<'a> Notification<'a> {
    /// The version members send since 3.5. Source: `Notification.CURRENTVERSION`.
    pub const VERSION: i32 = 2;

    /// The notification of this version.
    #[must_use]
    pub fn new(state: PeerState, vote: Vote, config: &'a str) -> Self {
        let tail = NotificationTail::Config { version: Self::VERSION, config: Cow::Borrowed(config) };
        Self { state, vote, tail }
    }

    /// Its version, which says how it compares with other votes.
    #[must_use]
    pub fn version(&self) -> i32 {
        match self.tail {
            NotificationTail::BeforeEpoch | NotificationTail::BeforeConfig => 0,
            NotificationTail::Version(version) | NotificationTail::Config { version, .. } => version,
        }
    }

    /// Reads a frame without its length. Bytes behind the configuration are passed over.
    ///
    /// # Errors
    /// [`DecodeError`]: ignore the message, and read on; ZOOKEEPER-3769 was to stop there.
    pub fn decode(frame: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(frame);
        if frame.len() == 28 {
            let state = reader.take()?;
            let (leader, zxid, round) = (reader.take()?, reader.take::<Zxid>()?, reader.take()?);
            // Java's is an arithmetic shift.
            let vote = Vote { leader, zxid, round, peer_epoch: zxid.0 >> 32 };
            return Ok(Self { state, vote, tail: NotificationTail::BeforeEpoch });
        }
        let (state, vote) = (reader.take()?, reader.take()?);
        let tail = if frame.len() == 40 {
            NotificationTail::BeforeConfig
        } else {
            match reader.take()? {
                version @ ..2 => NotificationTail::Version(version),
                version => {
                    let length: i32 = reader.take()?;
                    let bytes = usize::try_from(length).map_err(|_| DecodeError::Length(length))?;
                    let config = String::from_utf8_lossy(reader.bytes(bytes)?);
                    NotificationTail::Config { version, config }
                }
            }
        };
        Ok(Self { state, vote, tail })
    }
}

impl Encode for Notification<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.state.encode(out);
        match &self.tail {
            NotificationTail::BeforeEpoch => {
                self.vote.leader.encode(out);
                self.vote.zxid.encode(out);
                self.vote.round.encode(out);
            }
            NotificationTail::BeforeConfig => {
                self.vote.encode(out);
                1_i32.encode(out);
            }
            // Anything but 40 bytes, so that it is read back as what it is.
            NotificationTail::Version(version) => {
                self.vote.encode(out);
                version.encode(out);
                0_i32.encode(out);
            }
            NotificationTail::Config { version, config } => {
                self.vote.encode(out);
                version.encode(out);
                crate::wire::put_bytes(config.as_bytes(), out);
            }
        }
    }
}
