//! Time, as it is handed in.

/// The moment of an event, read once for each wake of the driver.
///
/// Intervals are measured with `mono_ms`; `wall_ms` is data only, and nothing is ordered by it (R16).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Now {
    /// Milliseconds of a clock that never goes back, from any start.
    pub mono_ms: u64,
    /// Milliseconds since 1970.
    pub wall_ms: i64,
}
