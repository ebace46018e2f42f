//! Servers on free ports and in directories of their own, started and stopped like an operator would.
//!
//! [`Spec`] says which server and which configuration, [`Spec::start`] waits until it answers, and the [`Server`] that comes
//! back can be killed, stopped and started again on the same data directory. Dropping it ends the process it started, by its
//! id, and nothing else.
//!
//! [`Plan`] and [`Ensemble`] do the same for several members that share a list of servers.

mod ensemble;
mod member;
mod network;
mod paths;
mod ports;
mod server;
mod target;
mod until;
mod words;

pub use ensemble::{Ensemble, Plan, SERVING_TIME_MAX};
pub use member::{Kind, Member, Place, Role};
pub use network::{Network, Station, Wire};
pub use paths::{
    apache_file, class_path, cli_binary, oxkeeper_binary, repository, script, tools_binary, tools_dir,
    venv_program,
};
pub use ports::{free_port, free_ports};
pub use server::{Server, Spec};
pub use target::{APACHE_NEWEST, APACHE_OLDER, Target};
pub use until::until;
pub use words::{ask, four_letter};
