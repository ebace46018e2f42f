//! What a member shows an operator.
//!
//! The server answers questions about itself through [`Source`]; [`words`] turns the answers into the four-letter
//! words of ZooKeeper, byte for byte as Apache 3.9.5 prints them. Nothing here knows a socket, a file or a clock:
//! the values come in as plain structs ([`status`]), the text goes out as a `String`. The AdminServer's JSON and the
//! Prometheus page are other renderings of the same values and of the same
//! [`Registry`](member::metrics::Registry).
//!
//! A healthy server with safe settings shows exactly what Apache shows. What Apache has no word for (writes fenced,
//! unsafe settings, members that forgot) is added as extra lines, and only while there is something to say.
#![no_std]
extern crate alloc;

pub mod java;
pub mod monitor;
pub mod source;
pub mod status;
pub mod words;

pub use source::{Item, Serving, Source};
