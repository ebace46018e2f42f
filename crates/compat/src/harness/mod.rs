//! One standalone server on free ports and a directory of its own, started and stopped like an operator would.
//!
//! [`Spec`] says which server and which configuration, [`Spec::start`] waits until it answers, and the [`Server`] that comes
//! back can be killed, stopped and started again on the same data directory. Dropping it ends the process it started, by its
//! id, and nothing else.

mod paths;
mod ports;
mod server;
mod target;
mod words;

pub use paths::{apache_file, class_path, oxkeeper_binary, repository, script, tools_dir, venv_program};
pub use ports::free_port;
pub use server::{Server, Spec};
pub use target::{APACHE_NEWEST, APACHE_OLDER, Target};
pub use words::four_letter;
