//! The loop itself, and the two threads that can run it.
//!
//! A batch goes to the log thread and comes back, and on a good disk the two wakings cost more than the sync between
//! them. Where only writes come, few at a time, the thread that runs the loop takes them to the files itself, and leaves
//! the driver in a [`Baton`] meanwhile: if the disk keeps it, a second thread takes the driver over within two
//! milliseconds, and heartbeats, reads and connections go on as if the log thread were at work.

use std::io;
use std::sync::atomic::Ordering;

use mio::Events;

use super::{Driver, DriverError, EVENTS_MAX, SLOW_SYNC_US};
use crate::baton::Baton;
use crate::log_thread::{Desk, Kept, LogFailure, LogReport};

impl Driver {
    /// Serves until [`super::Handle::stop`], then writes out what was proposed.
    ///
    /// # Errors
    /// [`DriverError`]: the server must halt.
    pub fn run(self) -> Result<(), DriverError> {
        let baton = Baton::new();
        std::thread::scope(|scope| {
            let stand_in = std::thread::Builder::new().name("stand-in".into());
            let stand_in =
                stand_in.spawn_scoped(scope, || drive(&baton, None)).map_err(DriverError::Thread)?;
            let driven = drive(&baton, Some(Box::new(self)));
            // It ends with the loop, whichever of the two has ended that.
            let stood_in = stand_in.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            driven.and(stood_in)
        })
    }

    /// One turn of the loop. Returns a batch that this thread is to write.
    fn round(&mut self, events: &mut Events) -> Result<Option<Kept>, DriverError> {
        if let Some(kept) = self.log.take_kept() {
            return Ok(Some(kept));
        }
        match self.poll.poll(events, self.timeout()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(DriverError::Poll(error)),
        }
        self.turn(events)?;
        Ok(self.log.take_kept())
    }

    /// The batch that this thread has written is answered before anything else.
    fn on_written(&mut self, report: Result<LogReport, LogFailure>) -> Result<(), DriverError> {
        let now = self.clock.now();
        let report = self.log.noted(report)?;
        self.on_log_report(report, now);
        self.carry_out(now)?;
        self.flush(now);
        self.carry_out(now)
    }
}

/// Runs the driver whenever this thread has it, until the loop is over.
fn drive(baton: &Baton<Box<Driver>>, first: Option<Box<Driver>>) -> Result<(), DriverError> {
    let mut events = Events::with_capacity(EVENTS_MAX);
    let mut next = first;
    // Also where this one panics: the other must not wait for a driver that is gone.
    let over = Over(baton);
    let take_over = || {
        let mut driver = baton.take_over()?;
        // The disk keeps batches for long at the moment.
        driver.sync_us = SLOW_SYNC_US;
        Some(driver)
    };
    while let Some(driver) = next.take().or_else(take_over) {
        let desk = driver.log.desk();
        match hold(baton, driver, &desk, &mut events) {
            Ok(Held::TakenOver) => {}
            Ok(Held::Stopped) => break,
            Err(error) => {
                // The process ends when the other thread is back from the disk, and that may be long after.
                tracing::error!(%error, "this server stops");
                return Err(error);
            }
        }
    }
    drop(over);
    Ok(())
}

/// Ends it for the other thread when it goes.
struct Over<'a>(&'a Baton<Box<Driver>>);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// How the time ended in which a thread had the driver.
enum Held {
    /// The other thread has it.
    TakenOver,
    /// It was stopped.
    Stopped,
}

fn hold(
    baton: &Baton<Box<Driver>>,
    mut driver: Box<Driver>,
    desk: &Desk,
    events: &mut Events,
) -> Result<Held, DriverError> {
    while !driver.handle.stop.load(Ordering::Relaxed) {
        let Some(kept) = driver.round(events)? else { continue };
        let Some(sitting) = desk.sit_down(kept) else { continue };
        baton.leave(driver);
        let written = sitting.write();
        let Some(back) = baton.take_back() else {
            written.tell();
            return Ok(Held::TakenOver);
        };
        driver = back;
        if let Some(report) = written.report() {
            driver.on_written(report)?;
        }
    }
    driver.finish().map(|()| Held::Stopped)
}
