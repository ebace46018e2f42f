//! What a session is told at birth.

use core::time::Duration;

use crate::Chroot;

/// What a session is told at birth.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How many servers there are to dial; they are told apart by their place.
    pub servers: usize,
    /// Taken off the paths of events. Requests come with the paths the server knows.
    pub chroot: Chroot,
    /// The session timeout to ask for.
    pub timeout: Duration,
    /// Content with a server that has no quorum.
    pub read_only: bool,
    /// Whether watches are set again after a reconnect; without, they are dropped when the connection is.
    pub keeps_watches: bool,
    /// Spreads clients over servers and moments.
    pub seed: u64,
}

impl Settings {
    /// The timeout of Java's shell.
    pub const TIMEOUT: Duration = Duration::from_secs(30);

    /// What is usual, for this many servers.
    #[must_use]
    pub fn new(servers: usize) -> Self {
        Self {
            servers,
            chroot: Chroot::default(),
            timeout: Self::TIMEOUT,
            read_only: false,
            keeps_watches: true,
            seed: 0,
        }
    }
}
