//! The client protocol: a session that survives its connections, and the watches it keeps.
//!
//! [`Session`] is the whole of it as a state machine: told what arrived and what time it is, it says what to send, whom to dial and
//! what to tell the user. It knows no socket, clock, thread or random source, so that a simulator can run it. [`Client`]
//! (feature `driver`) runs one on a thread of its own and gives blocking calls.
//!
//! Source: `org.apache.zookeeper.ClientCnxn`, `ZooKeeper`, `ZKWatchManager`; client-protocol.md.
#![no_std]
extern crate alloc;
#[cfg(feature = "driver")]
extern crate std;

mod address;
mod chance;
mod chroot;
#[cfg(feature = "driver")]
mod driver;
mod effect;
mod event;
mod failure;
mod path;
mod reply;
mod request;
mod session;
mod settings;
mod watches;

pub use address::{AddressError, ConnectString, Server};
pub use chroot::Chroot;
#[cfg(feature = "driver")]
pub use driver::{Client, Interrupter, Ticket, Tickets};
pub use effect::{Effect, State};
pub use event::{Event, EventType, KeeperState};
pub use failure::Failure;
pub use path::{PathError, check_path};
pub use reply::Reply;
pub use request::{CreateMode, Request, WatchKind};
pub use session::Session;
pub use settings::Settings;
