//! The transaction log.

mod mark;
mod read;
pub(crate) mod scan;
mod spare;
mod tail;
mod writer;

pub(crate) use mark::MarkFile;
pub use mark::{MARK_NAME, Mark};
pub use read::{LogEnd, LogRange, LogReadError, TornTail, read_logs};
pub(crate) use read::{cut, damaged};
pub(crate) use spare::MAKING_NAME;
pub use spare::{SPARE_NAME, Spare, SpareJob};
pub use tail::{LogTail, TailError, TailRange, log_bytes_max};
pub use writer::{LogError, LogOptions, LogWriter};
