//! The one place that asks the machine for the time.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use member::Now;

/// A clock that started with the server.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
}

impl Clock {
    /// Starts now.
    #[must_use]
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// The present.
    #[must_use]
    pub fn now(&self) -> Now {
        let mono_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { mono_ms, wall_ms: i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX) }
    }
}
