//! Members told step by step what happens, as a driver would.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;
mod ensemble;
mod serving;
