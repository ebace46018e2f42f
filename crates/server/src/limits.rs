//! Descriptors: as many as the system allows, with some kept back for files.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors kept for the log, snapshots, the poll and whatever else is no client.
const RESERVED: u64 = 128;

/// Raises the soft limit to the hard one and says how many connections may be taken: four fifths of it, less the
/// reserve. Source: reliability.md §6, "client port".
pub(crate) fn connections_max() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if limit.current != limit.maximum
        && let Err(error) = setrlimit(Resource::Nofile, raised)
    {
        tracing::warn!(%error, "the limit of open files cannot be raised");
    }
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let connections = (descriptors / 5).saturating_mul(4).saturating_sub(RESERVED).max(16);
    usize::try_from(connections).unwrap_or(usize::MAX)
}
