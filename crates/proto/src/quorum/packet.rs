//! `QuorumPacket`: everything on the quorum port and the observer master's port.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::part::{InData, InZxid};
use super::{LearnerInfo, SessionTouch};
use crate::{Buffer, DecodeError, Encode, Epoch, Id, Reader, SessionId, Sid, Zxid};

/// Why bytes are not a packet that this role sends.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PacketError {
    /// The packet ends inside a field, or a length is impossible.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// No packet of this type goes in this direction. Java logs it and reads on.
    #[error("unexpected packet type {0}")]
    Kind(i32),
}

/// The four fields every packet has. Source: `zookeeper.jute`, `server.quorum.QuorumPacket`.
struct Raw<'a> {
    number: i32,
    zxid: Zxid,
    data: Reader<'a>,
    identities: Option<Vec<Id<'a>>>,
}

impl<'a> Raw<'a> {
    fn take(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            number: reader.take()?,
            zxid: reader.take()?,
            data: Reader::new(reader.take::<Buffer<'a>>()?.unwrap_or_default()),
            identities: reader.take()?,
        })
    }
}

macro_rules! put_data {
    ($out:ident) => {
        Buffer::None.encode($out)
    };
    ($out:ident, $($field:ident)*) => {
        crate::wire::put_frame($out, |out| {
            $(InData::put($field, out);)*
        })
    };
}

macro_rules! put_auth {
    ($out:ident) => {
        None::<Vec<Id<'_>>>.encode($out)
    };
    ($out:ident, $field:ident) => {
        $field.encode($out)
    };
}

/// Defines the packets of one role, each with its number and name, what its zxid says, and the fields of its data in
/// wire order. `bare` ones say all with their number; their zxid is a constant that nobody reads.
macro_rules! packets {
    ($(#[$meta:meta])* pub enum $name:ident<$lt:lifetime> {
        bare { $($(#[$bare_meta:meta])* $bare:ident = $bare_number:literal $bare_label:literal zxid $bare_zxid:literal;)* }
        $($(#[$variant_meta:meta])* $variant:ident = $number:literal $label:literal
            zxid {
                $(= $constant:literal)?
                $($(#[$zxid_meta:meta])* $zxid_field:ident: $zxid_type:ty)?
            }
            $(data { $($(#[$data_meta:meta])* $data_field:ident: $data_type:ty,)* })?
            $(auth { $(#[$auth_meta:meta])* $auth_field:ident })?;
        )*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Eq, PartialEq)]
        pub enum $name<$lt> {
            $($(#[$bare_meta])* $bare,)*
            $($(#[$variant_meta])* $variant {
                $($(#[$zxid_meta])* $zxid_field: $zxid_type,)?
                $($($(#[$data_meta])* $data_field: $data_type,)*)?
                $($(#[$auth_meta])* $auth_field: Option<Vec<Id<$lt>>>,)?
            },)*
        }

        impl<$lt> $name<$lt> {
            /// The name in ZooKeeper's logs.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$bare => $bare_label,)*
                    $(Self::$variant { .. } => $label,)*
                }
            }

            /// The `type` on the wire.
            #[must_use]
            pub const fn number(&self) -> i32 {
                match self {
                    $(Self::$bare => $bare_number,)*
                    $(Self::$variant { .. } => $number,)*
                }
            }

            /// Takes the next packet. What the protocol leaves unused in it, and bytes behind the last field of its
            /// data, are passed over, as in Java.
            ///
            /// # Errors
            /// [`PacketError`]. With [`PacketError::Kind`] the reader stands behind the packet; with
            /// [`DecodeError::Truncated`] the stream may only not have arrived yet: see
            /// [`packet_length`](super::packet_length).
            pub fn decode(reader: &mut Reader<$lt>) -> Result<Self, PacketError> {
                let mut raw = Raw::take(reader)?;
                Ok(match raw.number {
                    $($bare_number => Self::$bare,)*
                    $($number => Self::$variant {
                        $($zxid_field: InZxid::from_zxid(raw.zxid),)?
                        $($($data_field: InData::take(&mut raw.data)?,)*)?
                        $($auth_field: raw.identities,)?
                    },)*
                    other => return Err(PacketError::Kind(other)),
                })
            }
        }

        impl Encode for $name<'_> {
            fn encode(&self, out: &mut Vec<u8>) {
                self.number().encode(out);
                match self {
                    $(Self::$bare => {
                        Zxid($bare_zxid).encode(out);
                        put_data!(out);
                        put_auth!(out);
                    })*
                    $(Self::$variant { $($zxid_field,)? $($($data_field,)*)? $($auth_field)? } => {
                        $(Zxid($constant).encode(out);)?
                        $($zxid_field.to_zxid().encode(out);)?
                        put_data!(out $(, $($data_field)*)?);
                        put_auth!(out $(, $auth_field)?);
                    })*
                }
            }
        }
    };
}

packets! {
    /// What a learner sends to its leader or observer master.
    ///
    /// Source: `Learner`, `Follower`, `Observer`, `LearnerHandler#run`; quorum-protocol.md §3.2.
    pub enum LearnerPacket<'a> {
        bare {}
        /// The first packet of a follower.
        FollowerInfo = 11 "FOLLOWERINFO"
            zxid {
                /// The last epoch it has promised itself to.
                accepted_epoch: Epoch
            }
            data {
                /// Who it is.
                info: LearnerInfo,
            };
        /// The first packet of an observer.
        ObserverInfo = 16 "OBSERVERINFO"
            zxid {
                /// The last epoch it has heard of.
                accepted_epoch: Epoch
            }
            data {
                /// Who it is.
                info: LearnerInfo,
            };
        /// It accepts the leader's epoch.
        AckEpoch = 18 "ACKEPOCH"
            zxid {
                /// The last transaction in its log.
                last_zxid: Zxid
            }
            data {
                /// The epoch of its history. `None`: it had accepted this very epoch before, and does not count.
                current_epoch: Option<Epoch>,
            };
        /// Everything up to here is on its disk.
        Ack = 3 "ACK"
            zxid {
                /// A proposal, or the NEWLEADER mark, which answers both NEWLEADER and UPTODATE.
                zxid: Zxid
            };
        /// The answer to a PING.
        Ping = 5 "PING"
            zxid {
                /// As in the PING.
                zxid: Zxid
            }
            data {
                /// Sessions heard of since the last one.
                touched: Vec<SessionTouch>,
            };
        /// Is this session still alive? It moves here.
        Revalidate = 6 "REVALIDATE"
            zxid { = -1 }
            data {
                /// Which.
                session: SessionId,
                /// The timeout its client asked for, in milliseconds.
                timeout_ms: i32,
            };
        /// A client's write, or a sync.
        Request = 1 "REQUEST"
            zxid { = -1 }
            data {
                /// Whose.
                session: SessionId,
                /// The client's number for it.
                cxid: i32,
                /// An [`OpCode`](crate::OpCode) as number.
                kind: i32,
                /// The request, without its header.
                body: &'a [u8],
            }
            auth {
                /// The client's identities. `None` only where no access is checked: a Java leader answers a client's
                /// write without them with an internal error.
                identities
            };
    }
}

packets! {
    /// What a leader or observer master sends to a learner.
    ///
    /// Source: `Leader`, `LearnerHandler`, `ObserverMaster`, `Learner#syncWithLeader`; quorum-protocol.md §3.2.
    pub enum LeaderPacket<'a> {
        bare {
            /// The learner may serve clients.
            UpToDate = 12 "UPTODATE" zxid -1;
            /// The answer to the oldest sync that waits.
            Sync = 7 "SYNC" zxid 0;
        }
        /// The answer to FOLLOWERINFO and OBSERVERINFO.
        LeaderInfo = 17 "LEADERINFO"
            zxid {
                /// The new epoch.
                epoch: Epoch
            }
            data {
                /// [`PROTOCOL_VERSION`](super::PROTOCOL_VERSION).
                protocol_version: i32,
            };
        /// Keep what you have; what is missing follows.
        Diff = 13 "DIFF"
            zxid {
                /// The last of what follows, or the learner's own last if nothing does.
                zxid: Zxid
            };
        /// Drop your last transactions; what is missing follows.
        Trunc = 14 "TRUNC"
            zxid {
                /// The last to keep.
                zxid: Zxid
            };
        /// Drop everything. Behind this packet stands a snapshot, which is no packet.
        Snap = 15 "SNAP"
            zxid {
                /// The snapshot's.
                zxid: Zxid
            };
        /// The end of synchronization.
        NewLeader = 10 "NEWLEADER"
            zxid {
                /// The mark that opens the epoch.
                zxid: Zxid
            }
            data {
                /// The newest configuration the leader has seen, as text; empty from leaders before 3.5.
                config: Cow<'a, str>,
            };
        /// Append this to the log.
        Proposal = 2 "PROPOSAL"
            zxid {
                /// Its place in the history.
                zxid: Zxid
            }
            data {
                /// An [`Entry`](crate::Entry).
                txn: &'a [u8],
            };
        /// A quorum has the proposal.
        Commit = 4 "COMMIT"
            zxid {
                /// Which.
                zxid: Zxid
            };
        /// As COMMIT, of a reconfiguration.
        CommitAndActivate = 9 "COMMITANDACTIVATE"
            zxid {
                /// Which.
                zxid: Zxid
            }
            data {
                /// Who leads from now on.
                leader: Sid,
            };
        /// To an observer: proposal and commit in one.
        Inform = 8 "INFORM"
            zxid {
                /// Its place in the history.
                zxid: Zxid
            }
            data {
                /// An [`Entry`](crate::Entry).
                txn: &'a [u8],
            };
        /// As INFORM, of a reconfiguration.
        InformAndActivate = 19 "INFORMANDACTIVATE"
            zxid {
                /// Its place in the history.
                zxid: Zxid
            }
            data {
                /// Who leads from now on.
                leader: Sid,
                /// An [`Entry`](crate::Entry).
                txn: &'a [u8],
            };
        /// Are you alive?
        Ping = 5 "PING"
            zxid {
                /// The last proposal.
                zxid: Zxid
            };
        /// The answer to the learner's REVALIDATE.
        Revalidate = 6 "REVALIDATE"
            zxid { = -1 }
            data {
                /// Which.
                session: SessionId,
                /// Whether it lives, and now belongs to the learner.
                valid: bool,
            };
    }
}
