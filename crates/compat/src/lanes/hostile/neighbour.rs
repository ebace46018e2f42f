//! The session that behaves, and must not notice the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::lanes::wire::{Fields, Session, create, op, read, set_data};

/// Its znodes: one that it writes, and one that lives as long as its session.
const PATH: &str = "/neighbour";
const EPHEMERAL: &str = "/neighbour-lives";
/// Its session's timeout: it must not expire, however busy the server is.
const SESSION_TIMEOUT: Duration = Duration::from_secs(4);
/// Time between two rounds.
const PAUSE: Duration = Duration::from_millis(20);
/// How long one request may take. Generous: the machine may be busy with other things than this test.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(2);

/// A thread that sets and gets.
pub(super) struct Neighbour {
    port: u16,
    stop: Arc<AtomicBool>,
    rounds: Arc<AtomicU64>,
    /// The longest request since it was last asked for, in microseconds.
    slowest_us: Arc<AtomicU64>,
    thread: JoinHandle<Result<()>>,
}

impl Neighbour {
    /// Opens the session and starts the rounds.
    pub(super) fn start(port: u16) -> Result<Self> {
        let mut session = Session::open(port, SESSION_TIMEOUT)?;
        session.call(op::CREATE, &create(PATH, b"0", 0))?;
        session.call(op::CREATE, &create(EPHEMERAL, b"", 1))?;
        let (stop, rounds) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let slowest_us = Arc::new(AtomicU64::new(0));
        let seen = (Arc::clone(&stop), Arc::clone(&rounds), Arc::clone(&slowest_us));
        let thread = thread::spawn(move || live(session, &seen.0, &seen.1, &seen.2));
        Ok(Self { port, stop, rounds, slowest_us, thread })
    }

    /// Whether all went well since the last time.
    ///
    /// # Errors
    /// When a request took too long. One that failed ends the thread, and [`Neighbour::stop`] tells why.
    pub(super) fn undisturbed(&self) -> Result<()> {
        let slowest = Duration::from_micros(self.slowest_us.swap(0, Ordering::Relaxed));
        ensure!(!self.thread.is_finished(), "the neighbour's connection broke, or a request of it failed");
        ensure!(
            slowest <= REQUEST_TIME_MAX,
            "a request of the neighbour took {slowest:?}, more than {REQUEST_TIME_MAX:?}"
        );
        Ok(())
    }

    /// Ends the rounds.
    ///
    /// # Errors
    /// When a round failed, there were none, or its session expired.
    pub(super) fn stop(self) -> Result<()> {
        let mut other = Session::open(self.port, SESSION_TIMEOUT)?;
        let there = other.call(op::EXISTS, &read(EPHEMERAL, false));
        other.close()?;
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the neighbour does not panic")?;
        there.context("the neighbour's ephemeral is gone")?;
        ensure!(self.rounds.load(Ordering::Relaxed) > 100, "the neighbour made too few rounds");
        Ok(())
    }
}

/// Sets a number and gets it back, until told to stop.
fn live(mut session: Session, stop: &AtomicBool, rounds: &AtomicU64, slowest_us: &AtomicU64) -> Result<()> {
    for number in 1_u64.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let value = number.to_string();
        timed(slowest_us, || session.call(op::SET_DATA, &set_data(PATH, value.as_bytes())))?;
        let body = timed(slowest_us, || session.call(op::GET_DATA, &read(PATH, false)))?;
        ensure!(Fields(&body).bytes()? == value.as_bytes(), "the neighbour reads what it did not write");
        rounds.fetch_add(1, Ordering::Relaxed);
        // Not a wait for something: it is the pace of a client that is in no hurry.
        thread::sleep(PAUSE);
    }
    session.close()
}

/// Does something and notes how long it took, if that is longer than ever.
fn timed<T>(slowest_us: &AtomicU64, something: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let result = something();
    let took_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    slowest_us.fetch_max(took_us, Ordering::Relaxed);
    result
}
