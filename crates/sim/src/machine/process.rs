//! A running member and its connections: the turns of a driver without sockets and threads.

use std::collections::{BTreeMap, VecDeque};

use member::ensemble::{DiskJob, Done, Halt, Incoming, LinkId, Order, Port, Role};
use member::{ConnId, Member, Now};
use mutants::mutant;
use proto::{Epoch, Zxid};
use store::log::LogWriter;
use store::mem::MemDisk;
use store::snapshot::{SnapshotOptions, SnapshotWriter};
use store::{Dirs, DirsLock};

use super::Skew;
use super::files::{Job, Outcome, Writing, picture, read_log};
use crate::heard::Heard;
use crate::net::{Class, Key, Side};
use crate::outside::{Event, Outside, What};
use crate::setup::{Setup, sid};
use crate::wire::{Accent, Tap};

/// A notification with its length that says nothing: of a release that is not known.
const GARBLED: [u8; 7] = [0, 0, 0, 3, 1, 2, 3];

/// COMMIT, PING and all else that carries no data.
const SHORT_PACKET_BYTES: usize = 20;

/// How long they may wait.
pub(super) const LULL_US: u64 = 50_000;

/// Where the bytes of a connection go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Handle {
    Link(LinkId),
    Client(ConnId),
}

/// A running member.
pub struct Process {
    pub(super) at: usize,
    /// The member itself.
    pub member: Member,
    pub(super) log: LogWriter<MemDisk>,
    pub(super) _lock: DirsLock<MemDisk>,
    pub(super) jobs: VecDeque<Job>,
    pub(super) busy: bool,
    /// Since when the first of the jobs is at work, and the epoch that the member leads since before.
    pub(super) busy_since: (u64, Option<Epoch>),
    /// A batch is among the jobs.
    pub(super) batches: usize,
    pub(super) keys: BTreeMap<Key, Handle>,
    pub(super) links: BTreeMap<LinkId, (Key, Side)>,
    pub(super) conns: BTreeMap<u32, (ConnId, Key)>,
    /// Frames of clients that are not whole.
    pub(super) frames: BTreeMap<Key, Vec<u8>>,
    /// What is sent on the quorum port.
    pub(super) taps: BTreeMap<Key, Tap>,
    /// Connections on which it speaks as Java's members do.
    pub(super) accents: BTreeMap<Key, Accent>,
    pub(super) dialing: BTreeMap<LinkId, u64>,
    pub(super) listens: bool,
    pub(super) wake_at_us: u64,
    pub(super) writing: Option<Writing>,
    /// A leader's snapshot that is written as it comes.
    pub(super) incoming: Option<SnapshotWriter<MemDisk>>,
    /// What others said on the election port.
    pub(super) heard: Heard,
    pub(super) logged_since_snapshot: u64,
    pub(super) is_live: bool,
    pub(super) shows: Zxid,
}

impl core::fmt::Debug for Process {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Process").field("role", &self.member.role()).finish()
    }
}

pub(super) fn side_of(process: &Process, key: Key, handle: Handle) -> Side {
    match handle {
        Handle::Link(link) => {
            process.links.get(&link).filter(|(of, _)| *of == key).map_or(Side::Called, |(_, side)| *side)
        }
        Handle::Client(_) => Side::Called,
    }
}

impl Process {
    /// The epoch in which the member is an established leader.
    pub(super) fn reign(&self) -> Option<Epoch> {
        let (_, current) = self.member.epochs()?;
        (self.member.role() == Role::Leading && self.member.is_live()).then_some(current)
    }

    /// Lets go of the log before others change its files.
    pub(super) fn put_down(&mut self, disk: &MemDisk, dirs: &Dirs, setup: &Setup) {
        if let Some(Writing { walk, writer, .. }) = self.writing.take() {
            self.member.core_mut().tree_mut().snapshot_end(walk);
            writer.abandon();
        }
        self.log = LogWriter::new(disk.clone(), &dirs.log, setup.log(), self.log.last());
    }

    pub(super) fn on_done(&mut self, job: Job, outcome: Outcome, now: Now) {
        let done = match (job, outcome) {
            (Job::Write(batch, _), _) => {
                self.batches -= 1;
                if mutant!(PersistedEarly) {
                    return;
                }
                self.logged_since_snapshot += batch.len() as u64;
                let last = batch.last().expect("a batch has entries");
                drop(batch);
                return self.member.on_persisted(last, now);
            }
            (Job::StoreEpoch(file, epoch), _) => Done::EpochStored(file, epoch),
            (Job::Truncate { to, .. }, Outcome::NotTruncated) => Done::NotTruncated { to },
            (Job::Truncate { to, .. }, Outcome::Reloaded(tree)) => Done::Truncated { to, tree: Some(tree) },
            (Job::Truncate { to, .. }, _) => Done::Truncated { to, tree: None },
            (Job::Install { .. }, _) => Done::Installed,
        };
        self.member.on_disk(done, now);
    }

    /// Hands the batch formed so far to the log.
    pub(super) fn submit(&mut self, now: Now, out: &mut Outside) -> bool {
        if self.batches > 0 {
            return false;
        }
        self.submit_now(now, out)
    }

    pub(super) fn submit_now(&mut self, now: Now, out: &mut Outside) -> bool {
        let Some(batch) = self.member.take_batch() else { return false };
        let hashes =
            batch.iter().map(|(zxid, payload)| out.evidence.logged(self.at, zxid, payload)).collect();
        self.batches += 1;
        let last = batch.last().expect("a batch has entries");
        self.jobs.push_back(Job::Write(batch, hashes));
        if mutant!(PersistedEarly) {
            self.member.on_persisted(last, now);
        }
        true
    }

    /// `Err`: the process has to end.
    pub(super) fn carry_out(
        &mut self,
        order: Order,
        incarnation: u64,
        disk: &MemDisk,
        dirs: &Dirs,
        now: Now,
        out: &mut Outside,
    ) -> Result<(), Halt> {
        let at = self.at;
        match order {
            Order::Dial { link, port, addresses, timeout_ms } => {
                self.dialing.insert(link, out.now_us);
                let class = match port {
                    Port::Election => Class::Election,
                    Port::Quorum => Class::Quorum,
                };
                let to = addresses.first().and_then(|address| Setup::host_of(&address.host));
                let what = What { machine: at, incarnation, link };
                out.dial(at, to.unwrap_or(at), class, timeout_ms, what);
            }
            Order::Close { link } => {
                self.dialing.remove(&link);
                if let Some((key, side)) = self.links.remove(&link) {
                    self.forget(key);
                    out.close(key, side);
                }
            }
            Order::Listen(is_open) => self.listens = is_open,
            Order::Receive(incoming) => self.receive(incoming, disk, dirs, now),
            Order::Halt(halt) => return Err(halt),
            Order::Disk(job) => {
                while self.submit_now(now, out) {}
                match job {
                    DiskJob::StoreEpoch(file, epoch) if mutant!(EpochFirst) && !self.busy => {
                        self.jobs.push_front(Job::StoreEpoch(file, epoch));
                    }
                    DiskJob::StoreEpoch(file, epoch) => self.jobs.push_back(Job::StoreEpoch(file, epoch)),
                    DiskJob::Truncate { to, reload, committed } => {
                        self.jobs.push_back(Job::Truncate { to, reload, committed });
                    }
                    DiskJob::Install { is_received } => {
                        let is_received = is_received && self.incoming.is_some();
                        if !is_received {
                            self.give_up_incoming();
                        }
                        // A picture of the tree that was there before ended with it.
                        if let Some(Writing { writer, .. }) = self.writing.take() {
                            writer.abandon();
                        }
                        let picture = Box::new(picture(self.member.core_mut().tree_mut()));
                        self.jobs.push_back(Job::Install { picture, is_received });
                    }
                    DiskJob::ReadLog { link, after, upto } => {
                        out.evidence.hit("log read for a learner");
                        let piece = read_log(disk, dirs, after, upto);
                        out.after(500, Event::LogRead { machine: at, incarnation, link, piece });
                    }
                }
            }
        }
        Ok(())
    }

    /// As the driver does: beside a snapshot of the own tree, or after an error, nothing is written as it comes.
    fn receive(&mut self, incoming: Incoming, disk: &MemDisk, dirs: &Dirs, now: Now) {
        match incoming {
            Incoming::Begin { zxid } => {
                self.incoming = None;
                if self.writing.is_none() {
                    let options = SnapshotOptions::default();
                    self.incoming = SnapshotWriter::receive(disk.clone(), &dirs.snap, zxid, options).ok();
                }
            }
            Incoming::Bytes(piece) => {
                if self.incoming.as_mut().is_some_and(|writer| writer.push(&piece).is_err()) {
                    self.give_up_incoming();
                }
                self.member.snapshot_bytes_written(piece, now);
            }
            Incoming::GivenUp => self.give_up_incoming(),
        }
    }

    pub(super) fn give_up_incoming(&mut self) {
        if let Some(writer) = self.incoming.take() {
            writer.abandon();
        }
    }

    fn forget(&mut self, key: Key) {
        self.keys.remove(&key);
        self.frames.remove(&key);
        self.taps.remove(&key);
        self.accents.remove(&key);
        self.heard.forget(key);
    }

    /// Hands over what is to be sent, as far as it fits.
    pub(super) fn flush_link(&mut self, link: LinkId, skew: &Skew, out: &mut Outside) {
        while let Some(&(key, side)) = self.links.get(&link)
            && let Some(bytes) = self.member.link_output(link)
            && !bytes.is_empty()
        {
            let room = out.net.room(key, side).min(bytes.len());
            if room == 0 {
                return;
            }
            let sent: Vec<u8> = bytes.drain(..room).collect();
            let all = bytes.is_empty();
            let tap = self.taps.get_mut(&key);
            let held = tap.and_then(|tap| out.overhear(self.at, key, side, tap, &sent));
            let mut sent = self.with_accent(key, side, sent, all, out);
            if let Some(at) = held {
                let rest = sent.split_off(at.min(sent.len()));
                if !sent.is_empty() {
                    out.send(key, side, sent);
                }
                out.hold(key, side);
                sent = rest;
            }
            if !sent.is_empty() {
                out.send(key, side, sent);
            }
            let now = skew.now(out.now_us);
            if !all {
                self.member.link_sends(link, now);
                // Whoever asks for room and finds none is told when there is some.
                if out.net.room(key, side) == 0 {
                    return;
                }
                continue;
            }
            self.member.link_sent(link, now);
        }
    }

    /// What a member of Java's would have sent, in runs where this one has their ways.
    fn with_accent(&mut self, key: Key, side: Side, sent: Vec<u8>, all: bool, out: &mut Outside) -> Vec<u8> {
        let Some(accent) = self.accents.get_mut(&key) else { return sent };
        match (out.net.class(key), side) {
            (Some(Class::Quorum), Side::Called) => accent.leader(&sent),
            // A vote that is not whole cannot be repeated.
            (Some(Class::Election), _) if all && out.net.options.window_bytes > 4096 => {
                let again = out.chance(300);
                if again {
                    out.evidence.hit("stale vote");
                }
                let mut sent = accent.voter(sent, again);
                if accent.has_greeted() && out.chance(10) {
                    out.evidence.hit("vote that cannot be read");
                    sent.extend_from_slice(&GARBLED);
                }
                sent
            }
            _ => sent,
        }
    }

    pub(super) fn flush_client(&mut self, id: ConnId, out: &mut Outside) {
        let Some(&(known, key)) = self.conns.get(&id.slot) else { return };
        if known != id {
            return;
        }
        if let Some(bytes) = self.member.output(id)
            && !bytes.is_empty()
        {
            let room = out.net.room(key, Side::Called).min(bytes.len());
            let sent: Vec<u8> = bytes.drain(..room).collect();
            let all = bytes.is_empty();
            if !sent.is_empty() {
                out.send(key, Side::Called, sent);
            }
            if !all {
                out.net.room(key, Side::Called);
                self.leave_if_left(id, key, out);
                return;
            }
            self.member.on_sent(id);
        }
        if self.member.is_closing(id) {
            self.drop_client(id, key);
            out.close(key, Side::Called);
        }
    }

    /// The last bytes of a closing connection go to nobody when the client has closed it, too: sending them fails.
    fn leave_if_left(&mut self, id: ConnId, key: Key, out: &mut Outside) {
        let is_known = self.conns.get(&id.slot) == Some(&(id, key));
        if is_known && self.member.is_closing(id) && out.net.peek(key, Side::Called).1 {
            self.drop_client(id, key);
            out.close(key, Side::Called);
        }
    }

    fn drop_client(&mut self, id: ConnId, key: Key) {
        self.member.lost(id);
        self.conns.remove(&id.slot);
        self.forget(key);
    }

    pub(super) fn read_link(&mut self, link: LinkId, key: Key, side: Side, now: Now, out: &mut Outside) {
        while self.keys.contains_key(&key) && self.member.link_wants_input(link) {
            let piece = out.read(key, side);
            if piece.is_empty() {
                if out.net.peek(key, side) == (0, true) {
                    self.links.remove(&link);
                    self.forget(key);
                    out.close(key, side);
                    self.member.link_lost(link, now);
                }
                return;
            }
            if out.net.class(key) == Some(Class::Election)
                && let Some((caller, called)) = out.net.hosts(key)
            {
                let (from, greets) = if side == Side::Called { (caller, true) } else { (called, false) };
                self.heard.hear(key, sid(from), greets, &piece);
            }
            self.member.link_receive(link, &piece, now);
        }
    }

    /// The link on which short packets may wait.
    pub(super) fn lulled(&self) -> Option<(LinkId, Key, Side)> {
        let link = self.member.link_that_may_wait()?;
        self.links.get(&link).map(|&(key, side)| (link, key, side))
    }

    /// Whether what came on a connection waits.
    pub(super) fn leaves_waiting(&self, key: Key, out: &Outside) -> bool {
        self.lulled().is_some_and(|(_, lulled, side)| {
            let (bytes, is_end) = out.net.peek(key, side);
            lulled == key && bytes <= SHORT_PACKET_BYTES && !is_end
        })
    }

    /// Reads what waits.
    pub(super) fn rouse(&mut self, now: Now, out: &mut Outside) {
        if let Some((link, key, side)) = self.lulled() {
            self.read_link(link, key, side, now, out);
        }
    }

    pub(super) fn read_client(&mut self, id: ConnId, key: Key, now: Now, out: &mut Outside) {
        while self.keys.contains_key(&key) && self.member.wants_input(id) {
            let frame = self.frames.entry(key).or_default();
            let length = frame.first_chunk::<4>().map(|length| u32::from_be_bytes(*length) as usize + 4);
            if let Some(length) = length.filter(|length| frame.len() >= *length) {
                let rest = frame.split_off(length);
                let whole = std::mem::replace(frame, rest);
                self.member.receive(id, &whole[4..], now);
                continue;
            }
            let mut piece = out.read(key, Side::Called);
            if piece.is_empty() {
                if out.net.peek(key, Side::Called) == (0, true) {
                    self.drop_client(id, key);
                    out.close(key, Side::Called);
                }
                return;
            }
            frame.append(&mut piece);
        }
        self.leave_if_left(id, key, out);
    }

    /// A piece of the log for a learner has been read.
    pub fn on_log_read(&mut self, link: LinkId, piece: Option<Vec<(Zxid, Vec<u8>)>>, now: Now) {
        self.member.on_disk(Done::LogRead { link, piece }, now);
    }
}
