//! A member among others: what it asks of its driver, and its connections.

mod mesh;
mod order;

pub use mesh::{LinkIds, Mesh, MeshEvent, MeshOptions};
pub use order::{Address, DiskJob, Done, EpochFile, Halt, LinkId, Order, Port};
