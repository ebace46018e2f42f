//! The engine: threads that each drive their share of the connections with one epoll loop.
//!
//! All requests that become due in one wake leave in one write for each connection; replies are cut by their length
//! and judged by xid and error code alone. So the generator costs little more than the kernel does, and a
//! single-threaded server stays the bottleneck.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};

use crate::connection::{Connection, Reading};
use crate::load::{Load, Mix, Pace, Until};
use crate::process::Sample;
use crate::session::Session;

/// Latencies are kept per slot of this length, for curves over time and for looking at windows afterwards.
pub(crate) const SLOT: Duration = Duration::from_millis(100);
/// The longest latency that is told apart.
const LATENCY_MAX_NS: u64 = 100_000_000_000;
/// How much is read at a time.
const READ_BYTES: usize = 64 * 1024;
/// No answer at all for this long means the server is stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// The latencies of one slot, in nanoseconds.
pub(crate) type Latencies = Histogram<u32>;

/// An empty histogram: values within 1 %.
pub(crate) fn latencies() -> Latencies {
    Histogram::new_with_bounds(1, LATENCY_MAX_NS, 2).expect("fixed bounds are valid")
}

/// What came out.
pub(crate) struct Outcome {
    /// Length of the counted part.
    pub(crate) elapsed: Duration,
    /// One per [`SLOT`] from the start of the counted part.
    pub(crate) slots: Vec<Latencies>,
    /// Error codes of failed requests and how often they came.
    pub(crate) errors: BTreeMap<i32, u64>,
    /// The server processes at both ends of the counted part.
    pub(crate) server: Option<(Sample, Sample)>,
    /// When the counted part began.
    pub(crate) begun: Instant,
}

impl Outcome {
    /// All slots together.
    pub(crate) fn total(&self) -> Histogram<u64> {
        let mut total = Histogram::new_with_bounds(1, LATENCY_MAX_NS, 2).expect("fixed bounds are valid");
        for slot in &self.slots {
            for value in slot.iter_recorded() {
                total.saturating_record_n(value.value_iterated_to(), u64::from(value.count_at_value()));
            }
        }
        total
    }
}

/// The moments shared by all threads.
#[derive(Clone, Copy)]
struct Schedule {
    start: Instant,
    /// Answers from here on count.
    begin: Instant,
    /// Nothing is sent from here on.
    end: Option<Instant>,
}

/// Runs `load` over the given sessions, and gives them back for further use.
///
/// * `threads`: how many epoll loops share the sessions.
/// * `pids`: the servers, to be looked at when counting begins and ends.
/// * `created_before`: for [`crate::load::Pick::OwnSequence`], one per session; missing ones are 0.
/// * `progress`: told how many answers came so far.
///
/// # Errors
/// The server closes a connection, answers out of order, or not at all.
pub(crate) fn run(
    load: &Load,
    sessions: &mut [Session],
    threads: usize,
    pids: &[u32],
    created_before: &[u64],
    progress: &dyn Fn(u64, Duration),
) -> Result<Outcome> {
    let mix = Mix::new(&load.steps);
    let start = Instant::now();
    let schedule = match load.until {
        Until::Time { warm, run } => Schedule { start, begin: start + warm, end: Some(start + warm + run) },
        Until::Count(_) => Schedule { start, begin: start, end: None },
    };
    let answered = AtomicU64::new(0);
    let next = AtomicU64::new(0);
    let share = sessions.len().div_ceil(threads.max(1)).max(1);
    let count = sessions.len();

    std::thread::scope(|scope| {
        let workers: Vec<_> = sessions
            .chunks_mut(share)
            .enumerate()
            .map(|(index, sessions)| {
                let first = index * share;
                let part = Part { load, mix: &mix, schedule, answered: &answered, next: &next, count };
                scope.spawn(move || Worker::new(part, sessions, first, created_before)?.run())
            })
            .collect();

        let finished = || workers.iter().all(std::thread::ScopedJoinHandle::is_finished);
        let wait_until = |moment: Option<Instant>| {
            while !finished() && moment.is_none_or(|moment| Instant::now() < moment) {
                let left = moment.map_or(SLOT, |moment| moment.saturating_duration_since(Instant::now()));
                std::thread::sleep(left.min(SLOT));
                progress(answered.load(Ordering::Relaxed), start.elapsed());
            }
        };
        let sample = || (!pids.is_empty()).then(|| Sample::take(pids)).transpose();
        wait_until(Some(schedule.begin));
        let before = sample()?;
        wait_until(schedule.end);
        let after = sample()?;
        let elapsed = schedule.begin.elapsed();

        let mut outcome = Outcome {
            elapsed: schedule.end.map_or(elapsed, |end| end - schedule.begin),
            slots: Vec::new(),
            errors: BTreeMap::new(),
            server: before.zip(after),
            begun: schedule.begin,
        };
        for worker in workers {
            let part = worker.join().expect("a worker returns its errors")?;
            outcome.add(part);
        }
        Ok(outcome)
    })
}

impl Outcome {
    fn add(&mut self, part: Counted) {
        if self.slots.len() < part.slots.len() {
            self.slots.resize_with(part.slots.len(), latencies);
        }
        for (slot, more) in self.slots.iter_mut().zip(&part.slots) {
            slot.add(more).expect("all histograms have the same bounds");
        }
        for (code, count) in part.errors {
            *self.errors.entry(code).or_default() += count;
        }
    }
}

/// What a worker shares with the others.
#[derive(Clone, Copy)]
struct Part<'a> {
    load: &'a Load,
    mix: &'a Mix,
    schedule: Schedule,
    answered: &'a AtomicU64,
    /// The next number for [`crate::load::Pick::Each`]; also counts what was sent.
    next: &'a AtomicU64,
    /// Connections of all workers together.
    count: usize,
}

/// What one worker saw.
#[derive(Default)]
struct Counted {
    slots: Vec<Latencies>,
    errors: BTreeMap<i32, u64>,
}

struct Worker<'a> {
    part: Part<'a>,
    poll: Poll,
    timer: OwnedFd,
    connections: Vec<Connection>,
    counted: Counted,
    inflight: u64,
    buffer: Vec<u8>,
}

impl<'a> Worker<'a> {
    fn new(part: Part<'a>, sessions: &mut [Session], first: usize, created_before: &[u64]) -> Result<Self> {
        let poll = Poll::new()?;
        let mut connections = Vec::with_capacity(sessions.len());
        for (index, session) in sessions.iter().enumerate() {
            let stream = session.stream.try_clone()?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(index), Interest::READABLE | Interest::WRITABLE)?;
            let before = created_before.get(first + index).copied().unwrap_or(0);
            connections.push(Connection::new(stream, part.mix, u64::try_from(first + index)?, before));
        }
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = rustix::time::timerfd_create(TimerfdClockId::Monotonic, flags)?;
        poll.registry().register(
            &mut SourceFd(&timer.as_raw_fd()),
            Token(sessions.len()),
            Interest::READABLE,
        )?;
        let buffer = vec![0; READ_BYTES];
        Ok(Self { part, poll, timer, connections, counted: Counted::default(), inflight: 0, buffer })
    }

    fn run(mut self) -> Result<Counted> {
        match self.part.load.pace {
            Pace::Closed { depth } => self.closed(depth)?,
            Pace::Open { per_second } => self.open(per_second)?,
        }
        self.drain()?;
        self.remove_leftovers()?;
        Ok(self.counted)
    }

    /// Fills every connection, then answers each reply with the next request.
    fn closed(&mut self, depth: u32) -> Result<()> {
        let mut events = Events::with_capacity(1024);
        let now = self.now_ns();
        for index in 0..self.connections.len() {
            for _ in 0..depth {
                self.send(index, now);
            }
            self.connections[index].flush()?;
        }
        while self.more_to_send() {
            self.wait(&mut events)?;
            for event in &events {
                let index = event.token().0;
                let answers = self.read(index)?;
                if self.more_to_send() {
                    let now = self.now_ns();
                    for _ in 0..answers {
                        self.send(index, now);
                    }
                }
                self.connections[index].flush()?;
            }
        }
        Ok(())
    }

    /// Sends by the clock, connections in turn, and reads what comes.
    fn open(&mut self, per_second: f64) -> Result<()> {
        let mut events = Events::with_capacity(1024);
        let timer = Token(self.connections.len());
        let share = per_second * (self.connections.len() as f64) / (self.part.count as f64);
        let gap_ns = 1e9 / share;
        let mut sent = 0_u64;
        let due_ns = |sent: u64| Duration::from_secs_f64(gap_ns * (sent as f64) / 1e9);
        while self.more_to_send() {
            let now = self.part.schedule.start.elapsed();
            while due_ns(sent) <= now && self.more_to_send() {
                let index = usize::try_from(sent)? % self.connections.len();
                self.send(index, as_ns(due_ns(sent)));
                sent += 1;
            }
            for connection in &mut self.connections {
                connection.flush()?;
            }
            self.arm(due_ns(sent).saturating_sub(self.part.schedule.start.elapsed()))?;
            self.wait(&mut events)?;
            for event in &events {
                if event.token() == timer {
                    // Reading only clears the timer; whether it had run out is seen from the clock.
                    let _ = rustix::io::read(&self.timer, &mut [0_u8; 8]);
                } else {
                    self.read(event.token().0)?;
                }
            }
        }
        Ok(())
    }

    /// Makes the timer end after `left`, in nanoseconds rather than the milliseconds of a poll's time-out.
    fn arm(&self, left: Duration) -> Result<()> {
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let left = left.max(Duration::from_nanos(1));
        let value = Timespec { tv_sec: i64::try_from(left.as_secs())?, tv_nsec: left.subsec_nanos().into() };
        let when = Itimerspec { it_interval: zero, it_value: value };
        rustix::time::timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &when)?;
        Ok(())
    }

    fn more_to_send(&self) -> bool {
        match (self.part.schedule.end, self.part.load.until) {
            (Some(end), _) => Instant::now() < end,
            (None, Until::Count(count)) => self.part.next.load(Ordering::Relaxed) < count,
            (None, Until::Time { .. }) => false,
        }
    }

    fn send(&mut self, index: usize, intended_ns: u64) {
        let each = self.part.next.fetch_add(1, Ordering::Relaxed);
        if matches!(self.part.load.until, Until::Count(count) if each >= count) {
            return;
        }
        self.connections[index].put(self.part.mix, each, intended_ns);
        self.inflight += 1;
    }

    fn now_ns(&self) -> u64 {
        as_ns(self.part.schedule.start.elapsed())
    }

    fn wait(&mut self, events: &mut Events) -> Result<()> {
        let patience = if self.part.schedule.end.is_some() { SLOT } else { PATIENCE };
        match self.poll.poll(events, Some(patience)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Reads all that is there; returns how many requests were answered.
    fn read(&mut self, index: usize) -> Result<u32> {
        let begin_ns = as_ns(self.part.schedule.begin - self.part.schedule.start);
        let end_ns = self.part.schedule.end.map_or(u64::MAX, |end| as_ns(end - self.part.schedule.start));
        let connection = &mut self.connections[index];
        let mut answers = 0;
        loop {
            let read = match connection.stream.read(&mut self.buffer) {
                Ok(0) => anyhow::bail!("the server closed connection {index}"),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).context("reading replies"),
            };
            let now_ns = as_ns(self.part.schedule.start.elapsed());
            let counts = (begin_ns..end_ns).contains(&now_ns);
            let slot = if counts { self.counted.slot(now_ns - begin_ns)? } else { usize::MAX };
            let mut reading = Reading::new(&self.buffer[..read]);
            while let Some(answer) = connection.next_answer(&mut reading)? {
                answers += 1;
                if answer.err != 0 {
                    *self.counted.errors.entry(answer.err).or_default() += 1;
                } else if counts {
                    let latency = now_ns.saturating_sub(answer.intended_ns);
                    self.counted.slots[slot].saturating_record(latency);
                }
            }
            // A short read has emptied the socket; the next bytes make a new event.
            if read < self.buffer.len() {
                break;
            }
        }
        self.inflight -= u64::from(answers);
        self.part.answered.fetch_add(answers.into(), Ordering::Relaxed);
        Ok(answers)
    }

    /// Waits for the answers to all that was sent.
    fn drain(&mut self) -> Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut last = Instant::now();
        while self.inflight > 0 {
            ensure!(last.elapsed() < PATIENCE, "{} requests were never answered", self.inflight);
            self.wait(&mut events)?;
            for event in &events {
                if let Some(connection) = self.connections.get_mut(event.token().0) {
                    connection.flush()?;
                    self.read(event.token().0)?;
                    last = Instant::now();
                }
            }
        }
        Ok(())
    }

    /// Deletes what the mix created and did not come to delete.
    fn remove_leftovers(&mut self) -> Result<()> {
        for connection in &mut self.connections {
            self.inflight += u64::from(connection.put_leftovers(self.part.mix));
            connection.flush()?;
        }
        self.drain()
    }
}

impl Counted {
    /// The slot of a moment, made when it is the first in it.
    fn slot(&mut self, since_begin_ns: u64) -> Result<usize> {
        let slot = usize::try_from(since_begin_ns / as_ns(SLOT))?;
        while self.slots.len() <= slot {
            self.slots.push(latencies());
        }
        Ok(slot)
    }
}

/// Nanoseconds; a benchmark ends before 584 years.
pub(crate) fn as_ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Writes what the socket takes; the rest stays in `out` from `sent` on.
pub(crate) fn write_some(stream: &mut TcpStream, out: &mut Vec<u8>, sent: &mut usize) -> Result<()> {
    while *sent < out.len() {
        match stream.write(&out[*sent..]) {
            Ok(written) => *sent += written,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error).context("writing"),
        }
    }
    out.clear();
    *sent = 0;
    Ok(())
}
