//! How far long work has come, for a person who waits for it.

use std::time::{Duration, Instant};

use crate::console::Console;

/// Work shorter than this shows nothing.
const QUIET: Duration = Duration::from_secs(1);
/// Between two looks at the clock.
const STEPS: u64 = 2048;
/// Between two showings.
const AGAIN: Duration = Duration::from_millis(200);

/// A count of steps.
pub(crate) struct Progress<'a> {
    console: &'a Console,
    what: &'static str,
    steps: u64,
    show_at: Instant,
}

impl<'a> Progress<'a> {
    /// * `what`: what is counted.
    pub(crate) fn new(console: &'a Console, what: &'static str) -> Self {
        Self { console, what, steps: 0, show_at: Instant::now() + QUIET }
    }

    /// One more.
    pub(crate) fn step(&mut self) {
        self.add(1);
    }

    /// So many more.
    pub(crate) fn add(&mut self, steps: u64) {
        let before = self.steps / STEPS;
        self.steps += steps;
        if self.steps / STEPS > before && Instant::now() >= self.show_at {
            self.show_at = Instant::now() + AGAIN;
            self.console.show_progress(&format!("{} {}", self.steps, self.what));
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        self.console.clear_progress();
    }
}
