//! The questions a server must be able to answer about itself.

use alloc::vec::Vec;
use core::ops::ControlFlow;

use member::metrics::Registry;
use proto::SessionId;

use crate::status::{
    Bucket, ConfigView, Connection, ConnectionExpiry, DirectorySizes, Environment, Gauges, SessionDump,
    Status, WatchSummary, ZxidDigest,
};

/// Whether a server takes requests at the moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Serving {
    /// Not now: it starts, elects, or is being brought level.
    No,
    /// Reads only: there is no quorum.
    ReadOnly,
    /// Reads and writes.
    ReadWrite,
}

/// An entry of a grouped list: first what heads a group, then its members, then the next head.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Item<'a> {
    /// A session.
    Session(SessionId),
    /// A path.
    Path(&'a str),
}

/// A server as its operator can question it.
///
/// A word calls only what it prints, so an implementation may do real work in each of these, but nothing before.
/// The lists that grow with the clients are handed over entry by entry; `ControlFlow::Break` means that the answer is
/// full and the rest will not be looked at.
///
/// All but [`Self::serving`], [`Self::environment`] and the trace mask are asked only while the server is serving.
pub trait Source {
    /// Whether it takes requests. Asked before every word.
    fn serving(&self) -> Serving;

    /// For `srvr`, `stat` and `mntr`.
    fn status(&mut self) -> Status;

    /// For `mntr`: what is too dear for `srvr`.
    fn gauges(&mut self) -> Gauges;

    /// For `mntr`: all counters and summaries.
    fn registry(&self) -> &Registry;

    /// For `conf`.
    fn configuration(&mut self) -> ConfigView;

    /// For `dirs`.
    fn directory_sizes(&mut self) -> DirectorySizes;

    /// For `envi`.
    fn environment(&mut self) -> Environment;

    /// For `stat` and `cons`: every connection, the asking one included.
    fn connections(&mut self, each: &mut dyn FnMut(&Connection) -> ControlFlow<()>);

    /// For `dump`.
    fn sessions(&mut self) -> SessionDump;

    /// For `dump`: how many sessions own an ephemeral.
    fn sessions_with_ephemerals(&mut self) -> usize;

    /// For `dump`: each session that owns an ephemeral, followed by the paths it owns.
    fn ephemerals(&mut self, each: &mut dyn FnMut(Item<'_>) -> ControlFlow<()>);

    /// For `dump`: when silent connections are closed, soonest first. `None` if the server has no such list, as
    /// Apache with Netty.
    fn connection_expiry(&mut self) -> Option<Vec<Bucket<ConnectionExpiry>>>;

    /// For `wchs`.
    fn watch_summary(&mut self) -> WatchSummary;

    /// For `wchc`: each session with a data watch, followed by the paths it watches.
    fn watches_by_session(&mut self, each: &mut dyn FnMut(Item<'_>) -> ControlFlow<()>);

    /// For `wchp`: each path with a data watch, followed by the sessions that watch it.
    fn watches_by_path(&mut self, each: &mut dyn FnMut(Item<'_>) -> ControlFlow<()>);

    /// For `hash`: oldest first.
    fn digests(&mut self) -> Vec<ZxidDigest>;

    /// For `gtmk`. Java's default is 306.
    fn trace_mask(&self) -> i64;

    /// For `stmk`.
    fn set_trace_mask(&mut self, mask: i64);

    /// For `crst`: the statistics of every connection start again.
    fn reset_connection_stats(&mut self);

    /// For `srst`: `ServerStats::reset`, `Registry::reset`, and on a leader the proposal sizes.
    fn reset_server_stats(&mut self);
}
