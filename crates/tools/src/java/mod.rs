//! What Java's library prints, where the tools print through it.

pub(crate) mod date;
pub(crate) mod hash;
pub(crate) mod json;
pub(crate) mod path;
pub(crate) mod record;
