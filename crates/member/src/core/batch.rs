//! Proposals on their way to the disk, many in one go.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

use proto::Zxid;

use zab::LinkId;

use crate::front::ConnId;

/// Who waits for a transaction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Origin {
    /// A client's request.
    Client(ConnId),
    /// A client's wish for a new session.
    Connect(ConnId),
    /// A request that a learner handed on for a client of its own.
    Link(LinkId),
    /// Nobody here: an expired session, an empty container, another member's proposal.
    Server,
}

/// The payloads of consecutive log entries. What is handed to the disk and, later, applied: the same bytes.
#[derive(Debug, Default)]
pub struct Payloads {
    bytes: Vec<u8>,
    entries: Vec<(Zxid, Range<usize>)>,
}

impl Payloads {
    /// Each entry's zxid and payload, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Zxid, &[u8])> {
        self.entries.iter().map(|(zxid, range)| (*zxid, &self.bytes[range.clone()]))
    }

    /// The entries behind `after`, in order.
    pub(super) fn behind(&self, after: Zxid) -> impl Iterator<Item = (Zxid, &[u8])> {
        let start = self.entries.partition_point(|(zxid, _)| *zxid <= after);
        self.entries[start..].iter().map(|(zxid, range)| (*zxid, &self.bytes[range.clone()]))
    }

    /// The entry at `at`.
    ///
    /// # Panics
    /// If there are not so many.
    #[must_use]
    pub fn entry(&self, at: usize) -> (Zxid, &[u8]) {
        let (zxid, range) = &self.entries[at];
        (*zxid, &self.bytes[range.clone()])
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The zxid of the last entry.
    #[must_use]
    pub fn last(&self) -> Option<Zxid> {
        self.entries.last().map(|(zxid, _)| *zxid)
    }

    /// Bytes of all payloads.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Where the next payload is to be appended.
    pub(super) fn open(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// What was appended behind `start` is the payload of `zxid`.
    pub(super) fn seal(&mut self, zxid: Zxid, start: usize) {
        self.entries.push((zxid, start..self.bytes.len()));
    }

    /// Appends a payload that was made elsewhere.
    pub(super) fn push(&mut self, zxid: Zxid, payload: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(payload);
        self.seal(zxid, start);
    }

    /// What is left without the first `n` entries.
    pub(super) fn without_first(&self, n: usize) -> Self {
        let mut left = Self::default();
        for (zxid, payload) in self.iter().skip(n) {
            left.push(zxid, payload);
        }
        left
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
    }
}

/// A batch that is being written to disk or waits for its commit.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) payloads: Arc<Payloads>,
    pub(super) origins: Vec<Origin>,
    /// How many of its entries were delivered.
    pub(super) delivered: usize,
}

/// Buffers of delivered batches, used again so that a steady load makes none.
#[derive(Debug, Default)]
pub(super) struct Spare {
    payloads: Option<Payloads>,
    origins: Option<Vec<Origin>>,
}

/// A buffer that once held a burst is not kept.
const SPARE_BYTES_MAX: usize = 1 << 20;

impl Spare {
    pub(super) fn payloads(&mut self) -> Payloads {
        self.payloads.take().unwrap_or_default()
    }

    pub(super) fn origins(&mut self) -> Vec<Origin> {
        self.origins.take().unwrap_or_default()
    }

    pub(super) fn give_back(&mut self, flight: Flight) {
        if let Ok(mut payloads) = Arc::try_unwrap(flight.payloads)
            && payloads.bytes.capacity() <= SPARE_BYTES_MAX
        {
            payloads.clear();
            self.payloads = Some(payloads);
        }
        let mut origins = flight.origins;
        if origins.capacity() * size_of::<Origin>() <= SPARE_BYTES_MAX {
            origins.clear();
            self.origins = Some(origins);
        }
    }
}
