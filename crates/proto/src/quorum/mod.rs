//! What members say to each other: packets on the quorum port, greetings and notifications on the election port,
//! and the authentication that may stand before either.
//!
//! Neither port has a length before its records (notifications excepted), so a stream is read like this: ask
//! [`packet_length`] (or the decoder, which then answers [`DecodeError::Truncated`](crate::DecodeError)) whether a
//! whole record is there, take it, and go on. The only bytes that are no packet are the snapshot behind
//! [`LeaderPacket::Snap`].
//!
//! Source: `server.quorum`; quorum-protocol.md §2.1-2.3, §3.2, §9.2.

mod auth;
mod greeting;
mod length;
mod notification;
mod packet;
mod part;
mod session;

pub use auth::{AUTH_MAGIC, AuthStatus, QuorumAuthPacket};
pub use greeting::{AddressForm, GREETING_ADDRESSES_BYTES_MAX, Greeting, GreetingError, HostPort};
pub use length::{LengthError, auth_packet_length, packet_length};
pub use notification::{NOTIFICATION_BYTES_MAX, Notification, NotificationTail, PeerState, Vote};
pub use packet::{LeaderPacket, LearnerPacket, PacketError};
pub use session::{LearnerInfo, PROTOCOL_VERSION, SessionTouch};
