//! The loop that owns the member: sockets in, sockets out, and batches to the log between.
//!
//! One thread holds the member and all sockets, those of clients and those of other members. A second writes the log,
//! a third snapshots. A read is answered by the thread that read it; a write goes to the log thread and back once for
//! each batch, however many writes the batch holds. While the log thread syncs, the next batch is formed. Where little
//! but writes comes the loop writes them itself (`rounds`).

mod calls;
mod clients;
mod links;
mod observations;
mod rounds;
pub mod snapshots;
mod socket;
mod words;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use member::ensemble::{DiskJob, Halt, Observation, Order, Role};
use member::{ConnId, Member, Now};
use mio::event::Event;
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token, Waker};

use crate::clock::Clock;
use crate::config::Config;
use crate::log_reader::LogReader;
use crate::log_thread::{Cut, LogReport, LogThread};
use crate::memory::Keeper;
pub use links::LinkOptions;
use links::{Ear, Links, Turn};
use observations::Chronicle;
use socket::{READ_BYTES, Socket};

/// Events taken in one turn.
const EVENTS_MAX: usize = 1024;

const LISTENER: Token = Token(usize::MAX - 1);
const WAKER: Token = Token(usize::MAX - 2);

/// Connections taken in one turn, so that a storm of them does not starve those that are there.
const ACCEPTS_MAX: usize = 128;

/// A smaller batch that is formed when another comes back from the disk waits for those who are answered now: they are
/// likely to ask again at once, and one sync for all beats two syncs for a half each.
const SMALL_BATCH: usize = 64;

/// So many batches without a read between them, and the loop may take the next small one to the files itself: nobody is
/// likely to wait for a reply that needs no disk.
const BATCHES_WITHOUT_READ: u32 = 8;

/// And only as long as they follow each other so soon: the stand-in, too, has to be woken after a pause.
const BATCH_PAUSE_MS_MAX: u64 = 5;

/// The same only while syncs take no longer than this on average; beyond it the way to the log thread counts for little.
const QUICK_SYNC_US: u64 = 1000;

/// What is taken for an average before any was seen, and the longest that is counted, so that one slow one is soon made
/// up for.
const SLOW_SYNC_US: u64 = 10_000;

/// How long to leave the listener alone when there is no descriptor for a connection.
const ACCEPT_PAUSE_MS: u64 = 100;

/// What ends the loop with an error.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The system refuses to wait for sockets.
    #[error("waiting for sockets failed: {0}; check the limits of this process")]
    Poll(#[source] io::Error),
    /// The system has no more threads.
    #[error("the stand-in of the event loop cannot be started: {0}; check the limits of this process")]
    Thread(#[source] io::Error),
    /// The log can no longer be trusted (R6).
    #[error(transparent)]
    Log(#[from] crate::log_thread::LogFailure),
    /// Source: `QuorumCnxManager.Listener`.
    #[error(
        "cannot listen on the election port: {0}; stop whatever uses it, or correct this member's server line; \
         electionPortBindRetry says how often it is tried"
    )]
    ElectionPort(#[source] io::Error),
    /// The member cannot go on.
    #[error(transparent)]
    Halted(#[from] Halt),
}

impl DriverError {
    /// The exit code, as Java's. Source: `ExitCode`; operations.md §11.2.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Poll(_) | Self::Thread(_) => 1,
            Self::Log(failure) => failure.exit_code(),
            Self::Halted(Halt::TreeDiffers { .. }) => 12,
            Self::Halted(Halt::LogLost { .. }) => 13,
            Self::ElectionPort(_) => 14,
        }
    }
}

/// How other threads reach the loop.
#[derive(Clone, Debug)]
pub struct Handle {
    waker: Arc<Waker>,
    stop: Arc<AtomicBool>,
}

impl Handle {
    /// Wakes the loop, so that it looks at its channels.
    pub fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "the event loop cannot be woken");
        }
    }

    /// Asks the loop to end: what was proposed is still written and answered.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.wake();
    }
}

/// Poll and waker, made before the threads that need the waker.
#[derive(Debug)]
pub struct Loop {
    poll: Poll,
    handle: Handle,
}

impl Loop {
    /// Makes the loop's ears.
    ///
    /// # Errors
    /// When the system has no more descriptors.
    pub fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        Ok(Self { poll, handle: Handle { waker, stop: Arc::new(AtomicBool::new(false)) } })
    }

    /// How other threads reach it.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

/// What a driver is made of.
pub struct Parts {
    /// The one it drives.
    pub member: Member,
    /// Where clients connect; `None`: a server without a client port.
    pub listener: Option<std::net::TcpListener>,
    /// What only a member of an ensemble has.
    pub ensemble: Option<EnsembleParts>,
    /// Writes the log.
    pub log: LogThread,
    /// Writes snapshots.
    pub snapshots: snapshots::Snapshots,
}

/// What only a member of an ensemble has.
pub struct EnsembleParts {
    /// Where other members connect, and how.
    pub links: LinkOptions,
    /// Reads the log for learners.
    pub log_reader: LogReader,
}

/// See the module.
pub struct Driver {
    poll: Poll,
    handle: Handle,
    clock: Clock,
    config: Arc<Config>,
    member: Member,
    listener: Option<TcpListener>,
    /// Accepting failed for want of descriptors; when to try again.
    accept_at_ms: Option<u64>,
    /// `flushDelay`, and when the next batch may go to the log because of it.
    flush_delay_ms: u64,
    flush_at_ms: u64,
    /// Writers were answered in this turn; see [`SMALL_BATCH`].
    answered: bool,
    /// Batches formed since a read was last answered, and how many reads had been answered then.
    batches_without_read: u32,
    reads: u64,
    /// When the last one was formed.
    formed_at_ms: u64,
    /// What a sync takes, in a moving average.
    sync_us: u64,
    /// Nobody is left to write a batch but the log thread.
    stopping: bool,
    /// Connections with other members; `None` on a standalone server.
    links: Option<Links>,
    /// The same.
    log_reader: Option<LogReader>,
    sockets: Vec<Option<Socket>>,
    /// Connections whose kernel buffers or kept bytes hold more than one turn's worth.
    unread: Vec<ConnId>,
    /// Turns since the clock was last looked at.
    turns_behind: usize,
    /// Closing connections that do not read their last bytes, and when they are closed all the same.
    lingering: VecDeque<(u64, ConnId)>,
    scratch: Vec<u8>,
    log: LogThread,
    snapshots: snapshots::Snapshots,
    memory: Keeper,
    admin: words::Admin,
    chronicle: Chronicle,
    frame_bytes_max: usize,
}

impl Driver {
    /// Puts the parts together.
    ///
    /// # Errors
    /// When the system refuses a descriptor.
    pub fn new(ears: Loop, config: Arc<Config>, clock: Clock, parts: Parts) -> io::Result<Self> {
        let Loop { poll, handle } = ears;
        let Parts { member, listener, ensemble, log, snapshots } = parts;
        let (links, log_reader) = match ensemble {
            None => (None, None),
            Some(EnsembleParts { links, log_reader }) => {
                (Some(Links::start(links, handle.clone(), clock.now())), Some(log_reader))
            }
        };
        let mut listener = listener.map(TcpListener::from_std);
        if let Some(listener) = &mut listener {
            poll.registry().register(listener, LISTENER, Interest::READABLE)?;
        }
        let client_address = listener.as_ref().and_then(|listener| listener.local_addr().ok());
        Ok(Self {
            poll,
            clock,
            admin: words::Admin::new(Arc::clone(&config), client_address, clock.now()),
            chronicle: Chronicle::default(),
            memory: Keeper::default(),
            frame_bytes_max: config.jute_max_buffer_bytes,
            flush_delay_ms: u64::try_from(config.flush_delay.as_millis()).unwrap_or(u64::MAX),
            flush_at_ms: 0,
            answered: false,
            batches_without_read: 0,
            reads: 0,
            formed_at_ms: 0,
            sync_us: SLOW_SYNC_US,
            stopping: false,
            config,
            member,
            listener,
            accept_at_ms: None,
            links,
            log_reader,
            handle,
            sockets: Vec::new(),
            unread: Vec::new(),
            turns_behind: 0,
            lingering: VecDeque::new(),
            scratch: vec![0; READ_BYTES],
            log,
            snapshots,
        })
    }

    fn turn(&mut self, events: &Events) -> Result<(), DriverError> {
        let now = self.clock.now();
        self.answered = false;
        self.member.look_back(now);
        for report in self.log.reports() {
            self.on_log_report(report?, now);
        }
        self.snapshots.hear(&mut self.member, &mut self.log, now)?;
        if let Some((links, mut turn)) = self.links(now) {
            links.hear(&mut turn)?;
            links.go_on(&mut turn);
            links.rouse_if_due(&mut turn);
        }
        if let Some(reader) = &self.log_reader {
            reader.done().for_each(|done| self.member.on_disk(done, now));
        }
        let again = std::mem::take(&mut self.unread);
        for id in again {
            if let Some(socket) = self.socket(id) {
                socket.again = false;
            }
            self.serve(id, now);
        }
        for event in events {
            self.on_event(event, now);
        }
        self.tick_if_heard(events, now);
        // First the disk, which takes longest, then the replies.
        self.carry_out(now)?;
        self.submit(now);
        self.flush(now);
        self.carry_out(now)?;
        self.submit(now);
        if let Some((links, turn)) = self.links(now) {
            links.lull(&turn);
        }
        self.snapshots.step(&mut self.member, &mut self.log, !events.is_empty());
        if !events.is_empty() {
            self.memory.worked(now.mono_ms);
        }
        self.memory.tick(now.mono_ms, events.is_empty());
        Ok(())
    }

    fn on_event(&mut self, event: &Event, now: Now) {
        let token = event.token();
        if let Some(ear) = Ear::of(token) {
            if let Some((links, mut turn)) = self.links(now) {
                links.on_event(ear, event, &mut turn);
            }
            return;
        }
        match token {
            WAKER => {}
            LISTENER => self.accept(now),
            Token(slot) => {
                let Some(socket) = self.sockets.get_mut(slot).and_then(Option::as_mut) else { return };
                let id = socket.id;
                if event.is_readable() || event.is_read_closed() || event.is_error() {
                    socket.readable = true;
                    // No later edge tells of the end, so that a short read must not be taken for the last.
                    socket.end_ahead |= event.is_read_closed() || event.is_error();
                    self.serve(id, now);
                }
                if event.is_writable() {
                    // At a leader, what was committed in this turn goes to its learners first.
                    if self.member.role() != Role::Leading
                        || self.socket(id).is_some_and(|socket| socket.is_full)
                    {
                        self.send(id, now);
                    }
                    // It may have been paused because nobody read this output, and nothing else brings it back.
                    self.serve_again(id);
                }
            }
        }
    }

    /// The links, if there are any, and what they need.
    fn links(&mut self, now: Now) -> Option<(&mut Links, Turn<'_>)> {
        let Self { links, member, poll, scratch, .. } = self;
        Some((links.as_mut()?, Turn { member, registry: poll.registry(), scratch, now }))
    }

    /// What happened becomes a line in the log.
    fn on_observation(&mut self, observation: &Observation, now: Now) {
        if let Observation::SnapshotReceived { .. } = observation {
            self.snapshots.tree_replaced();
        }
        self.admin.on_observation(observation, now);
        let mut learner = None;
        if let Observation::Synchronizing { link, .. } | Observation::Expelled { link, .. } = observation {
            let learners = self.member.learners();
            learner = learners.iter().find(|learner| learner.link == *link).map(|learner| learner.sid);
        }
        self.chronicle.tell(observation, learner, &mut self.member.core_mut().metrics, now);
    }

    /// Does what the member asks for.
    fn carry_out(&mut self, now: Now) -> Result<(), DriverError> {
        loop {
            // What an order leads to is seen before the next one.
            while let Some(observation) = self.member.next_observation() {
                self.on_observation(&observation, now);
            }
            let Some(order) = self.member.next_order() else { return Ok(()) };
            let links = self.links.as_mut().expect("only a member of an ensemble asks for anything");
            match order {
                Order::Dial { link, port, addresses, timeout_ms } => {
                    links.dial(link, port, addresses, timeout_ms, now);
                }
                Order::Close { link } => links.close(link, self.poll.registry()),
                Order::Listen(open) => links.listen(open),
                Order::Receive(incoming) => self.snapshots.receive(incoming, &mut self.member, now),
                Order::Disk(job) => self.on_disk_job(job),
                Order::Halt(halt) => return Err(halt.into()),
            }
        }
    }

    /// Jobs and batches go to the files in the order in which the member gave them.
    fn on_disk_job(&mut self, job: DiskJob) {
        if let DiskJob::ReadLog { link, after, upto } = job {
            let reader = self.log_reader.as_ref().expect("only a leader reads for learners");
            return reader.read(link, after, upto);
        }
        self.form_batch(false);
        match job {
            DiskJob::StoreEpoch(file, epoch) => self.log.store_epoch(file, epoch),
            DiskJob::Truncate { to, reload, committed } => {
                let pause = self.snapshots.pause(&mut self.member);
                self.log.truncate(Cut { to, reload, committed }, pause);
            }
            DiskJob::Install { is_received } => self.snapshots.install(&mut self.member, is_received),
            DiskJob::ReadLog { .. } => unreachable!("it was seen to above"),
        }
    }

    /// After the process stood still there are more events than one turn takes. No session ends before every socket
    /// had its turn: the ping that keeps it may be waiting there (P10).
    fn tick_if_heard(&mut self, events: &Events, now: Now) {
        let full = events.iter().count() >= EVENTS_MAX;
        if full && self.turns_behind < self.sockets.len() / EVENTS_MAX {
            self.turns_behind += 1;
        } else {
            self.turns_behind = 0;
            self.tick(now);
        }
    }

    fn tick(&mut self, now: Now) {
        if now.mono_ms >= self.member.deadline_ms() {
            self.member.tick(now);
        }
        if self.accept_at_ms.is_some_and(|at_ms| at_ms <= now.mono_ms) {
            self.accept_at_ms = None;
            self.accept(now);
        }
        if let Some((links, mut turn)) = self.links(now) {
            links.tick(&mut turn);
        }
        while let Some(&(_, id)) = self.lingering.front().filter(|(due_ms, _)| *due_ms <= now.mono_ms) {
            self.lingering.pop_front();
            if self.socket(id).is_some() {
                self.drop_connection(id);
            }
        }
    }

    fn timeout(&self) -> Option<Duration> {
        let held_back = self.answered && self.log.is_idle() && self.member.formed() > 0;
        if held_back || !self.unread.is_empty() || self.snapshots.wants_step() {
            return Some(Duration::ZERO);
        }
        let flush_at_ms =
            if self.log.is_idle() && self.member.formed() > 0 { self.flush_at_ms } else { u64::MAX };
        let linger_ms = self.lingering.front().map_or(u64::MAX, |(due_ms, _)| *due_ms);
        let accept_at_ms = self.accept_at_ms.unwrap_or(u64::MAX);
        let links_ms = self.links.as_ref().map_or(u64::MAX, Links::deadline_ms);
        let own_ms = accept_at_ms.min(flush_at_ms).min(linger_ms).min(self.memory.deadline_ms());
        let deadline_ms = self.member.deadline_ms().min(links_ms).min(own_ms);
        let now_ms = self.clock.now().mono_ms;
        (deadline_ms != u64::MAX).then(|| Duration::from_millis(deadline_ms.saturating_sub(now_ms)))
    }

    /// Gives the log thread the batch formed so far, if it is idle and the batch has waited for `flushDelay` or is
    /// full, and unless it is small and writers were just answered.
    fn submit(&mut self, now: Now) {
        let full = self.config.max_batch_size.and_then(|max| usize::try_from(max).ok());
        let due = now.mono_ms >= self.flush_at_ms || full.is_some_and(|full| self.member.formed() >= full);
        let small = self.answered && self.member.formed() < SMALL_BATCH;
        if self.log.is_idle() && due && !small {
            let keeps = self.may_keep(now);
            if self.form_batch(keeps) {
                self.flush_at_ms = now.mono_ms.saturating_add(self.flush_delay_ms);
            }
        }
    }

    /// Whether the loop itself takes the batch formed so far to the files.
    fn may_keep(&mut self, now: Now) -> bool {
        if self.member.formed() == 0 {
            return false;
        }
        let reads = self.member.front().reads();
        let pause_ms = now.mono_ms - std::mem::replace(&mut self.formed_at_ms, now.mono_ms);
        if std::mem::replace(&mut self.reads, reads) != reads || pause_ms > BATCH_PAUSE_MS_MAX {
            self.batches_without_read = 0;
        } else {
            self.batches_without_read = self.batches_without_read.saturating_add(1);
        }
        self.batches_without_read > BATCHES_WITHOUT_READ
            && self.member.formed() < SMALL_BATCH
            && self.sync_us <= QUICK_SYNC_US
            && self.log.is_at_rest()
            && !self.stopping
            && self.unread.is_empty()
            && !self.snapshots.wants_step()
    }

    /// Sends the batch formed so far, if there is one, to the log thread, or keeps it for the loop itself.
    fn form_batch(&mut self, keeps: bool) -> bool {
        let Some(batch) = self.member.take_batch() else { return false };
        if self.member.role() == Role::Leading {
            self.admin.on_proposals(&batch);
        }
        if keeps {
            self.log.keep(batch);
        } else {
            self.log.write(batch);
        }
        true
    }

    fn on_log_report(&mut self, report: LogReport, now: Now) {
        match report {
            LogReport::Persisted { zxid, log_bytes, txns, sync } => {
                self.snapshots.on_logged(log_bytes, txns);
                self.sync_us = (self.sync_us * 7 + micros(sync)) / 8;
                let millis = i64::try_from(sync.as_millis()).unwrap_or(i64::MAX);
                self.member.core_mut().metrics.fsynctime.add(millis);
                if sync >= self.config.fsync_warning_threshold {
                    self.member.front_mut().stats.fsync_threshold_exceed_count += 1;
                }
                self.answered = true;
                self.submit(now);
                self.member.on_persisted(zxid, now);
            }
            LogReport::Fenced(reason) => self.admin.fence(reason),
            LogReport::Unfenced => self.admin.unfence(),
            LogReport::Done(done) => self.member.on_disk(done, now),
            LogReport::Replaced(done, since) => {
                self.snapshots.resume(since);
                self.member.on_disk(done, now);
            }
        }
    }

    /// Sends what is there to send, closes what is to be closed, goes on reading where that was put off.
    fn flush(&mut self, now: Now) {
        if let Some((links, mut turn)) = self.links(now) {
            links.flush(&mut turn);
        }
        while let Some(id) = self.member.next_dirty() {
            self.send(id, now);
            self.serve_again(id);
        }
    }

    /// Writes out and answers what was proposed, then lets go.
    fn finish(mut self) -> Result<(), DriverError> {
        tracing::info!("stopping");
        self.listener = None;
        self.flush_delay_ms = 0;
        self.flush_at_ms = 0;
        self.stopping = true;
        // What a member of an ensemble has proposed may wait for the others, who see to it without this one.
        let is_alone = self.links.is_none();
        loop {
            self.answered = false;
            self.submit(self.clock.now());
            let waits = is_alone && self.member.core().in_flight() > 0;
            if self.log.is_idle() && !waits {
                break;
            }
            self.log.give_up_if_fenced();
            self.snapshots.let_rest();
            let report = self.log.wait()?;
            let now = self.clock.now();
            self.on_log_report(report, now);
            self.flush(now);
        }
        self.snapshots.stop(&mut self.member);
        self.log.stop()?;
        Ok(())
    }
}

/// A sync as it is counted.
fn micros(sync: Duration) -> u64 {
    u64::try_from(sync.as_micros()).unwrap_or(u64::MAX).min(SLOW_SYNC_US)
}
