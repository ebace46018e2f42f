//! The project's own commands: check, test, bench.
fn main() {}
