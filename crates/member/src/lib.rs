//! One ensemble member: the core that decides and the fronts that serve.
#![no_std]
extern crate alloc;

pub mod metrics;
