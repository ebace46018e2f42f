//! A client's connection, one line of `cons` and `stat`.

use core::fmt;
use core::net::SocketAddr;

use proto::{SessionId, Zxid};

use crate::java::Address;

/// What a connection has done so far. Source: `ServerCnxn#dumpConnectionInfo`.
#[derive(Clone, Copy, Debug)]
pub struct Connection {
    /// The client's end.
    pub address: SocketAddr,
    /// What the server waits for: 1 to read, 4 to write, 5 both, 0 nothing, as while it is being closed.
    pub interest_ops: u8,
    /// Came in by the TLS port. No word shows it; the AdminServer lists these apart.
    pub secure: bool,
    /// Requests not yet answered.
    pub queued: u64,
    /// Requests received.
    pub received: u64,
    /// Replies and watch events sent.
    pub sent: u64,
    /// [`SessionId::NONE`] before the session request, and for connections that only ask a word. Then the fields
    /// below are not shown.
    pub session: SessionId,
    /// Apache's short name of the last request, `GETD`; `NA` before the first.
    pub last_operation: &'static str,
    /// When the connection was made, milliseconds since 1970.
    pub established_ms: i64,
    /// The negotiated timeout, milliseconds.
    pub timeout_ms: u32,
    /// The client's number of its last request; -1 before the first.
    pub last_cxid: i64,
    /// The zxid in the last reply; [`Zxid::NONE`] before the first.
    pub last_zxid: Zxid,
    /// When the last reply was made, milliseconds on the server's monotonic clock.
    pub last_response_ms: i64,
    /// Milliseconds from request to reply, of the last one.
    pub latency_last_ms: i64,
    /// The shortest, 0 before the first.
    pub latency_min_ms: i64,
    /// The mean, rounded down.
    pub latency_avg_ms: i64,
    /// The longest.
    pub latency_max_ms: i64,
}

impl Connection {
    /// The line of `stat`, without newline.
    #[must_use]
    pub fn brief(&self) -> impl fmt::Display {
        let Self { address, interest_ops, queued, received, sent, .. } = *self;
        fmt::from_fn(move |f| {
            let address = Address(address);
            write!(f, " {address}[{interest_ops:x}](queued={queued},recved={received},sent={sent})")
        })
    }

    /// The line of `cons`, without newline.
    #[must_use]
    pub fn long(&self) -> impl fmt::Display {
        let connection = *self;
        fmt::from_fn(move |f| connection.write_long(f))
    }

    fn write_long(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = Address(self.address);
        write!(f, " {address}[{:x}](queued={}", self.interest_ops, self.queued)?;
        write!(f, ",recved={},sent={}", self.received, self.sent)?;
        if self.session != SessionId::NONE {
            write!(f, ",sid={},lop={}", self.session, self.last_operation)?;
            write!(f, ",est={},to={}", self.established_ms, self.timeout_ms)?;
            if self.last_cxid >= 0 {
                write!(f, ",lcxid={:#x}", self.last_cxid)?;
            }
            write!(f, ",lzxid={},lresp={}", self.last_zxid, self.last_response_ms)?;
            write!(f, ",llat={},minlat={}", self.latency_last_ms, self.latency_min_ms)?;
            write!(f, ",avglat={},maxlat={}", self.latency_avg_ms, self.latency_max_ms)?;
        }
        f.write_str(")")
    }
}
