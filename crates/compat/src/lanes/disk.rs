//! Disks and directories in trouble: damaged files, missing files, a full disk, a directory somebody else has.
//!
//! A server either starts with everything that was acknowledged, or says which file keeps it from that, and where (R4, R6, R8 of the
//! reliability requirements). Apache passes most of this over (`docs/compat.md`), so that only our server is put through it.

mod damage;
mod full;
mod history;
mod refused;

use anyhow::{Result, bail};

use super::Case;
use crate::harness::Target;

/// Every trouble.
///
/// # Errors
/// When the target is Apache's server, whose answers to these are other ones.
pub(crate) fn run(target: &Target) -> Result<Vec<Case>> {
    if *target != Target::Oxkeeper {
        bail!("this lane asks for what docs/compat.md says Apache does not do");
    }
    let mut cases = refused::run(target);
    cases.extend(damage::run(target)?);
    cases.push(Case::of("a full disk", full::run(target)));
    Ok(cases)
}
