//! Threads that nobody waits for.

/// Far behind the threads that serve, and not so far that the work is never done on a machine without a free processor.
const NICENESS: i32 = 10;

/// Lets all other threads of the process go first.
pub(crate) fn step_back() {
    // On Linux niceness is a thread's own.
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::debug!(%error, "a thread in the background keeps its priority");
    }
}
