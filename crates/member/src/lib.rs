//! One ensemble member: the core that decides and the front that serves.
//!
//! [`Member`] is what a driver holds. It is told what happened (a connection, a frame, a batch on disk, time) and
//! then asked what to do (a batch to write, bytes to send, a connection to close). It knows no socket, file, clock
//! or thread, so that the simulator runs the very code that ships.
#![no_std]
extern crate alloc;

mod core;
pub mod ensemble;
mod front;
pub mod history;
pub mod metrics;
mod now;
mod throttle;

use ::core::net::SocketAddr;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use proto::{SessionId, Zxid};

pub use core::{CleanerOptions, ClockKey, Core, CoreOptions, Payloads, SessionClock, first_session};
use ensemble::Ensemble;
pub use front::{ConnId, ConnStats, ConnView, Front, FrontOptions, Refused, WatchSummary};
pub use now::Now;
pub use throttle::{ThrottleOptions, Weights};
pub use zab::Quorum;

/// A member: one core and, in this build, one front.
#[derive(Debug)]
pub struct Member {
    core: Core,
    front: Front,
    ensemble: Option<Box<Ensemble>>,
}

impl Member {
    /// Joins the two halves.
    #[must_use]
    pub fn new(core: Core, front: Front) -> Self {
        Self { core, front, ensemble: None }
    }

    /// The half that decides.
    #[must_use]
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// The half that decides, for snapshots and metrics.
    pub fn core_mut(&mut self) -> &mut Core {
        &mut self.core
    }

    /// The half that serves.
    #[must_use]
    pub fn front(&self) -> &Front {
        &self.front
    }

    /// The half that serves, for its counters.
    pub fn front_mut(&mut self) -> &mut Front {
        &mut self.front
    }

    /// A client connected.
    ///
    /// # Errors
    /// [`Refused`]: close the socket without a byte.
    pub fn accept(&mut self, peer: SocketAddr, now: Now) -> Result<ConnId, Refused> {
        self.front.accept(peer, now)
    }

    /// A connection's socket is gone.
    pub fn lost(&mut self, id: ConnId) {
        self.front.lost(id);
    }

    /// Whether the next frame of the connection may be handed in now. When that changes, the connection comes up in
    /// [`Self::next_dirty`].
    pub fn wants_input(&mut self, id: ConnId) -> bool {
        self.front.wants_input(id)
    }

    /// A frame came, without its length.
    pub fn receive(&mut self, id: ConnId, frame: &[u8], now: Now) {
        self.front.receive(&mut self.core, id, frame, now);
    }

    /// The next connection that has something to send, to close, or to be read from again.
    pub fn next_dirty(&mut self) -> Option<ConnId> {
        self.front.next_dirty()
    }

    /// What is to be sent to a connection; remove what was sent. `None`: there is no such connection.
    pub fn output(&mut self, id: ConnId) -> Option<&mut Vec<u8>> {
        self.front.output(id)
    }

    /// All of [`Self::output`] is sent.
    pub fn on_sent(&mut self, id: ConnId) {
        self.front.on_sent(id);
    }

    /// A connection asks a four-letter word, which ends it.
    pub fn on_word(&mut self, id: ConnId) {
        self.front.on_word(id);
    }

    /// The answer to its four-letter word.
    pub fn answer_word(&mut self, id: ConnId, text: &[u8]) {
        self.front.answer_word(id, text);
    }

    /// Whether to close the connection's socket once its output is sent.
    #[must_use]
    pub fn is_closing(&self, id: ConnId) -> bool {
        self.front.is_closing(id)
    }

    /// How many proposals the batch being formed holds.
    #[must_use]
    pub fn formed(&self) -> usize {
        self.core.formed()
    }

    /// The batch of proposals formed so far, if any; it must be written to the log in this order.
    pub fn take_batch(&mut self) -> Option<Arc<Payloads>> {
        self.send_out();
        let batch = self.core.take_batch()?;
        self.on_batch_taken(&batch);
        Some(batch)
    }

    /// The log holds everything up to `zxid`. What is committed by that is applied, told and answered.
    pub fn on_persisted(&mut self, zxid: Zxid, now: Now) {
        if self.ensemble.is_some() {
            return self.on_ensemble_persisted(zxid, now);
        }
        self.core.on_persisted(zxid);
        self.deliver(now);
    }

    /// Time has passed: sessions end, containers go, connections without a session close.
    pub fn tick(&mut self, now: Now) {
        // Whether this member still leads comes before what a leader does (R16).
        self.tick_ensemble(now);
        self.core.tick(now);
        self.front.tick(&mut self.core.metrics, now);
    }

    /// When [`Self::tick`] has something to do, in monotonic milliseconds.
    #[must_use]
    pub fn deadline_ms(&self) -> u64 {
        self.core.deadline_ms().min(self.front.deadline_ms()).min(self.ensemble_deadline_ms())
    }

    /// Ends a session on the server's own account, as after a start that found ephemerals without their session.
    pub fn end_session(&mut self, session: SessionId, now: Now) {
        self.core.end_session(session, now);
    }
}
