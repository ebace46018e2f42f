//! What a session shows to its driver: how it stands, and what is to be done.

use crate::{Event, Failure, Reply};

/// How the session stands. Source: `ZooKeeper.States`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// On the way to a server.
    Connecting,
    /// Served.
    Connected,
    /// Served by a server without a quorum.
    ConnectedReadOnly,
    /// Over, by this client's wish or the servers'.
    Closed,
    /// Over, since an authentication was refused.
    AuthFailed,
}

impl State {
    /// Whether the session may still be served.
    #[must_use]
    pub fn is_alive(self) -> bool {
        !matches!(self, Self::Closed | Self::AuthFailed)
    }

    /// The name in Java's prompt.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Connecting => "CONNECTING",
            Self::Connected => "CONNECTED",
            Self::ConnectedReadOnly => "CONNECTEDREADONLY",
            Self::Closed => "CLOSED",
            Self::AuthFailed => "AUTH_FAILED",
        }
    }
}

/// What the driver has to do or to tell.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Effect {
    /// Open a connection to the server at this place of the list; ends in `on_dialed` or `on_link_lost`.
    Dial(usize),
    /// Drop the connection, or the dialling; nothing more is to be heard of it.
    HangUp,
    /// Ask this server `isro` aside, and tell `on_probe` if it is `rw`.
    Probe(usize),
    /// Tell the user.
    Tell(Event),
    /// The end of the request that was submitted with this ticket. They come in the order of submission.
    Answer(u64, Result<Reply, Failure>),
}
