//! One connection of the engine: requests on their way out, the answers expected, and the cutting of replies.

use std::collections::VecDeque;

use anyhow::{Result, bail, ensure};
use mio::net::TcpStream;

use crate::engine::write_some;
use crate::load::{Cursor, Mix};
use crate::wire::{self, NOTIFICATION_XID, PING_XID, REPLY_HEAD};

/// See the module.
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    cursor: Cursor,
    xid: i32,
    out: Vec<u8>,
    /// How much of `out` the socket has taken.
    sent: usize,
    /// Intended send times of the requests in flight, oldest first; their xids are consecutive.
    inflight: VecDeque<u64>,
    oldest_xid: i32,
    head: [u8; REPLY_HEAD],
    head_len: usize,
    /// Bytes of the current reply that are still to be skipped.
    body_left: usize,
}

/// One finished reply to one of our requests.
pub(crate) struct Answer {
    pub(crate) err: i32,
    pub(crate) intended_ns: u64,
}

/// The unread part of what one read brought.
pub(crate) struct Reading<'a>(&'a [u8]);

impl<'a> Reading<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn take(&mut self, most: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(most.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

impl Connection {
    pub(crate) fn new(stream: TcpStream, mix: &Mix, number: u64, created_before: u64) -> Self {
        Self {
            stream,
            cursor: Cursor::new(mix, number, created_before),
            xid: 0,
            out: Vec::new(),
            sent: 0,
            inflight: VecDeque::new(),
            oldest_xid: 1,
            head: [0; REPLY_HEAD],
            head_len: 0,
            body_left: 0,
        }
    }

    /// Queues the next request of the mix.
    pub(crate) fn put(&mut self, mix: &Mix, each: u64, intended_ns: u64) {
        self.xid = next_xid(self.xid);
        mix.put(&mut self.cursor, each, self.xid, &mut self.out);
        self.inflight.push_back(intended_ns);
    }

    /// Queues deletes for what is left over; returns how many.
    pub(crate) fn put_leftovers(&mut self, mix: &Mix) -> u32 {
        let count = mix.put_leftovers(&mut self.cursor, next_xid(self.xid), &mut self.out);
        for _ in 0..count {
            self.xid = next_xid(self.xid);
            self.inflight.push_back(0);
        }
        count
    }

    /// Writes what the socket takes now.
    pub(crate) fn flush(&mut self) -> Result<()> {
        write_some(&mut self.stream, &mut self.out, &mut self.sent)
    }

    /// The next finished reply in `reading`, `None` when it is used up; watch events and pings are passed over.
    pub(crate) fn next_answer(&mut self, reading: &mut Reading<'_>) -> Result<Option<Answer>> {
        loop {
            if self.head_len < REPLY_HEAD {
                let part = reading.take(REPLY_HEAD - self.head_len);
                self.head[self.head_len..self.head_len + part.len()].copy_from_slice(part);
                self.head_len += part.len();
                if self.head_len < REPLY_HEAD {
                    return Ok(None);
                }
                let payload = usize::try_from(wire::int_at(&self.head, 0))?;
                ensure!(payload >= REPLY_HEAD - 4, "a reply of {payload} bytes");
                self.body_left = payload - (REPLY_HEAD - 4);
            }
            self.body_left -= reading.take(self.body_left).len();
            if self.body_left > 0 {
                return Ok(None);
            }
            self.head_len = 0;
            let xid = wire::int_at(&self.head, 4);
            if xid == NOTIFICATION_XID || xid == PING_XID {
                continue;
            }
            if xid != self.oldest_xid {
                bail!("a reply to xid {xid} where {} is next", self.oldest_xid);
            }
            self.oldest_xid = next_xid(xid);
            let Some(intended_ns) = self.inflight.pop_front() else { bail!("a reply to nothing, xid {xid}") };
            return Ok(Some(Answer { err: wire::int_at(&self.head, 16), intended_ns }));
        }
    }
}

/// Xids count from 1 and start over before they would turn negative, which marks events and pings.
fn next_xid(xid: i32) -> i32 {
    if xid == i32::MAX { 1 } else { xid + 1 }
}
