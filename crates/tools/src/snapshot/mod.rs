//! What the snapshot tools share: the file, its records, the tree they make; and the tools themselves.

pub(crate) mod compare;
mod file;
pub(crate) mod format;
mod json;
mod quota;
mod read;
mod snappy;
pub(crate) mod summary;
mod tree;
mod verify;

pub(crate) use file::looks_valid;
pub(crate) use verify::is_sound;
#[cfg(test)]
pub(crate) use verify::tests::written;
