//! Commands that the original does not have.

mod copy;
mod diff;
mod export;
mod follow;
mod show;
mod top;
mod write;

pub(crate) use copy::copy;
pub(crate) use diff::diff;
pub(crate) use export::{export, import};
pub(crate) use follow::follow;
pub(crate) use show::{disk_usage, find, tree};
pub(crate) use top::top;
