//! How far long work has come, for a person who waits for it.

use std::io::{IsTerminal, Write, stderr, stdout};
use std::time::{Duration, Instant};

/// Work shorter than this shows nothing.
const QUIET: Duration = Duration::from_secs(1);
/// Between two looks at the clock.
const STEPS: u64 = 2048;
/// Between two showings.
const AGAIN: Duration = Duration::from_millis(200);

/// A count of steps on standard error. Only where a person sees it and it does not stand between the lines of the answer.
pub(crate) struct Progress {
    steps: u64,
    show_at: Option<Instant>,
    is_shown: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let is_seen = stderr().is_terminal() && !stdout().is_terminal();
        Self { steps: 0, show_at: is_seen.then(|| Instant::now() + QUIET), is_shown: false }
    }

    /// One znode more.
    pub(crate) fn step(&mut self) {
        self.steps += 1;
        if !self.steps.is_multiple_of(STEPS) {
            return;
        }
        let Some(show_at) = self.show_at.filter(|&show_at| Instant::now() >= show_at) else { return };
        self.is_shown = true;
        self.show_at = Some(show_at.max(Instant::now()) + AGAIN);
        // Without a standard error there is nobody to tell.
        let _ = write!(stderr(), "\r{} znodes ", self.steps);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_shown {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}
