//! `cargo xtask check`: what a change has to hold before it is committed, in less than three minutes.

use anyhow::Result;

use crate::run::{cargo, run, say};
use crate::summary::Summary;
use crate::test::unit_tests;
use crate::{arrows, fuzz, licences, sim};

/// Formatting, arrows, licences, lints, documentation, unit tests, the fuzzer's seeds, a short simulation; the quick ones first.
///
/// # Errors
/// At the first that does not hold.
pub(crate) fn check() -> Result<()> {
    run(cargo().args(["fmt", "--all", "--check"]))?;
    let metadata = arrows::metadata()?;
    arrows::check(&metadata)?;
    licences::check(&metadata)?;
    say("crate arrows, no_std and licences hold");
    run(cargo().args(["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))?;
    run(cargo().env("RUSTDOCFLAGS", "-D warnings").args(["doc", "--workspace", "--no-deps", "--locked"]))?;
    let mut summary = Summary::default();
    unit_tests(&mut summary)?;
    fuzz::seeds(&mut summary)?;
    sim::short(&mut summary)?;
    summary.close()
}
