//! Waiting for something to become true.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Time between two looks.
const POLL: Duration = Duration::from_millis(15);

/// Looks again and again until `look` finds something, and gives that.
///
/// * `what`: what is waited for, in words that go on after "waited 3s for".
///
/// # Errors
/// What `look` ends with, at once; or that `time_max` is over.
pub fn until<T>(what: &str, time_max: Duration, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + time_max;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if Instant::now() > deadline {
            bail!("waited {time_max:?} for {what}");
        }
        thread::sleep(POLL);
    }
}
